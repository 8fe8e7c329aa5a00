"""The real broker delivers to the real functions twice, late, in any order, or not at all: the end is always the same.

Rules 4, 6, 8, 11, 12, 16, 19, 20, 23. Each seed is one schedule; the full form plays twenty of each kind.
"""

import tempfile
from functools import partial
from pathlib import Path

import pytest

from tests.chaos.faulty_broker import Faults
from tests.chaos.in_process import play
from tests.chaos.invariants import differences
from tests.chaos.schedules import SCHEDULES, Ending, Schedule, story

SEEDS = 1


def told(faults: Faults, *, archive_again: bool = False) -> Ending:
    """The story's end under these faults, in a world of its own, in memory where there is some."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as directory:
        return play(Path(directory), faults, partial(story, archive_again=archive_again))


@pytest.fixture(scope="module")
def undisturbed() -> Ending:
    ending = told(Faults())
    assert ending.violations == []
    return ending


@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda schedule: schedule.name)
def test_a_schedule_ends_as_if_nothing_had_happened(schedule: Schedule, undisturbed: Ending) -> None:
    for seed in range(SEEDS):
        ending = told(schedule.faults(seed), archive_again=schedule.sends_the_archive_again)
        about = f"{schedule.name}, seed {seed}"
        assert not ending.violations, (about, ending.violations)
        assert not differences(undisturbed.state, ending.state), (about, differences(undisturbed.state, ending.state))
        # Nothing is paid for that an undisturbed run does not pay for.
        assert not ending.paid - undisturbed.paid, (about, ending.paid - undisturbed.paid)
