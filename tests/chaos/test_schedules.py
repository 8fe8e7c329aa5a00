"""The real broker delivers to the real functions twice, late, in any order, or not at all: the end is always the same.

Rules 4, 6, 8, 11, 12, 16, 19, 20, 23. Each seed is one schedule; the full form plays twenty of each kind.
"""

import time
from collections.abc import Iterator
from functools import partial

import pytest

from tests.chaos.conftest import remember
from tests.chaos.faulty_broker import Faults
from tests.chaos.in_process import play
from tests.chaos.invariants import differences
from tests.chaos.memory import in_memory
from tests.chaos.report import Report
from tests.chaos.schedules import SCHEDULES, Ending, Schedule, story

SEEDS = 20


def told(faults: Faults, *, archive_again: bool = False) -> Ending:
    """The story's end under these faults, in a world of its own, in memory where there is some."""
    with in_memory() as root:
        return play(root, faults, partial(story, archive_again=archive_again))


@pytest.fixture(scope="module")
def undisturbed() -> Ending:
    ending = told(Faults())
    assert ending.violations == []
    return ending


def problems(ending: Ending, undisturbed: Ending, about: str) -> Iterator[str]:
    """What is wrong, differs, or was paid for or booked although it is not in an undisturbed run."""
    wrong = [*ending.violations, *differences(undisturbed.state, ending.state)]
    paid = [f"{what}: paid for {count} times more" for what, count in (ending.paid - undisturbed.paid).items()]
    booked = [f"booked {count} times more: {what}" for what, count in (ending.booked - undisturbed.booked).items()]
    return (f"{about}: {problem}" for problem in [*wrong, *paid, *booked])


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda schedule: schedule.name)
def test_a_schedule_ends_as_if_nothing_had_happened(
    schedule: Schedule, undisturbed: Ending, full: bool, request: pytest.FixtureRequest
) -> None:
    report, started = Report(schedule.name), time.monotonic()
    for seed in range(SEEDS if full else 1):
        ending = told(schedule.faults(seed), archive_again=schedule.sends_the_archive_again)
        report.runs += 1
        report.points += ending.counts.faults
        report.lost += (undisturbed.documents - ending.documents).total()
        report.problems += problems(ending, undisturbed, f"seed {seed}")
    report.seconds = time.monotonic() - started
    remember(request.config, report)
    assert report.problems == []
