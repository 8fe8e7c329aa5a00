"""How much the fault tests try: `--chaos=full` as `make chaos` does, or the short form that is part of all tests."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import pytest

from tests.chaos.report import Report
from tests.chaos.workers import LoopWorker, loop_worker_in_memory

REPORTS = pytest.StashKey[list[Report]]()
FAULTS = pytest.StashKey[Counter[str]]()
Tried = Callable[..., None]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Known only where pytest is started on this directory; elsewhere it is the short form."""
    parser.addoption("--chaos", choices=["short", "full"], default="short", help="How many faults are tried.")
    parser.addoption("--chaos-json", metavar="FILE", default=None, help="Where the counts are written as JSON.")


def is_full(config: pytest.Config) -> bool:
    """Whether everything is to be tried."""
    return bool(config.getoption("--chaos", default="short") == "full")


def pytest_configure(config: pytest.Config) -> None:
    """Declare the mark of tests that the short form does without."""
    config.addinivalue_line("markers", "full_form: part of the full form only, `make chaos`")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out of the short form what has that mark."""
    if is_full(config):
        return
    left_out = [item for item in items if item.get_closest_marker("full_form")]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


@pytest.fixture
def tried(request: pytest.FixtureRequest) -> Tried:
    """Counts a fault that was tried and lived through, for the table at the end."""
    counts = request.config.stash.setdefault(FAULTS, Counter())

    def count(fault: str, times: int = 1) -> None:
        counts[fault] += times

    return count


@pytest.fixture(scope="session")
def full(request: pytest.FixtureRequest) -> bool:
    """Whether everything is to be tried."""
    return is_full(request.config)


@pytest.fixture(scope="session")
def loop_worker() -> Iterator[LoopWorker]:
    """A process that runs crash loops."""
    with loop_worker_in_memory() as worker:
        yield worker


def remember(config: pytest.Config, report: Report) -> None:
    """Keep what was tried for the table at the end."""
    config.stash.setdefault(REPORTS, []).append(report)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say what was tried: calls at which something failed, attempts, documents lost."""
    faults = config.stash.get(FAULTS, Counter[str]())
    if faults:
        terminalreporter.section("faults of the surroundings: tried and lived through")
        for fault, times in faults.items():
            terminalreporter.line(f"{times:5}  {fault}")
    reports = config.stash.get(REPORTS, [])
    if not reports:
        return
    terminalreporter.section("crash points")
    terminalreporter.line(f"{'step':24} {'points':>7} {'runs':>7} {'lost':>5} {'wrong':>6} {'seconds':>8}")
    total = Report("all")
    for each in reports:
        terminalreporter.line(_row(each))
        total.points, total.runs, total.lost = (
            total.points + each.points,
            total.runs + each.runs,
            total.lost + each.lost,
        )
        total.problems, total.seconds = total.problems + each.problems, total.seconds + each.seconds
    terminalreporter.line(_row(total))
    if path := config.getoption("--chaos-json", default=None):
        Path(path).write_text(json.dumps([asdict(each) for each in (*reports, total)], indent=1))


def _row(report: Report) -> str:
    counts = f"{report.points:7} {report.runs:7} {report.lost:5} {len(report.problems):6} {report.seconds:8.1f}"
    return f"{report.scenario:24} {counts}"
