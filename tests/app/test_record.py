"""record on a real database: archive, projection, duplicates, dead letters."""

import itertools
import json
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select

from functions.record.handler import Recorder
from shared.database.documents import Arrival, register
from shared.database.engine import reading, writing
from shared.database.tables import ArchivedEvent, Charge, DeadLetter, Document, DocumentStep, OutboxEvent, Tombstone
from shared.documents import DocumentText, ObjectReference, PageText, new_document_id
from shared.errors import FailureCode, InvalidEvent
from shared.events import (
    DocumentConverted,
    DocumentEnriched,
    DocumentFailed,
    DocumentIndexed,
    DocumentRecognized,
    DocumentUpdated,
    Event,
    EventData,
    PageRange,
    PagesRecognized,
    new_event,
    result_id,
)
from shared.metadata import Metadata, Value
from shared.storage import keys
from shared.storage.directory import DirectoryObjectStore

RUN = "11111111-1111-4111-8111-111111111111"


class Pipeline:
    """A registered document and the events that its steps would send."""

    def __init__(self, engine: Engine, root: Path) -> None:
        self.engine = engine
        self.store = DirectoryObjectStore(root)
        self.recorder = Recorder(engine, self.store)
        self.id = new_document_id()
        self.original = self.store.put(keys.original(self.id), b"bytes", media_type="text/plain")
        arrival = Arrival(self.id, RUN, self.original, "letter.txt", "api")
        with writing(engine) as session:
            registration = register(session, arrival, source="/docuelevate/web")
        assert registration.event is not None
        self.received = registration.event

    def object(self, name: str, body: bytes = b"x", media_type: str = "application/json") -> ObjectReference:
        return self.store.put(keys.document_prefix(self.id) + name, body, media_type=media_type)

    def event(self, data: EventData, step: str, part: str = "") -> Event:
        event_id = result_id(self.id, RUN, data.type, data.fingerprint or "", part)
        return new_event(data, source=f"/docuelevate/functions/{step}", event_id=event_id, cause=self.received)

    def converted(self, fingerprint: str = "c1") -> Event:
        data = DocumentConverted(
            document_id=self.id,
            fingerprint=fingerprint,
            input_fingerprint=self.original.sha256,
            pdf=self.object(f"convert/{fingerprint}/a/document.pdf"),
            pages=1,
            converter="text",
        )
        return self.event(data, "convert")

    def recognized(self, fingerprint: str = "o1", made_from: str = "c1") -> Event:
        text = DocumentText(pages=(PageText(number=1, width=1, height=1, source="digital", text="hello"),))
        data = DocumentRecognized(
            document_id=self.id,
            fingerprint=fingerprint,
            input_fingerprint=made_from,
            text=self.object(f"ocr/{fingerprint}/a/text.json", text.model_dump_json().encode()),
            searchable_pdf=self.object(f"ocr/{fingerprint}/a/searchable.pdf"),
            pages=1,
            ocr_pages=0,
        )
        return self.event(data, "ocr")

    def enriched(self, title: str = "A letter", fingerprint: str = "e1", made_from: str = "o1") -> Event:
        metadata = Metadata(
            title=Value(value=title, confidence=0.9, origin="rule"),
            tags=(Value(value="post", confidence=0.9, origin="rule"),),
        )
        data = DocumentEnriched(
            document_id=self.id,
            fingerprint=fingerprint,
            input_fingerprint=made_from,
            metadata=self.object(f"enrich/{fingerprint}/a/metadata.json", metadata.model_dump_json().encode()),
            extractor="rules",
        )
        return self.event(data, "enrich")

    def failed(self, step: str, code: FailureCode) -> Event:
        data = DocumentFailed(
            document_id=self.id,
            fingerprint="c1",
            step=step,
            code=code.value,
            message="m",
            hint="h",
            retryable=False,
        )
        return self.event(data, step, code.value)

    def record(self, *events: Event) -> list[Event | None]:
        return [self.recorder.record(event) for event in events]

    def row(self) -> Document:
        with reading(self.engine) as session:
            return session.get_one(Document, self.id)

    def steps(self) -> dict[str, str]:
        with reading(self.engine) as session:
            return {s.step: s.state for s in session.scalars(select(DocumentStep))}

    def count(self, table: type) -> int:
        with reading(self.engine) as session:
            return session.scalar(select(func.count()).select_from(table)) or 0


