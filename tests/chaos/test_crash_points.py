"""Dies before and after every outside call of every step, or lets it fail: nothing is lost, all ends the same.

Tries architecture §2.2–2.8 and rules 2–8, 13–18, 20, 23 where they speak of a crash. The short form tries some
points of every scenario, the full form all of them.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from queue import SimpleQueue

import pytest

from tests.chaos.conftest import remember
from tests.chaos.report import Report
from tests.chaos.scenarios import SCENARIOS

WORKERS = 2
SHORT_POINTS, SHORT_ERROR_POINTS = 5, 2
MEMORY = Path("/dev/shm")
"""A process that dies leaves in memory what it would leave on a disk, and each attempt has a world of its own."""


class Worker:
    """A process that answers jobs, one after the other."""

    def __init__(self, directory: Path) -> None:
        command = [sys.executable, "-m", "tests.chaos.crash_points", str(directory)]
        root = Path(__file__).parents[2]
        self._process = subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def answer(self, job: Mapping[str, object]) -> Report:
        """Have one scenario tried."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        return Report(**json.loads(self._process.stdout.readline()))

    def end(self) -> None:
        """No more jobs."""
        self._process.kill()
        self._process.communicate()


@pytest.fixture(scope="session")
def attempts(request: pytest.FixtureRequest, full: bool) -> Iterator[Mapping[str, "Future[Report]"]]:
    """The crash loops of the chosen scenarios, under way on all cores."""
    chosen = {
        item.callspec.params["name"]
        for item in request.session.items
        if hasattr(item, "callspec") and "attempts" in item.fixturenames
    }
    points = (
        {"points": None, "error_points": None} if full else {"points": SHORT_POINTS, "error_points": SHORT_ERROR_POINTS}
    )
    with ExitStack() as stack:
        free: SimpleQueue[Worker] = SimpleQueue()
        for _ in range(WORKERS):
            place = stack.enter_context(tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None))
            worker = Worker(Path(place))
            stack.callback(worker.end)
            free.put(worker)

        def work(name: str) -> Report:
            worker = free.get()
            try:
                return worker.answer({"scenario": name, **points})
            finally:
                free.put(worker)

        pool = ThreadPoolExecutor(WORKERS)
        stack.callback(pool.shutdown, cancel_futures=True)
        yield {scenario.name: pool.submit(work, scenario.name) for scenario in SCENARIOS if scenario.name in chosen}


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", [scenario.name for scenario in SCENARIOS])
def test_dying_anywhere_loses_nothing_and_ends_the_same(
    name: str, attempts: Mapping[str, "Future[Report]"], request: pytest.FixtureRequest
) -> None:
    report = attempts[name].result()
    remember(request.config, report)
    assert report.problems == []
    assert report.runs > 0
