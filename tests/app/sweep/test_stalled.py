"""sweep: what has stood still is sent on, once, with growing pauses; what moves is left alone."""

import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, delete, select

from functions.record.handler import Recorder
from shared.database.documents import Arrival, register
from shared.database.engine import reading, writing
from shared.database.tables import DeadLetter, Document, OutboxEvent, Tombstone
from shared.documents import ObjectReference, new_document_id
from shared.errors import Unavailable
from shared.events import DocumentReceived, DocumentRecognized, DocumentUpdated, Event, new_event
from shared.leases import lease
from shared.storage import keys
from shared.storage.directory import DirectoryObjectStore
from web.sweep import PATIENCE, Sweep, Swept

LATER = datetime.now(UTC) + PATIENCE + timedelta(hours=1)
"""However long it takes until the test begins."""


@dataclass
class Recording:
    """A publisher that only remembers."""

    events: list[Event] = field(default_factory=list)

    def publish(self, event: Event) -> None:
        self.events.append(event)


class Standstill:
    """A registered document whose first event went to the broker and was never heard of again."""

    def __init__(self, engine: Engine, root: Path) -> None:
        self.engine = engine
        self.root = root
        self.store = DirectoryObjectStore(root)
        self.publisher = Recording()
        self.sweep = Sweep(engine, self.store, self.publisher)
        self.id = new_document_id()
        original = self.store.put(keys.original(self.id), b"x", media_type="text/plain")
        with writing(engine) as session:
            registration = register(session, Arrival(self.id, "run", original, "a.txt", "api"), source="/s")
            session.execute(delete(OutboxEvent))
        assert registration.event is not None
        self.received = registration.event


@pytest.fixture
def still(engine: Engine, tmp_path: Path) -> Standstill:
    return Standstill(engine, tmp_path / "objects")


def test_a_document_that_moved_lately_is_left_alone(still: Standstill) -> None:
    assert still.sweep.run() == Swept()


def test_an_event_that_the_broker_lost_is_made_again_from_the_row(still: Standstill) -> None:
    assert still.sweep.run(LATER) == Swept(resent=1)
    [event] = still.publisher.events
    assert (event.type, event.subject, event.runid) == (DocumentReceived.type, still.id, "run")


def test_an_archived_event_is_sent_again_unchanged(still: Standstill) -> None:
    Recorder(still.engine, still.store).record(still.received)
    still.sweep.run(LATER)
    assert still.publisher.events == [still.received]


def test_a_result_that_record_was_never_told_of_is_asked_for_again(still: Standstill) -> None:
    """The broker lost `document.converted` on its way to record only: what was made of it counts for nothing."""
    text = ObjectReference(bucket="docuelevate", key="k", size=1, sha256="0" * 64, etag="e", media_type="x/y")
    recognized = DocumentRecognized(
        document_id=still.id,
        fingerprint="o",
        input_fingerprint="c",
        text=text,
        searchable_pdf=text,
        pages=1,
        ocr_pages=0,
    )
    for event in (still.received, new_event(recognized, source="/docuelevate/functions/ocr", cause=still.received)):
        Recorder(still.engine, still.store).record(event)
    still.sweep.run(LATER)
    assert still.publisher.events == [still.received]


def test_what_is_still_in_the_outbox_is_not_sent_past_it(still: Standstill) -> None:
    now = still.received.time
    with writing(still.engine) as session:
        session.add(
            OutboxEvent(
                source="/s",
                id="1",
                document_id=still.id,
                body=still.received.to_json(),
                created_at=now,
                not_before=LATER,
                attempts=0,
            )
        )
    assert still.sweep.run(LATER) == Swept()


def test_work_under_a_lease_is_not_disturbed(still: Standstill) -> None:
    with lease(still.store, keys.work_prefix(still.id, "convert", "f"), "all"):
        assert still.sweep.run(LATER) == Swept()


def test_pauses_grow(still: Standstill) -> None:
    sent = [still.sweep.run(LATER + timedelta(minutes=minute)).resent for minute in range(0, 40)]
    assert [minute for minute, count in enumerate(sent) if count] == [0, 6, 17, 38]