@pytest.fixture
def pipeline(engine: Engine, tmp_path: Path) -> Pipeline:
    return Pipeline(engine, tmp_path / "objects")


def test_a_run_ends_ready_with_its_metadata(pipeline: Pipeline) -> None:
    replies = pipeline.record(
        pipeline.received, pipeline.converted(), pipeline.recognized(), pipeline.enriched("A letter")
    )
    row = pipeline.row()
    assert (row.status, row.title, row.pages) == ("ready", "A letter", 1)
    assert pipeline.steps() == {"convert": "done", "ocr": "done", "enrich": "done"}
    assert [reply and reply.type for reply in replies] == [None, None, DocumentUpdated.type, DocumentUpdated.type]
    assert replies[-1] is not None
    assert replies[-1].payload["version"] == row.version


def test_the_outbox_lets_go_of_an_event_that_arrived(pipeline: Pipeline) -> None:
    assert pipeline.count(OutboxEvent) == 1
    pipeline.record(pipeline.received)
    assert pipeline.count(OutboxEvent) == 0


def test_a_duplicate_changes_nothing_and_gets_the_same_reply(pipeline: Pipeline) -> None:
    events = [pipeline.received, pipeline.converted(), pipeline.recognized(), pipeline.enriched()]
    first = pipeline.record(*events)
    before = (pipeline.row().version, pipeline.row().revision, pipeline.count(ArchivedEvent))
    again = pipeline.record(*events)
    assert [reply and reply.id for reply in again] == [reply and reply.id for reply in first]
    assert (pipeline.row().version, pipeline.row().revision, pipeline.count(ArchivedEvent)) == before


@pytest.mark.parametrize("order", list(itertools.permutations(range(4)))[::5])
def test_any_order_ends_the_same_and_wakes_the_index(pipeline: Pipeline, order: Sequence[int]) -> None:
    events = [pipeline.received, pipeline.converted(), pipeline.recognized(), pipeline.enriched("A letter")]
    replies = pipeline.record(*(events[n] for n in order))
    row = pipeline.row()
    assert (row.status, row.title) == ("ready", "A letter")
    assert max(reply.payload["version"] for reply in replies if reply) == row.version


def test_events_of_a_former_run_are_archived_but_not_projected(pipeline: Pipeline) -> None:
    stale = pipeline.converted().model_copy(update={"runid": "22222222-2222-4222-8222-222222222222"})
    assert pipeline.record(stale) == [None]
    assert pipeline.count(ArchivedEvent) == 1
    assert pipeline.row().converted is None


def test_metadata_of_another_text_are_not_projected(pipeline: Pipeline) -> None:
    pipeline.record(
        pipeline.received, pipeline.converted(), pipeline.recognized(), pipeline.enriched("Old", "e0", made_from="o0")
    )
    assert pipeline.row().title == "letter"
    assert pipeline.row().status == "processing"


def test_a_failure_asks_for_attention_with_its_code(pipeline: Pipeline) -> None:
    [reply] = pipeline.record(pipeline.failed("convert", FailureCode.ENCRYPTED))
    row = pipeline.row()
    assert (row.status, row.code, row.hint) == ("attention", "encrypted", "h")
    assert pipeline.steps() == {"convert": "failed", "ocr": "skipped", "enrich": "skipped"}
    assert reply is not None


def test_what_a_person_set_stays(pipeline: Pipeline) -> None:
    with writing(pipeline.engine) as session:
        row = session.get_one(Document, pipeline.id)
        mine = Value(value="Mine", confidence=1.0, origin="user", locked=True)
        row.user_metadata, row.locked = Metadata(title=mine).model_dump(mode="json"), ["title"]
    pipeline.record(pipeline.received, pipeline.converted(), pipeline.recognized(), pipeline.enriched("Machine"))
    row = pipeline.row()
    assert row.title == "Mine"
    assert row.machine_metadata["title"]["value"] == "Machine"


