"""ingest: one version of an object becomes one document, whatever the number and order of its events."""

import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select

from functions.ingest.core import media_type
from functions.ingest.handler import Ingester
from functions.ingest.settings import IngestSettings
from shared.database.engine import reading, writing
from shared.database.tables import Document, DocumentTag, LedgerEntry, OutboxEvent
from shared.documents import Step
from shared.errors import InvalidEvent, Unavailable
from shared.events import Event, ObjectCreated, new_event
from shared.originals import provenance_of
from shared.step import Deadline, StepContext
from shared.storage import keys
from shared.storage.directory import DirectoryObjectStore
from shared.storage.port import ObjectInfo


class Inbox:
    """A directory with `incoming/`, and an ingester that looks at it."""

    def __init__(self, engine: Engine, root: Path) -> None:
        self.engine = engine
        self.root = root
        self.store = DirectoryObjectStore(root)
        self.ingester = Ingester(engine, self.store)

    def drop(self, name: str = "bill.txt", body: bytes = b"to pay") -> ObjectCreated:
        path = self.root / "incoming" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
        info = self.store.head(f"incoming/{name}")
        assert info is not None
        return ObjectCreated(bucket=self.store.bucket, key=info.key, size=info.size, etag=info.etag)

    def ingest(self, data: ObjectCreated) -> Event | None:
        event = new_event(data, source="/docuelevate/local", subject="incoming")
        context = StepContext(Step.INGEST, "1", event, self.store, Deadline.after(60))
        return self.ingester.ingest(context, data)

    def documents(self) -> list[Document]:
        with reading(self.engine) as session:
            return list(session.scalars(select(Document)))

    def count(self, table: type) -> int:
        with reading(self.engine) as session:
            return session.scalar(select(func.count()).select_from(table)) or 0


@pytest.fixture
def inbox(engine: Engine, tmp_path: Path) -> Inbox:
    return Inbox(engine, tmp_path / "objects")


def test_a_dropped_file_becomes_a_document_and_leaves_the_inbox(inbox: Inbox) -> None:
    reply = inbox.ingest(inbox.drop())
    [document] = inbox.documents()
    assert reply is not None
    assert (reply.subject, reply.runid) == (document.id, document.runid)
    assert (document.filename, document.media_type, document.size) == ("bill.txt", "text/plain", 6)
    assert inbox.store.get(keys.original(document.id)) == b"to pay"
    assert not (inbox.root / "incoming" / "bill.txt").exists()


def test_the_outbox_keeps_the_event_in_case_the_reply_is_lost(inbox: Inbox) -> None:
    reply = inbox.ingest(inbox.drop())
    with reading(inbox.engine) as session:
        [kept] = session.scalars(select(OutboxEvent))
    assert reply is not None
    assert kept.id == reply.id
    assert kept.not_before > kept.created_at


def test_a_duplicate_event_gets_the_same_answer(inbox: Inbox) -> None:
    data = inbox.drop()
    first, second = inbox.ingest(data), inbox.ingest(data)
    assert first == second
    assert len(inbox.documents()) == 1


def test_a_source_that_is_kept_is_not_ingested_again(inbox: Inbox) -> None:
    inbox.ingester = Ingester(inbox.engine, inbox.store, keep_incoming=True)
    data = inbox.drop()
    assert inbox.ingest(data) == inbox.ingest(data)
    assert (inbox.root / "incoming" / "bill.txt").exists()
    assert len(inbox.documents()) == 1


def test_equal_bytes_of_a_live_document_are_noted_as_a_duplicate(inbox: Inbox) -> None:
    inbox.ingest(inbox.drop("a.txt"))
    assert inbox.ingest(inbox.drop("b.txt")) is None
    [document] = inbox.documents()
    with reading(inbox.engine) as session:
        duplicates = list(session.scalars(select(LedgerEntry).where(LedgerEntry.state == "duplicate")))
    assert [entry.duplicate_of for entry in duplicates] == [document.id]
    assert list((inbox.root / "incoming").iterdir()) == []
    assert len([info for info in inbox.store.list("documents/") if info.key.endswith("original")]) == 1


