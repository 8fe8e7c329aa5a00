"""Anything that people, brokers, time and failing processes may do, in any order, against a model of what must be left.

Rules 1, 3, 9, 10, 11, 13, 16, 18, 19, 20, 23 and 24. After each step what must hold at every instant is checked; in the
end everything is brought to rest and compared with the model.
"""

import hashlib
import logging
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import select

from local.broker.rules import Answer
from shared.database.engine import reading
from shared.database.tables import DeadLetter, Document, LedgerEntry, OutboxEvent, Replay, Table
from shared.documents import Status
from shared.storage import keys
from tests.chaos.bus import Delivery
from tests.chaos.calls import Fault
from tests.chaos.conftest import remember
from tests.chaos.fragile import FragileWorld, Machine, MortalCalls
from tests.chaos.invariants import ALWAYS
from tests.chaos.memory import in_memory
from tests.chaos.papers import broken, paper
from tests.chaos.report import Report
from tests.chaos.world import World, copy_world

MOST_ROUNDS = 60
MOST_DEATHS = 4
"""Five on the same piece of work make it fail for good, as they should."""

SECRET = "do not remember me"
"""Stands in every text and name, and must be nowhere once the document is purged."""

KINDS = ("text", "scan", "book", "broken")
PLACE = st.integers(min_value=0, max_value=1000)
"""Which one of what there is: taken modulo their number."""


def content(kind: str, number: int) -> bytes:
    """A file; the same one for the same arguments."""
    page = f"{SECRET} {kind} {number}"
    if kind == "text":
        return page.encode()
    if kind == "broken":
        return broken() + page.encode()
    return paper(*(f"{page} page {n}" for n in range(1, 6 if kind == "book" else 2)), scanned=True)


@lru_cache(maxsize=1)
def empty_world() -> "tempfile.TemporaryDirectory[str]":
    """A world in which nothing has happened yet, to be copied: making one takes longer than most examples."""
    directory = tempfile.TemporaryDirectory(prefix="world-")
    FragileWorld(Path(directory.name) / "empty", calls=MortalCalls()).close()
    return directory


@dataclass
class Known:
    """What the model knows of a document."""

    name: str
    sha256: str
    forced: bool = False
    trashed: bool = False
    title: str | None = None


@dataclass
class Counted:
    """What was tried, over all examples."""

    examples: int = 0
    steps: int = 0
    deaths: int = 0
    documents: int = 0
    purged: int = 0
    lost: int = 0


COUNTED = Counted()