def test_an_unknown_type_is_archived(pipeline: Pipeline) -> None:
    future = pipeline.received.model_copy(update={"type": "org.docuelevate.document.shared.v1", "id": "f"})
    assert pipeline.record(future) == [None]
    assert pipeline.count(ArchivedEvent) == 1


def test_simultaneous_deliveries_project_once(pipeline: Pipeline) -> None:
    pipeline.record(pipeline.received, pipeline.converted())
    event, replies = pipeline.recognized(), []
    threads = [threading.Thread(target=lambda: replies.append(pipeline.recorder.record(event))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({reply.id for reply in replies if reply}) == 1
    assert len(replies) == 4
    assert pipeline.count(ArchivedEvent) == 3


def test_the_index_version_never_goes_back(pipeline: Pipeline) -> None:
    def indexed(version: int, generation: str) -> Event:
        data = DocumentIndexed(document_id=pipeline.id, version=version, engine="embedded", generation=generation)
        return new_event(data, source="/docuelevate/functions/index")

    pipeline.record(indexed(5, "g1"), indexed(3, "g1"))
    assert pipeline.row().indexed_version == 5
    pipeline.record(indexed(2, "g2"))
    assert (pipeline.row().indexed_version, pipeline.row().index_generation) == (2, "g2")


def test_a_purged_document_is_not_brought_back(pipeline: Pipeline) -> None:
    with writing(pipeline.engine) as session:
        session.delete(session.get_one(Document, pipeline.id))
        session.add(Tombstone(document_id=pipeline.id, owner="local", version=9, purged_at=pipeline.received.time))
    pipeline.store.put(keys.tombstone(pipeline.id), b"{}", media_type="application/json")
    assert pipeline.record(pipeline.converted()) == [None]
    assert pipeline.count(ArchivedEvent) == 0


class TestDeadLetters:
    def bury(self, pipeline: Pipeline, trigger: str, event: Event, **attributes: object) -> None:
        pipeline.recorder.bury(trigger, {**event.attributes(), **attributes}, event.payload)

    def test_a_letter_is_kept_whole_and_marks_its_document(self, pipeline: Pipeline) -> None:
        pipeline.record(pipeline.received)
        self.bury(pipeline, "convert", pipeline.received, knativeerrorcode=503, knativeerrordata="eA==")
        assert (pipeline.row().status, pipeline.row().code) == ("attention", "retries_exhausted")
        [kept] = list(pipeline.store.list("dead-letters/convert/"))
        assert json.loads(pipeline.store.get(kept.key))["knativeerrordata"] == "eA=="

    def test_a_letter_without_error_attributes_is_a_timeout(self, pipeline: Pipeline) -> None:
        self.bury(pipeline, "convert", pipeline.received)
        assert pipeline.row().status == "attention"

    def test_a_letter_that_says_held_marks_nothing(self, pipeline: Pipeline) -> None:
        self.bury(pipeline, "convert", pipeline.received, knativeerrorcode=409)
        assert pipeline.row().status == "processing"

    def test_a_letter_of_index_marks_nothing(self, pipeline: Pipeline) -> None:
        pipeline.record(pipeline.received, pipeline.converted(), pipeline.recognized(), pipeline.enriched())
        self.bury(pipeline, "index", pipeline.received, knativeerrorcode=503)
        assert pipeline.row().status == "ready"

    def test_a_letter_of_record_itself_is_projected(self, pipeline: Pipeline) -> None:
        self.bury(pipeline, "record", pipeline.converted(), knativeerrorcode=503)
        assert pipeline.row().converted is not None

    def test_the_same_event_failing_again_reopens_its_letter(self, pipeline: Pipeline) -> None:
        for _ in range(2):
            self.bury(pipeline, "convert", pipeline.received, knativeerrorcode=503)
        assert pipeline.count(DeadLetter) == 1

    def test_a_late_success_clears_the_mark(self, pipeline: Pipeline) -> None:
        self.bury(pipeline, "convert", pipeline.received, knativeerrorcode=503)
        pipeline.record(pipeline.converted(), pipeline.recognized(), pipeline.enriched())
        assert (pipeline.row().status, pipeline.row().code) == ("ready", None)

    @pytest.mark.parametrize("data", [{"document_id": "nobody's"}, ["a list"], "a text", b"\xff\x00"])
    def test_a_letter_that_no_step_could_read_is_kept(self, pipeline: Pipeline, data: object) -> None:
        attributes = {**pipeline.received.attributes(), "subject": "nobody's"}
        pipeline.recorder.bury("convert", attributes, data)
        [kept] = list(pipeline.store.list("dead-letters/convert/"))
        assert {"data", "data_base64"} & json.loads(pipeline.store.get(kept.key)).keys()
        assert pipeline.count(DeadLetter) == 1

    def test_a_letter_that_record_itself_refuses_is_kept(self, pipeline: Pipeline) -> None:
        broken = pipeline.converted().model_copy(update={"payload": {"document_id": pipeline.id}})
        self.bury(pipeline, "record", broken, knativeerrorcode=422)
        self.bury(pipeline, "record", broken.model_copy(update={"source": "/" + "s" * 300}), knativeerrorcode="?")
        assert len(list(pipeline.store.list("dead-letters/record/"))) == 2


@pytest.mark.parametrize(
    "change", [{"payload": {}}, {"source": "/" + "s" * 200}, {"id": "i" * 101}, {"runid": "r" * 37}, {"id": "a\0b"}]
)
def test_an_event_that_would_stop_its_run_is_refused(pipeline: Pipeline, change: dict[str, object]) -> None:
    change = {"payload": {"document_id": pipeline.id}} if change == {"payload": {}} else change
    with pytest.raises(InvalidEvent):
        pipeline.record(pipeline.converted().model_copy(update=change))
    assert pipeline.count(ArchivedEvent) == 0


def test_an_event_about_no_document_of_ours_is_archived(pipeline: Pipeline) -> None:
    payload = {**pipeline.received.payload, "document_id": "../x"}
    assert pipeline.record(pipeline.received.model_copy(update={"payload": payload, "subject": "../x"})) == [None]
    assert pipeline.count(ArchivedEvent) == 1


def test_an_event_that_meets_the_purge_leaves_nothing_in_the_archive(pipeline: Pipeline) -> None:
    # The tombstone object was written after record had looked for it.
    with writing(pipeline.engine) as session:
        session.delete(session.get_one(Document, pipeline.id))
        session.add(Tombstone(document_id=pipeline.id, owner="local", version=9, purged_at=pipeline.received.time))
    assert pipeline.record(pipeline.converted()) == [None]
    assert pipeline.count(ArchivedEvent) == 0


def test_a_letter_that_comes_after_the_purge_leaves_nothing(pipeline: Pipeline) -> None:
    """Rules 23: neither where its tombstone is there, nor where the purge was faster by a moment."""
    letter = pipeline.converted()
    with writing(pipeline.engine) as session:
        session.delete(session.get_one(Document, pipeline.id))
        session.add(Tombstone(document_id=pipeline.id, owner="local", version=9, purged_at=pipeline.received.time))
    for trigger in ("ocr", "record"):
        pipeline.recorder.bury(trigger, letter.attributes(), letter.payload)
    pipeline.store.put(keys.tombstone(pipeline.id), b"{}", media_type="application/json")
    pipeline.recorder.bury("ocr", letter.attributes(), letter.payload)
    assert list(pipeline.store.list("dead-letters/")) == []
    assert (pipeline.count(DeadLetter), pipeline.count(ArchivedEvent), pipeline.count(Charge)) == (0, 0, 0)


def test_progress_of_batches_is_no_new_version(pipeline: Pipeline) -> None:
    pipeline.record(pipeline.received, pipeline.converted())
    before = pipeline.row().version
    data = PagesRecognized(
        document_id=pipeline.id,
        fingerprint="o1",
        input_fingerprint="c1",
        batch=PageRange(first=1, last=8),
        batches_done=1,
        batches=2,
    )
    pipeline.record(pipeline.event(data, "ocr", "1"))
    assert pipeline.row().version == before