def test_equal_bytes_of_a_trashed_document_are_a_new_one(inbox: Inbox) -> None:
    inbox.ingest(inbox.drop("a.txt"))
    with writing(inbox.engine) as session:
        document = session.scalars(select(Document)).one()
        document.trashed_at = document.received_at
    assert inbox.ingest(inbox.drop("b.txt")) is not None
    assert len(inbox.documents()) == 2


def test_a_new_version_under_the_same_key_is_another_document(inbox: Inbox) -> None:
    inbox.ingest(inbox.drop(body=b"one"))
    inbox.ingest(inbox.drop(body=b"two"))
    assert {document.size for document in inbox.documents()} == {3}
    assert len(inbox.documents()) == 2


def test_an_object_that_never_was_is_rejected_for_good(inbox: Inbox) -> None:
    data = ObjectCreated(bucket=inbox.store.bucket, key="incoming/ghost.pdf", etag="e")
    assert inbox.ingest(data) is None
    assert inbox.ingest(data) is None
    with reading(inbox.engine) as session:
        assert session.scalars(select(LedgerEntry.state)).all() == ["rejected"]


@pytest.mark.parametrize(
    ("bucket", "key"), [("other", "incoming/a"), ("docuelevate", "documents/x/original"), ("docuelevate", "a")]
)
def test_only_the_inbox_is_touched(inbox: Inbox, bucket: str, key: str) -> None:
    with pytest.raises(InvalidEvent):
        inbox.ingest(ObjectCreated(bucket=bucket, key=key))


def test_a_hostile_name_is_shown_plainly(inbox: Inbox) -> None:
    inbox.ingest(inbox.drop("a\x1b[31m\u202eb.txt"))
    assert inbox.documents()[0].filename == "a[31mb.txt"


class Crash(Exception):
    """The process dies here."""


class CrashingStore(DirectoryObjectStore):
    """Dies before or after the call that a test names."""

    def __init__(self, root: Path, method: str, *, after: bool) -> None:
        super().__init__(root)
        self.point = (method, after)

    def copy(self, source: ObjectInfo, target: str, **more: object):  # type: ignore[no-untyped-def, override]
        return self._maybe("copy", lambda: super(CrashingStore, self).copy(source, target, **more))  # type: ignore[arg-type]

    def delete_exact(self, info: ObjectInfo) -> bool:
        return bool(self._maybe("delete_exact", lambda: super(CrashingStore, self).delete_exact(info)))

    def _maybe(self, method: str, call):  # type: ignore[no-untyped-def]
        if self.point == (method, False):
            raise Crash
        result = call()
        if self.point == (method, True):
            raise Crash
        return result


@pytest.mark.parametrize("method", ["copy", "delete_exact"])
@pytest.mark.parametrize("after", [False, True])
def test_a_crash_anywhere_is_continued_by_the_next_delivery(inbox: Inbox, method: str, after: bool) -> None:
    data = inbox.drop()
    healthy = inbox.ingester
    inbox.ingester = Ingester(inbox.engine, CrashingStore(inbox.root, method, after=after))
    with pytest.raises(Crash):
        inbox.ingest(data)
    inbox.ingester = healthy
    reply = inbox.ingest(data)
    [document] = inbox.documents()
    assert reply is not None
    assert reply.subject == document.id
    assert not os.listdir(inbox.root / "incoming")


def test_a_database_that_is_away_loses_nothing(inbox: Inbox, tmp_path: Path) -> None:
    from shared.database.engine import open_database

    away = open_database(f"sqlite:///{tmp_path / 'missing' / 'db'}")
    data = inbox.drop()
    with pytest.raises(Unavailable):
        Ingester(away, inbox.store).ingest(
            StepContext(Step.INGEST, "1", new_event(data, source="/s", subject="x"), inbox.store, Deadline.after(60)),
            data,
        )
    assert (inbox.root / "incoming" / "bill.txt").exists()
    assert inbox.ingest(data) is not None


