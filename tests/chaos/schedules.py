"""One story that has a bit of everything in it, and the ways in which its deliveries may go wrong."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from shared.database.engine import reading
from shared.database.tables import ArchivedEvent
from shared.errors import ObjectNotFound
from shared.events import (
    DATA_MODELS,
    DocumentRecognized,
    Event,
    from_json,
)
from tests.chaos.faulty_broker import Counts, Faults
from tests.chaos.in_process import BrokerWorld, Delivering
from tests.chaos.invariants import State
from tests.chaos.papers import broken, paper
from tests.papers import INVOICE, LETTER

DROPPED = "note.txt"
MOST_ROUNDS = 40
FORCED_ONCE = 2
"""How often the metadata of one letter are paid for: once, and once more because a person forces it."""


@dataclass(frozen=True)
class Schedule:
    """A name for people, and what it does with a seed."""

    name: str
    faults: Callable[[int], Faults]
    sends_the_archive_again: bool = False


def _held_back(seed: int) -> Faults:
    """record is told of one type only after everything else has happened; a different type for each seed."""
    types = sorted(DATA_MODELS)
    return Faults(seed=seed, last=(("record", types[seed % len(types)]),))


SCHEDULES = (
    Schedule("every event three times", lambda seed: Faults(seed=seed, copies=3)),
    Schedule("in any order", lambda seed: Faults(seed=seed, window=1000)),
    Schedule("5 % acknowledged and lost", lambda seed: Faults(seed=seed, lost=0.05)),
    Schedule("a third is hours late", lambda seed: Faults(seed=seed, late=0.3)),
    Schedule("enriched before recognized", lambda seed: Faults(seed, last=(("record", DocumentRecognized.type),))),
    Schedule("one type recorded last", _held_back),
    Schedule("a fifth of the answers lost", lambda seed: Faults(seed=seed, broken=0.2)),
    Schedule("retries exhausted", lambda seed: Faults(seed=seed, refused=0.5)),
    Schedule("all old events again", lambda seed: Faults(seed=seed, window=1000), sends_the_archive_again=True),
    Schedule(
        "everything at once",
        lambda seed: Faults(
            seed=seed, copies=2, window=1000, lost=0.05, late=0.1, broken=0.05, refused=0.05, together=3
        ),
        sends_the_archive_again=True,
    ),
)


@dataclass(frozen=True)
class Ending:
    """How a story ended: what people see, what was paid for and what of it booked, what is wrong."""

    state: State
    paid: Counter[str]
    booked: Counter[str]
    violations: list[str]
    documents: Counter[str]
    counts: Counts


async def story(running: Delivering, *, archive_again: bool = False) -> Ending:
    """Uploads, a dropped file, people who change their minds while all is under way."""
    world = running.world
    known = await running.of(lambda: _uploads(world))
    # Everything is on its way now, and nothing has arrived.
    await running.of(lambda: _people(world, known))
    await running.settle()
    await _until_quiet(running)
    if archive_again:
        for event in await running.of(lambda: list(_archived(world))):
            await running.publish(event)
        await running.settle()
    await running.of(lambda: _more_people(world, known))
    await running.settle()
    await _until_quiet(running)
    return await running.of(lambda: _ending(running))


def _ending(running: Delivering) -> Ending:
    world = running.world
    seen = world.state()
    # Which letters there were is the schedule's doing; that they are visible is I11.
    del seen["letters"]
    # What an outdated run did is booked where its events arrive; nobody makes up for those that are lost.
    booked = Counter(f"{shown['filename']}: {charge}" for shown in seen["documents"] for charge in shown.pop("charges"))
    seen["documents"].sort(key=lambda shown: shown["filename"])
    wrong = world.violations(most_per_page=FORCED_ONCE)
    names = Counter(shown["filename"] for shown in seen["documents"])
    return Ending(seen, Counter(world.journal()), booked, wrong, names, running.subscribers.counts)


def _uploads(world: BrokerWorld) -> dict[str, str]:
    book = paper(*(f"Page {n}\n{LETTER}" for n in range(1, 6)), scanned=True)
    files = {
        "letter.txt": LETTER.encode(),
        "book.pdf": book,
        "broken.pdf": broken(),
        "purged.txt": b"to be forgotten",
        "trashed.txt": INVOICE.encode(),
        "later.pdf": paper(INVOICE, scanned=True),
    }
    known = {name: world.upload(name, body) for name, body in files.items()}
    assert world.upload("again.txt", LETTER.encode()) == known["letter.txt"]
    world.drop(DROPPED, b"dropped into the folder")
    world.announce(DROPPED)
    while world.relay.send_due():
        continue
    return known


def _people(world: BrokerWorld, known: dict[str, str]) -> None:
    _ask(world, "PATCH", known["letter.txt"], json={"metadata": {"title": "Mine"}})
    _ask(world, "DELETE", known["trashed.txt"])
    _ask(world, "POST", known["book.pdf"], "/replay", json={"from": "ocr", "options": {"language": "de"}})
    world.purge(known["purged.txt"])


def _more_people(world: BrokerWorld, known: dict[str, str]) -> None:
    _ask(world, "POST", known["letter.txt"], "/replay", json={"from": "enrich", "force": True})
    _ask(world, "POST", known["trashed.txt"], "/restore")
    world.purge(known["later.pdf"])


def _ask(world: BrokerWorld, method: str, document_id: str, path: str = "", **request: Any) -> None:
    world.insist(method, f"/api/documents/{document_id}{path}", **request).raise_for_status()


async def _until_quiet(running: Delivering) -> None:
    """Sweeps, the watched folder and an operator who replays dead letters, while any of them has something to do."""
    for _ in range(MOST_ROUNDS):
        before = running.world.wire.published
        await running.of(lambda: _announce(running.world))
        await running.of(lambda: _replay_letters(running.world))
        await running.settle()
        await running.sweep_until_quiet()
        if running.world.wire.published == before:
            return
    raise AssertionError(f"after {MOST_ROUNDS} rounds there was still something to do")


def _announce(world: BrokerWorld) -> None:
    try:
        world.announce(DROPPED)
    except ObjectNotFound:
        return


def _replay_letters(world: BrokerWorld) -> None:
    answer = world.insist("POST", "/api/dead-letters/replay", json={"filter": {"state": "open"}})
    answer.raise_for_status()


def _archived(world: BrokerWorld) -> Iterator[Event]:
    with reading(world.engine) as session:
        bodies = session.scalars(select(ArchivedEvent.body).order_by(ArchivedEvent.number)).all()
    return map(from_json, bodies)
