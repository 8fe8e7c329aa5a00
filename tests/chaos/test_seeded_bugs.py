"""The checks prove themselves: a bug of each class turns the right one red, and the same story without the bug none."""

from collections.abc import Callable
from pathlib import Path

import pytest

from shared.events import DocumentEnriched
from tests.chaos.papers import PaperEngine
from tests.chaos.scenarios import letter, scan
from tests.chaos.seeded import (
    IndexedOnce,
    LeaseIgnored,
    LetterNotKept,
    OldRunProjected,
    OriginalOverwritten,
    PurgeWithoutTombstone,
    RecordNotIdempotent,
)
from tests.chaos.workers import LoopWorker
from tests.chaos.world import World

Story = Callable[[World], None]


def two_at_the_same_time(world: World) -> None:
    """The same batch is delivered twice, the second time while the first is being worked on (rules 7)."""
    scan(world)
    world.settle_without("ocr")
    world.bus.double(world.bus.waiting("ocr"))
    first, second = world.bus.waiting("ocr")
    assert isinstance(world.ocr_engine, PaperEngine)
    world.ocr_engine.meanwhile = lambda: [world.deliver(second)].clear()
    world.deliver(first)
    world.settle()


def a_late_event_of_an_earlier_run(world: World) -> None:
    """What the first run found arrives after a second run has ended (rules 11)."""
    document_id = scan(world)
    world.settle(until=lambda d: d.trigger == "record" and d.type == DocumentEnriched.type)
    (late,) = world.bus.waiting("record")
    again = {"from": "ocr", "options": {"language": "fr"}}
    assert world.insist("POST", f"/api/documents/{document_id}/replay", json=again).status_code == 202
    world.settle(until=lambda d: d.number == late.number)
    world.settle()


def purged_while_under_way(world: World) -> None:
    """A document is purged while its first event still waits to be delivered (rules 23)."""
    document_id = letter(world)
    world.settle_without("convert")
    assert world.insist("DELETE", f"/api/documents/{document_id}").status_code == 200
    world.purge(document_id)
    world.settle()


def everything_delivered_twice(world: World) -> None:
    """Each delivery is made once more (rules 4)."""
    scan(world)
    for _ in range(30):
        world.relay.send_due()
        waiting = world.bus.waiting()
        world.bus.double(waiting)
        for delivery in world.bus.waiting()[: 2 * len(waiting)]:
            world.deliver(delivery)
        if not waiting:
            break
    world.settle()


def changed_by_a_person(world: World) -> None:
    """A title is set after the document was indexed."""
    document_id = scan(world)
    world.settle()
    assert world.insist("PATCH", f"/api/documents/{document_id}", json={"metadata": {"title": "Mine"}}).is_success
    world.settle()


def given_up_by_a_trigger(world: World) -> None:
    """An event exhausts its deliveries (rules 18)."""
    letter(world)
    world.settle_without("convert")
    (delivery,) = world.bus.waiting("convert")
    delivery.is_letter, delivery.error = True, {"knativeerrorcode": "422"}
    world.settle()
    world.sweep()
    world.settle()


def taken_in(world: World) -> None:
    """One document, nothing else."""
    letter(world)
    world.settle()


BUGS: tuple[tuple[type[World], Story, str], ...] = (
    (LeaseIgnored, two_at_the_same_time, "I9"),
    (OldRunProjected, a_late_event_of_an_earlier_run, "I6"),
    (PurgeWithoutTombstone, purged_while_under_way, "I8"),
    (RecordNotIdempotent, everything_delivered_twice, "I5"),
    (IndexedOnce, changed_by_a_person, "I6 index"),
    (LetterNotKept, given_up_by_a_trigger, "I11"),
    (OriginalOverwritten, taken_in, "I1"),
)


@pytest.mark.parametrize(("bug", "story", "invariant"), BUGS, ids=lambda value: getattr(value, "__name__", value))
def test_a_seeded_bug_is_found(bug: type[World], story: Story, invariant: str, tmp_path: Path) -> None:
    assert invariant in broken_by(bug, story, tmp_path)


@pytest.mark.parametrize("story", [story for _, story, _ in BUGS], ids=lambda story: story.__name__)
def test_without_the_bug_the_same_story_ends_well(story: Story, tmp_path: Path) -> None:
    assert broken_by(World, story, tmp_path) == set()


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("bug", "scenario", "invariant"),
    [
        ("PayloadAfterResult", "convert", "I7"),
        ("DuplicateWithoutReply", "convert", "I2"),
        ("DeletedBeforePublished", "relay", "I2"),
        ("ClaimAfterCopy", "ingest", "I4"),
    ],
)
def test_a_seeded_bug_that_only_a_crash_brings_to_light_is_found(
    bug: str, scenario: str, invariant: str, loop_worker: LoopWorker
) -> None:
    report = loop_worker.answer({"scenario": scenario, "points": None, "error_points": 0, "world": bug})
    assert report.problems
    assert any(f" {invariant}: " in problem for problem in report.problems), report.problems[:5]


def broken_by(kind: type[World], story: Story, directory: Path) -> set[str]:
    """The names of the invariants that do not hold after the story."""
    world = kind(directory / "world")
    story(world)
    found = world.violations()
    world.close()
    return {problem.partition(":")[0] for problem in found}
