"""Dies before and after every outside call of every step, or lets it fail: nothing is lost, all ends the same.

Tries architecture §2.2–2.8 and rules 2–8, 13–18, 20, 23 where they speak of a crash. The short form tries some
points of every scenario, the full form all of them.
"""

from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from queue import SimpleQueue

import pytest

from tests.chaos.conftest import remember
from tests.chaos.report import Report
from tests.chaos.scenarios import SCENARIOS
from tests.chaos.workers import LoopWorker, loop_worker_in_memory

WORKERS = 2
SHORT_POINTS, SHORT_ERROR_POINTS = 5, 2


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
        pool = ThreadPoolExecutor(WORKERS)
        # The workers end before it: it waits for what they are at.
        stack.callback(pool.shutdown, cancel_futures=True)
        free: SimpleQueue[LoopWorker] = SimpleQueue()
        for _ in range(WORKERS):
            free.put(stack.enter_context(loop_worker_in_memory()))

        def work(name: str) -> Report:
            worker = free.get()
            try:
                return worker.answer({"scenario": name, **points})
            finally:
                free.put(worker)

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
