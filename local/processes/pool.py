"""The processes of one function: as many as the waiting requests need, none when there is nothing to do."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable

from local.broker.message import Headers
from local.broker.rules import Answer
from local.manifests import Service
from local.processes.process import FunctionProcess

logger = logging.getLogger(__name__)

_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 30.0
_REQUEST_TIMEOUT = Answer(504, [], b'{"code": "request_timeout", "message": "the function did not answer in time"}')
"""What Knative's queue-proxy says in the function's place."""


class Pool:
    """Processes of one function, 0 to `limit`. A process is never given more requests than its concurrency."""

    def __init__(
        self,
        service: Service,
        limit: int,
        idle_seconds: float,
        grace_seconds: float,
        make_process: Callable[[], FunctionProcess],
        when_ready: Callable[[], None] | None = None,
    ) -> None:
        self.service = service
        self.limit = limit
        self._idle_seconds = idle_seconds
        self._grace_seconds = grace_seconds
        self._make_process = make_process
        self._when_ready = when_ready
        self._processes: dict[FunctionProcess, asyncio.Task[None]] = {}
        self._idle_timers: dict[FunctionProcess, asyncio.TimerHandle] = {}
        self._waiting: deque[asyncio.Future[FunctionProcess]] = deque()
        self._failed_starts = 0
        self._pause: asyncio.TimerHandle | None = None
        self._open = True

    @property
    def processes(self) -> tuple[FunctionProcess, ...]:
        """The processes that are alive, those included that are starting or stopping."""
        return tuple(self._processes)

    async def request(
        self, method: str, path: str, headers: Headers, body: bytes, timeout_seconds: float
    ) -> Answer | None:
        """The answer of one of the processes; None when the connection broke or no answer came in time.

        Waiting for a process is not counted. Where the Service's own limit is the shorter one, the answer is 504.
        """
        process = await self._acquire()
        try:
            limit = min(timeout_seconds, self.service.timeout_seconds)
            return await process.request(method, path, headers, body, limit)
        except TimeoutError:
            # Its thread may work on for hours: such a process gets nothing more and ends with its other requests.
            process.is_stopping = True
            return _REQUEST_TIMEOUT if self.service.timeout_seconds < timeout_seconds else None
        finally:
            self._release(process)

    def warm(self) -> None:
        """Start a process if there is none: work is about to come."""
        if not self._processes and (process := self._start()):
            self._rest(process)

    async def stop(self) -> None:
        """End every process: gently, and after the grace by force. Requests that still wait are cancelled."""
        self._open = False
        if self._pause:
            self._pause.cancel()
        for future in self._waiting:
            future.cancel()
        tasks = list(self._processes.values())
        for process in self._processes:
            process.terminate()
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=self._grace_seconds)
            self.kill()
            await asyncio.gather(*late)

    def kill(self) -> None:
        """End every process at once."""
        for process in self._processes:
            process.kill()

    async def _acquire(self) -> FunctionProcess:
        future: asyncio.Future[FunctionProcess] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        self._assign()
        try:
            return await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():
                self._release(future.result())
            raise

    def _assign(self) -> None:
        """Give waiting requests to processes with room; start processes for those that remain."""
        while self._waiting:
            if self._waiting[0].done():
                self._waiting.popleft()
                continue
            process = self._with_room() or self._start()
            if process is None:
                return
            process.in_flight += 1
            if timer := self._idle_timers.pop(process, None):
                timer.cancel()
            self._waiting.popleft().set_result(process)

    def _with_room(self) -> FunctionProcess | None:
        """A process that is up before one that is starting, then the fullest, so that the others get idle."""
        candidates = [
            process
            for process in self._processes
            if not process.is_stopping and process.in_flight < self.service.concurrency
        ]
        return max(candidates, key=lambda process: (process.is_ready, process.in_flight), default=None)

    def _start(self) -> FunctionProcess | None:
        if not self._open or self._pause or len(self._processes) >= self.limit:
            return None
        process = self._make_process()
        process.when_ready = self._when_ready
        self._processes[process] = asyncio.get_running_loop().create_task(self._accompany(process))
        return process

    def _release(self, process: FunctionProcess) -> None:
        process.in_flight -= 1
        if process.in_flight == 0 and process in self._processes:
            if process.is_stopping:
                process.kill()
            else:
                self._rest(process)
        self._assign()

    def _rest(self, process: FunctionProcess) -> None:
        loop = asyncio.get_running_loop()
        self._idle_timers[process] = loop.call_later(self._idle_seconds, self._retire, process)

    def _retire(self, process: FunctionProcess) -> None:
        del self._idle_timers[process]
        process.terminate()

    async def _accompany(self, process: FunctionProcess) -> None:
        try:
            status = await process.run(self._grace_seconds)
        except OSError as error:
            logger.error("%s cannot be started: %s", self.service.name, error)
            status = -1
        del self._processes[process]
        if timer := self._idle_timers.pop(process, None):
            timer.cancel()
        if not process.is_stopping:
            logger.error("%s ended by itself (status %d)", process.name, status)
        self._failed_starts = 0 if process.is_ready or process.is_stopping else self._failed_starts + 1
        if self._failed_starts:
            self._hold_back()
        self._assign()

    def _hold_back(self) -> None:
        pause = min(_FIRST_PAUSE_SECONDS * 2 ** (self._failed_starts - 1), _LONGEST_PAUSE_SECONDS)
        logger.error("%s does not start; next try in %.1f s", self.service.name, pause)
        self._pause = asyncio.get_running_loop().call_later(pause, self._resume)

    def _resume(self) -> None:
        self._pause = None
        self._assign()