@pytest.mark.parametrize(
    ("told", "kept"),
    [("Text/CSV; charset=utf-8", "text/csv"), ("x/" + "y" * 300, "text/plain"), ("nonsense\n", "text/plain")],
)
def test_a_senders_media_type_is_kept_only_where_it_is_one(told: str, kept: str) -> None:
    now = datetime.now(UTC)
    info = ObjectInfo("incoming/a.txt", 1, "e", told, now, 0.0)
    assert media_type(info) == kept


def test_folders_say_what_is_wanted(inbox: Inbox) -> None:
    reply = inbox.ingest(inbox.drop("tag=invoices/tag=2024/language=deu/owner=anna/bill.txt"))
    [document] = inbox.documents()
    assert reply is not None
    assert (document.filename, document.owner, document.options["language"]) == ("bill.txt", "local", "deu")
    with reading(inbox.engine) as session:
        assert set(session.scalars(select(DocumentTag.tag))) == {"invoices", "2024"}
    assert [(tag["value"], tag["origin"], tag["locked"]) for tag in document.user_metadata["tags"]] == [
        ("invoices", "user", True),
        ("2024", "user", True),
    ]
    assert reply.payload["options"]["language"] == "deu"


def test_a_key_names_an_owner_only_where_that_is_allowed(inbox: Inbox) -> None:
    inbox.ingester = Ingester(inbox.engine, inbox.store, key_owners=True)
    inbox.ingest(inbox.drop("owner=anna/a.txt"))
    inbox.ingest(inbox.drop("b.txt", b"other"))
    assert {document.owner for document in inbox.documents()} == {"anna", "local"}


def test_an_original_that_sweep_would_adopt_knows_its_tags_and_its_owner(inbox: Inbox) -> None:
    """rules 1"""
    inbox.ingester = Ingester(inbox.engine, inbox.store, key_owners=True)
    inbox.ingest(inbox.drop("owner=anna/tag=a b/language=de/a.txt"))
    head = inbox.store.head(keys.original(inbox.documents()[0].id))
    assert head is not None
    told = provenance_of(head.metadata)
    assert told is not None
    assert (told.owner, told.tags, told.options.language) == ("anna", ("a b",), "de")


def test_a_file_that_is_too_large_stays_untouched_until_it_may_be_taken_in(inbox: Inbox) -> None:
    dropped = inbox.drop(body=b"too much")
    inbox.ingester = replace(inbox.ingester, max_size_bytes=7)
    assert inbox.ingest(dropped) is None and inbox.ingest(dropped) is None
    assert (inbox.count(Document), inbox.count(OutboxEvent)) == (0, 0)
    assert [info.key for info in inbox.store.list("")] == [dropped.key]
    with reading(inbox.engine) as session:
        [entry] = session.scalars(select(LedgerEntry))
    assert (entry.state, entry.reason) == ("refused", "It is larger than MAX_UPLOAD_SIZE allows.")
    inbox.ingester = replace(inbox.ingester, max_size_bytes=8)
    assert inbox.ingest(dropped) is not None
    assert inbox.count(Document) == 1


def test_what_was_taken_in_keeps_its_answer_under_a_smaller_limit(inbox: Inbox) -> None:
    inbox.ingester = replace(inbox.ingester, keep_incoming=True)
    dropped = inbox.drop()
    first = inbox.ingest(dropped)
    inbox.ingester = replace(inbox.ingester, max_size_bytes=1)
    assert first is not None and inbox.ingest(dropped) == first


@pytest.mark.parametrize(
    ("on", "auth", "counts"), [("true", "true", True), ("true", "false", False), ("false", "true", False)]
)
def test_owners_in_keys_need_people_who_sign_in(on: str, auth: str, counts: bool) -> None:
    settings = IngestSettings.model_validate({"s3_key_owners": on, "auth_enabled": auth})
    assert settings.key_owners is counts