def test_sweeps_at_once_send_once(still: Standstill) -> None:
    """rules 20: the next due time advances by compare-and-set."""
    together = threading.Barrier(4)

    def sweep() -> int:
        store = DirectoryObjectStore(still.root)
        together.wait()
        return Sweep(still.engine, store, still.publisher).run(LATER).resent

    with ThreadPoolExecutor(4) as threads:
        assert sum(threads.map(lambda _: sweep(), range(4))) == 1
    assert len(still.publisher.events) == 1


def test_an_index_that_lags_is_woken(still: Standstill) -> None:
    with writing(still.engine) as session:
        session.get_one(Document, still.id).status = "ready"
    assert still.sweep.run(LATER) == Swept(woken=1)
    assert still.publisher.events[0].type == DocumentUpdated.type


def test_without_search_no_index_is_woken(still: Standstill) -> None:
    with writing(still.engine) as session:
        session.get_one(Document, still.id).status = "ready"
    assert Sweep(still.engine, still.store, still.publisher, search_enabled=False).run(LATER) == Swept()


def test_a_document_that_was_sent_on_too_often_says_so_and_waits_for_a_person(still: Standstill) -> None:
    """rules 20: capped per document."""
    with writing(still.engine) as session:
        session.get_one(Document, still.id).resends = 1000
    assert still.sweep.run(LATER).given_up == 1
    with reading(still.engine) as session:
        document = session.get_one(Document, still.id)
        [letter] = session.scalars(select(DeadLetter))
    assert (document.status, document.code) == ("attention", "retries_exhausted")
    assert (letter.state, letter.event_id, letter.trigger) == ("open", letter.event_id, "convert")
    assert json.loads(still.store.get(letter.key))["type"] == DocumentReceived.type
    assert [still.sweep.run(LATER + timedelta(hours=hours)).resent for hours in (1, 24, 240)] == [0, 0, 0]


def test_what_a_step_still_wrote_for_a_purged_document_is_removed(still: Standstill) -> None:
    now = datetime.now(UTC)
    with writing(still.engine) as session:
        session.delete(session.get_one(Document, still.id))
        session.add(Tombstone(document_id=still.id, owner="local", version=2, purged_at=now))
    still.sweep.run(now + timedelta(minutes=5))
    assert list(still.store.list(keys.document_prefix(still.id))) == []


def test_an_index_that_is_lost_or_damaged_is_woken_although_no_document_is_behind(still: Standstill) -> None:
    with writing(still.engine) as session:
        document = session.get_one(Document, still.id)
        document.status, document.indexed_version, document.index_generation = "ready", document.version, "old"

    def generation() -> str:
        raise Unavailable("the search index cannot be read")

    sweep = Sweep(still.engine, still.store, still.publisher, generation=generation)
    assert sweep.run(LATER) == Swept(woken=1)
    assert [event.type for event in still.publisher.events] == [DocumentUpdated.type]


def test_documents_of_a_lost_index_are_indexed_again(still: Standstill) -> None:
    with writing(still.engine) as session:
        document = session.get_one(Document, still.id)
        document.status, document.indexed_version, document.index_generation = "ready", document.version, "old"
    index = {"generation": "old"}
    sweep = Sweep(still.engine, still.store, still.publisher, generation=lambda: index["generation"])
    assert sweep.run(LATER) == Swept()
    index["generation"] = "new"
    assert sweep.run(LATER) == Swept(woken=1)
    assert [event.type for event in still.publisher.events] == [DocumentUpdated.type]


def test_what_a_writer_that_died_left_long_ago_is_removed(still: Standstill, tmp_path: Path) -> None:
    young, old = (tmp_path / "objects" / ".drafts" / name for name in ("young", "old"))
    for draft in (young, old):
        draft.write_bytes(b"half")
    long_ago = (datetime.now(UTC) - timedelta(days=2)).timestamp()
    os.utime(old, (long_ago, long_ago))
    still.sweep.run()
    assert (young.exists(), old.exists()) == (True, False)