class Chaos(RuleBasedStateMachine):
    """One world, and the model beside it."""

    def __init__(self) -> None:
        super().__init__()
        self._directory = ExitStack()
        self.root = self._directory.enter_context(in_memory())
        copy_world(Path(empty_world().name) / "empty", self.root / "world")
        self.machine = Machine(self.root / "world")
        self.known: dict[str, Known] = {}
        self.purged: dict[str, str] = {}
        self.dropped: dict[str, str] = {}
        self.deaths = 0
        self.files = 0
        COUNTED.examples += 1

    @property
    def world(self) -> FragileWorld:
        return self.machine.world

    # People

    @rule(kind=st.sampled_from(KINDS), number=st.integers(0, 2), force=st.booleans())
    def upload(self, kind: str, number: int, force: bool) -> None:
        body = content(kind, number)
        name = self._name(kind)
        held = self._holder(hashlib.sha256(body).hexdigest())
        fields = {"force": "true"} if force else {}
        found = self.world.upload(name, body, key=f"upload {self.files}", **fields)
        if found not in self.known:
            assert held is None or force, "an equal document was made although there is one"
            self.known[found] = Known(name, hashlib.sha256(body).hexdigest(), forced=force)
        else:
            assert self.known[found].sha256 == hashlib.sha256(body).hexdigest() and not force

    @rule(kind=st.sampled_from(KINDS), number=st.integers(0, 2))
    def drop(self, kind: str, number: int) -> None:
        name = self._name(kind)
        self.world.drop(name, content(kind, number))
        self.dropped[name] = hashlib.sha256(content(kind, number)).hexdigest()

    @precondition(lambda self: self.dropped)
    @rule(place=PLACE)
    def announce(self, place: int) -> None:
        self.world.announce(sorted(self.dropped)[place % len(self.dropped)])

    @precondition(lambda self: self.known)
    @rule(place=PLACE, title=st.sampled_from(("Mine", "Yours", "Ours")))
    def set_a_title(self, place: int, title: str) -> None:
        document_id, known = self._chosen(place)
        answer = self._ask("PATCH", document_id, json={"metadata": {"title": title}})
        if known.trashed:
            assert answer.status_code == 409
        else:
            known.title = title

    @precondition(lambda self: self.known)
    @rule(place=PLACE)
    def trash(self, place: int) -> None:
        document_id, known = self._chosen(place)
        assert self._ask("DELETE", document_id).status_code < 300
        known.trashed = True

    @precondition(lambda self: self.known)
    @rule(place=PLACE)
    def restore(self, place: int) -> None:
        document_id, known = self._chosen(place)
        answer = self._ask("POST", document_id, "/restore")
        if answer.status_code < 300:
            known.trashed = False
            # An equal file that came in meanwhile holds the content now.
            known.forced = True
            self.world.may_equal_others(document_id)

    @precondition(lambda self: self.known)
    @rule(place=PLACE)
    def purge(self, place: int) -> None:
        document_id, known = self._chosen(place)
        self.world.purge_named(document_id, known.name)
        self._forget(document_id)

    @precondition(lambda self: self.known)
    @rule(
        place=PLACE,
        step=st.sampled_from(("convert", "ocr", "enrich", "index")),
        force=st.booleans(),
        language=st.sampled_from((None, "de")),
    )
    def replay(self, place: int, step: str, force: bool, language: str | None) -> None:
        document_id, known = self._chosen(place)
        request = {"from": step, "force": force, "options": {"language": language} if language else {}}
        answer = self._ask("POST", document_id, "/replay", json=request)
        assert answer.status_code == (409 if known.trashed else 202), answer.text

    # Operators

    @rule(
        mode=st.sampled_from(("redeliver", "reprocess")),
        step=st.sampled_from(("convert", "ocr", "enrich", "index")),
        status=st.sampled_from((None, "ready", "attention", "processing")),
    )
    def replay_many(self, mode: str, step: str, status: str | None) -> None:
        request = {"mode": mode, "from": step, "rate": 1000, "filter": {"status": status} if status else {}}
        answer = self.world.insist("POST", "/api/events/replay", json=request)
        assert answer.status_code == 202, answer.text

    @rule(what=st.sampled_from(("index", "projections")))
    def rebuild(self, what: str) -> None:
        answer = self.world.insist("POST", "/api/rebuild", json={"what": what, "rate": 1000})
        assert answer.status_code == 202, answer.text

    @rule()
    def advance_replays(self) -> None:
        self.world.app.state.context.replays.advance()

    @rule()
    def replay_letters(self) -> None:
        answer = self.world.insist("POST", "/api/dead-letters/replay", json={"filter": {"state": "open"}})
        assert answer.status_code == 202, answer.text

    @rule()
    def discard_letters(self) -> None:
        request = {"filter": {"state": "open"}, "reason": "They are not needed."}
        answer = self.world.insist("POST", "/api/dead-letters/discard", json=request)
        assert answer.status_code == 200, answer.text

    # The broker

    @rule()
    def relay(self) -> None:
        self.world.relay.send_due()

    @precondition(lambda self: self.world.bus.deliveries)
    @rule(count=st.integers(1, 12))
    def deliver_next(self, count: int) -> None:
        for delivery in self.world.bus.waiting()[:count]:
            self.world.deliver(delivery)

    @precondition(lambda self: self.world.bus.deliveries)
    @rule(place=PLACE)
    def deliver_any(self, place: int) -> None:
        self.world.deliver(self._delivery(place))

    @precondition(lambda self: self.world.bus.deliveries)
    @rule(place=PLACE)
    def deliver_twice(self, place: int) -> None:
        self.world.bus.double([self._delivery(place)])

    @precondition(lambda self: self.world.bus.deliveries)
    @rule(place=PLACE)
    def lose(self, place: int) -> None:
        if not self._delivery(place).is_letter:
            self.world.bus.lose([self._delivery(place)])

    @precondition(lambda self: self.world.bus.deliveries)
    @rule(place=PLACE)
    def give_up(self, place: int) -> None:
        """A subscriber that answers 500 until the broker has had enough."""
        delivery = self._delivery(place)
        while not delivery.is_letter:
            self.world.bus.deliver(delivery, lambda *_: Answer(500, [], b""))

    @precondition(lambda self: self.world.bus.deliveries and self.deaths < MOST_DEATHS)
    @rule(place=PLACE, at=st.integers(1, 20))
    def die_in_a_step(self, place: int, at: int) -> None:
        """Before a call, which is as good as after the one before it."""
        number = self._delivery(place).number
        died = self.machine.dying(lambda world: world.deliver(_numbered(world, number)), at, Fault.CRASH_BEFORE)
        self.deaths += died
        COUNTED.deaths += died

    @precondition(lambda self: self.world.bus.deliveries)
    @rule(place=PLACE, at=st.integers(1, 40), fault=st.sampled_from((Fault.REFUSED, Fault.CUT)))
    def fail_in_a_step(self, place: int, at: int, fault: Fault) -> None:
        delivery = self._delivery(place)
        self.machine.dying(lambda world: world.deliver(delivery), at, fault)

    # Time

    @rule(hours=st.sampled_from((0.1, 1.0, 7.0, 30.0)))
    def tick(self, hours: float) -> None:
        self.world.sweep(hours)

    @rule()
    def two_sweeps(self) -> None:
        now = self.world.now()
        with ThreadPoolExecutor(2) as threads:
            swept = list(threads.map(lambda sweep: sweep.run(now), [self.world.make_sweep() for _ in range(2)]))
        assert [one.failures for one in swept] == [{}, {}]

    # What must hold

    @invariant()
    def holds_at_every_instant(self) -> None:
        COUNTED.steps += 1
        self._learn()
        assert not (wrong := self.world.violations(ALWAYS)), wrong
        rows = self._rows()
        assert not self.purged.keys() & rows.keys(), "a purged document is back"
        for document_id, known in self.known.items():
            row = rows[document_id]
            assert row.sha256 == known.sha256
            assert (row.trashed_at is not None) == known.trashed, known
            if known.title is not None:
                assert row.title == known.title and "title" in row.locked

    def teardown(self) -> None:
        try:
            self._come_to_rest()
            self._compare()
        finally:
            self.world.close()
            self._directory.close()

    def _come_to_rest(self) -> None:
        for _ in range(MOST_ROUNDS):
            self.world.settle()
            self.world.app.state.context.replays.advance()
            for name in self.dropped:
                self.world.announce(name)
            self.replay_letters()
            self.world.sweep(hours=7)
            self.world.relay.send_due()
            if self._is_at_rest():
                return
        raise AssertionError(f"no rest after {MOST_ROUNDS} rounds: {self.world.bus.waiting()[:3]}")

    def _is_at_rest(self) -> bool:
        with reading(self.world.engine) as session:
            waiting = session.scalar(select(OutboxEvent.number).limit(1))
            running = session.scalar(select(Replay.id).where(Replay.state == "running").limit(1))
        return not self.world.bus.deliveries and waiting is None and running is None

    def _compare(self) -> None:
        self._learn()
        rows = self._rows()
        COUNTED.documents += len(rows)
        COUNTED.purged += len(self.purged)
        COUNTED.lost += len(set(self.known) - set(rows))
        assert set(rows) == set(self.known), "documents that were accepted are not those that are there"
        wrong = self.world.violations(most_per_page=1000)
        assert not wrong, wrong
        for document_id, known in self.known.items():
            body = self.world.store.get(keys.original(document_id))
            assert hashlib.sha256(body).hexdigest() == known.sha256
            self._check_end(rows[document_id], known)
        self._check_nothing_personal()

    def _check_end(self, row: Document, known: Known) -> None:
        assert row.title == known.title if known.title is not None else True
        if known.trashed:
            assert row.status == Status.TRASHED
        elif "broken" in known.name:
            assert (row.status, row.code) == (Status.ATTENTION, "corrupt")
        elif row.status != Status.READY:
            # Only what an operator has discarded may stand like this.
            assert row.code == "retries_exhausted" and self._has_discarded(row), (row.filename, row.status, row.code)

    def _has_discarded(self, row: Document) -> bool:
        with reading(self.world.engine) as session:
            query = select(DeadLetter.id).where(
                DeadLetter.document_id == row.id, DeadLetter.runid == row.runid, DeadLetter.state == "discarded"
            )
            return session.scalars(query).first() is not None

    def _check_nothing_personal(self) -> None:
        """Nothing of a purged document is left in any table or key (rules 23); the names of others may equal it."""
        with reading(self.world.engine) as session:
            rows = [str(row) for table in Table.metadata.sorted_tables for row in session.execute(select(table))]
        keys_there = [info.key for info in self.world.store.list("")]
        for document_id, name in self.purged.items():
            assert not [row for row in rows if name in row], name
            left = [key for key in keys_there if document_id in key and not key.startswith(keys.TOMBSTONES)]
            assert not left, left

    # The model

    def _learn(self) -> None:
        """What was dropped has become a document when the ledger says so."""
        with reading(self.world.engine) as session:
            entries = session.scalars(select(LedgerEntry).where(LedgerEntry.state == "received")).all()
        for entry in entries:
            name = entry.key.removeprefix(keys.INCOMING)
            if entry.document_id not in self.known and entry.document_id not in self.purged:
                self.known[entry.document_id] = Known(name, self.dropped[name])

    def _forget(self, document_id: str) -> None:
        self.purged[document_id] = self.known.pop(document_id).name

    def _holder(self, sha256: str) -> str | None:
        """Who holds this content, as far as the model can tell: those that were forced hold nothing."""
        held = [known_id for known_id, known in self.known.items() if known.sha256 == sha256 and not known.forced]
        return held[-1] if held else None

    def _rows(self) -> dict[str, Document]:
        with reading(self.world.engine) as session:
            return {row.id: row for row in session.scalars(select(Document))}

    def _chosen(self, place: int) -> tuple[str, Known]:
        document_id = sorted(self.known, key=lambda one: self.known[one].name)[place % len(self.known)]
        return document_id, self.known[document_id]

    def _delivery(self, place: int) -> Delivery:
        waiting = self.world.bus.waiting()
        return waiting[place % len(waiting)]

    def _ask(self, method: str, document_id: str, path: str = "", **request: Any) -> Any:
        return self.world.insist(method, f"/api/documents/{document_id}{path}", **request)

    def _name(self, kind: str) -> str:
        self.files += 1
        return f"{kind} {self.files:03}.{'txt' if kind == 'text' else 'pdf'}"


def _numbered(world: World, number: int) -> Delivery:
    return next(each for each in world.bus.deliveries if each.number == number)


@pytest.mark.timeout(7200)
def test_whatever_happens_nothing_is_lost(full: bool, request: pytest.FixtureRequest) -> None:
    """The same examples each time; those that fail are shown as they are, since making them shorter takes minutes."""
    tried = settings(
        max_examples=300 if full else 5,
        stateful_step_count=50 if full else 30,
        phases=(Phase.generate,),
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    started = time.monotonic()
    logging.disable(logging.ERROR)
    try:
        run_state_machine_as_test(Chaos, settings=tried)
    finally:
        logging.disable(logging.NOTSET)
    report = Report("state machine", points=COUNTED.steps, runs=COUNTED.examples, lost=COUNTED.lost)
    report.calls = {"deaths": COUNTED.deaths, "documents": COUNTED.documents, "purged": COUNTED.purged}
    report.seconds = time.monotonic() - started
    remember(request.config, report)
    assert COUNTED.lost == 0
