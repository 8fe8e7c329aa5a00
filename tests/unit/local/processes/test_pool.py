import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from local.broker.message import Headers
from local.broker.rules import Answer
from local.manifests import Service
from local.processes.pool import Pool

OK = Answer(202, [], b"")


class ScriptedProcess:
    """Stands for a child process: answers when it is told to, lives until it is ended."""

    def __init__(self, name: str, *, starts: bool = True) -> None:
        self.name = name
        self.in_flight = 0
        self.is_ready = starts
        self.is_stopping = False
        self.when_ready: Callable[[], None] | None = None
        self.most_in_flight = 0
        self.may_answer = asyncio.Event()
        self._ended = asyncio.Event()
        if not starts:
            self._ended.set()

    async def run(self, grace_seconds: float) -> int:
        await self._ended.wait()
        return 0 if self.is_stopping else 1

    async def request(
        self, method: str, path: str, headers: Headers, body: bytes, timeout_seconds: float
    ) -> Answer | None:
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        async with asyncio.timeout(timeout_seconds):
            await self.may_answer.wait()
        return OK

    def terminate(self) -> None:
        self.is_stopping = True
        self._ended.set()

    def kill(self) -> None:
        self.terminate()

    def die(self) -> None:
        self._ended.set()


class Bench:
    """A pool with scripted processes. The first `failing` of them do not start."""

    def __init__(self, *, concurrency: int = 1, limit: int = 2, idle_seconds: float = 60, failing: int = 0) -> None:
        self.processes: list[ScriptedProcess] = []
        self.made_at: list[float] = []
        self._failing = failing
        service = Service("work", concurrency, timeout_seconds=30, max_scale=None)
        self.pool = Pool(service, limit, idle_seconds, 0, self._make)  # type: ignore[arg-type] # scripted processes

    def _make(self) -> ScriptedProcess:
        process = ScriptedProcess(f"work-{len(self.processes)}", starts=len(self.processes) >= self._failing)
        self.processes.append(process)
        self.made_at.append(asyncio.get_running_loop().time())
        return process

    def request(self, timeout_seconds: float = 60) -> "asyncio.Task[Answer | None]":
        return asyncio.create_task(self.pool.request("POST", "/", [], b"", timeout_seconds))


def run(scenario: Callable[[], Awaitable[Any]]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(20):
            await scenario()

    asyncio.run(limited())


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(4000):
        if condition():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("it did not come to that")


def test_processes_are_started_as_requests_wait_up_to_the_limit() -> None:
    async def scenario() -> None:
        bench = Bench(concurrency=2, limit=2)
        requests = []
        for expected in (1, 1, 2, 2, 2):
            requests.append(bench.request())
            await settle()
            assert len(bench.processes) == expected
        for process in bench.processes:
            process.may_answer.set()
        assert await asyncio.gather(*requests) == [OK] * 5
        assert [process.most_in_flight for process in bench.processes] == [2, 2]
        await bench.pool.stop()

    run(scenario)


def test_request_goes_to_a_process_that_is_there() -> None:
    async def scenario() -> None:
        bench = Bench()
        for _ in range(3):
            request = bench.request()
            await settle()
            bench.processes[0].may_answer.set()
            await request
        assert len(bench.processes) == 1
        await bench.pool.stop()

    run(scenario)


def test_idle_process_ends_and_work_resets_the_clock() -> None:
    async def scenario() -> None:
        bench = Bench(idle_seconds=0.01)
        request = bench.request()
        await settle()
        bench.processes[0].may_answer.set()
        await request
        await until(lambda: not bench.pool.processes)
        assert bench.processes[0].is_stopping

    run(scenario)


def test_new_process_waits_until_the_stopping_one_has_ended() -> None:
    async def scenario() -> None:
        bench = Bench(limit=1)
        first = bench.request(timeout_seconds=0.01)
        await settle()
        second = bench.request()
        assert await first is None
        bench.processes[-1].may_answer.set()
        await settle()
        bench.processes[-1].may_answer.set()
        assert await second == OK
        assert len(bench.processes) == 2
        assert bench.processes[0].is_stopping
        await bench.pool.stop()

    run(scenario)


def test_service_limit_that_is_shorter_answers_as_knative_would() -> None:
    async def scenario() -> None:
        bench = Bench()
        bench.pool.service = Service("work", 1, timeout_seconds=0.01, max_scale=None)
        answer = await bench.request()
        assert answer is not None and answer.status == 504
        await bench.pool.stop()

    run(scenario)


def test_process_that_does_not_start_is_held_back_then_tried_again() -> None:
    async def scenario() -> None:
        bench = Bench(failing=1, limit=1)
        lost = bench.request(timeout_seconds=0.05)
        await settle()
        assert len(bench.processes) == 1
        waiting = bench.request()
        await lost
        await until(lambda: len(bench.processes) == 2)
        assert bench.made_at[1] - bench.made_at[0] > 0.4
        bench.processes[1].may_answer.set()
        assert await waiting == OK
        await bench.pool.stop()

    run(scenario)


def test_request_that_is_cancelled_while_waiting_takes_no_place() -> None:
    async def scenario() -> None:
        bench = Bench(limit=1)
        working, cancelled, waiting = bench.request(), bench.request(), bench.request()
        await settle()
        cancelled.cancel()
        bench.processes[0].may_answer.set()
        assert await working == OK
        assert await waiting == OK
        assert bench.processes[0].in_flight == 0
        await bench.pool.stop()

    run(scenario)


def test_stopping_cancels_what_still_waits() -> None:
    async def scenario() -> None:
        bench = Bench(limit=1)
        bench.request()
        waiting = bench.request()
        await settle()
        await bench.pool.stop()
        await asyncio.wait([waiting])
        assert waiting.cancelled()
        assert bench.pool.processes == ()

    run(scenario)


def test_warm_process_takes_the_first_request_or_ends_idle() -> None:
    async def scenario() -> None:
        bench = Bench(idle_seconds=0.01)
        bench.pool.warm()
        bench.pool.warm()
        assert len(bench.processes) == 1
        request = bench.request()
        await settle()
        assert bench.processes[0].in_flight == 1
        bench.processes[0].may_answer.set()
        await request
        bench.pool.warm()
        await until(lambda: not bench.pool.processes)
        assert len(bench.processes) == 1

    run(scenario)
