"""What is left of a dropped file once its document is purged: that it was there, and nothing that tells what it was."""

from pathlib import Path

import pytest
from sqlalchemy import Engine, delete, select, update

from functions.ingest.handler import Ingester
from functions.record.handler import Recorder
from shared.database.engine import open_database, reading, writing
from shared.database.schema import migrate
from shared.database.tables import ArchivedEvent, DeadLetter, Document, LedgerEntry, OutboxEvent, Table
from shared.documents import Step
from shared.events import Event, ObjectCreated, from_json, new_event
from shared.step import Deadline, StepContext
from shared.storage.directory import DirectoryObjectStore
from web.writes import purge

NAME = "Kündigung von Herrn Geheim.txt"


class Inbox:
    """Drops files; `kept` leaves them where they were dropped."""

    def __init__(self, engine: Engine, root: Path, *, kept: bool) -> None:
        self.engine, self.root, self.store = engine, root, DirectoryObjectStore(root)
        self.ingester = Ingester(engine, self.store, keep_incoming=kept)

    def drop(self, name: str, body: bytes = b"to be forgotten") -> Event:
        path = self.root / "incoming" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
        info = self.store.head(f"incoming/{name}")
        assert info is not None
        data = ObjectCreated(bucket=self.store.bucket, key=info.key, size=info.size, etag=info.etag)
        return new_event(data, source="/docuelevate/local", subject=f"incoming/{name}")

    def ingest(self, event: Event) -> Event | None:
        Recorder(self.engine, self.store).record(event)
        context = StepContext(Step.INGEST, "1", event, self.store, Deadline.after(60))
        return self.ingester.ingest(context, event.data())

    def everything(self) -> str:
        """All rows of all tables and all keys, as text."""
        with reading(self.engine) as session:
            rows = [str(row) for table in Table.metadata.sorted_tables for row in session.execute(select(table))]
        return "\n".join([*rows, *(info.key for info in self.store.list(""))])

    def documents(self) -> list[str]:
        with reading(self.engine) as session:
            return list(session.scalars(select(Document.id)))


@pytest.mark.parametrize("kept", [False, True], ids=["taken", "kept"])
def test_neither_name_nor_content_of_a_purged_dropped_file_is_left(engine: Engine, tmp_path: Path, kept: bool) -> None:
    """Rules 23: ledger, outbox, archive and the folder itself; also of a second file with the same content."""
    inbox = Inbox(engine, tmp_path / "objects", kept=kept)
    first, second = inbox.drop(NAME), inbox.drop(f"Kopie {NAME}")
    assert inbox.ingest(first) is not None
    assert inbox.ingest(second) is None
    [document_id] = inbox.documents()
    assert "Geheim" in inbox.everything()
    for _ in range(2):
        purge(engine, inbox.store, "local", document_id)
        assert "Geheim" not in inbox.everything()


def test_a_late_event_of_a_purged_dropped_file_brings_nothing_back(engine: Engine, tmp_path: Path) -> None:
    inbox = Inbox(engine, tmp_path / "objects", kept=False)
    event = inbox.drop(NAME)
    assert inbox.ingest(event) is not None
    purge(engine, inbox.store, "local", inbox.documents()[0])
    assert inbox.ingest(event) is None
    assert inbox.documents() == []
    assert "Geheim" not in inbox.everything()
    with reading(engine) as session:
        assert len(session.scalars(select(LedgerEntry)).all()) == 1
        assert [row.subject for row in session.scalars(select(ArchivedEvent)) if "object" in row.type] == [""]
        assert all("received" not in row.body for row in session.scalars(select(OutboxEvent)))


def test_another_event_about_a_purged_dropped_file_is_kept_without_its_name(engine: Engine, tmp_path: Path) -> None:
    """Rules 23: a notification that comes late, or a listing that saw the file before, has an id of its own."""
    inbox = Inbox(engine, tmp_path / "objects", kept=False)
    event = inbox.drop(NAME)
    assert inbox.ingest(event) is not None
    purge(engine, inbox.store, "local", inbox.documents()[0])
    late = event.model_copy(update={"id": "another", "source": "/docuelevate/sweep"})
    recorder = Recorder(engine, inbox.store)
    for _ in range(2):
        assert recorder.record(late) is None
    assert "Geheim" not in inbox.everything()
    with reading(engine) as session:
        assert session.scalars(select(ArchivedEvent.subject).where(ArchivedEvent.id == "another")).all() == [""]


def test_nothing_of_a_purged_document_is_left_in_the_bytes_of_a_database_file(tmp_path: Path) -> None:
    """Deleted rows would stay readable in free pages."""
    file = tmp_path / "docuelevate.db"
    database = open_database(f"sqlite:///{file}")
    migrate(database)
    inbox = Inbox(database, tmp_path / "objects", kept=False)
    name = f"{'x' * 100} Geheim.txt"
    received = inbox.ingest(inbox.drop(name))
    assert received is not None
    Recorder(database, inbox.store).record(received)
    purge(database, inbox.store, "local", inbox.documents()[0])
    database.dispose()
    assert all(b"Geheim" not in each.read_bytes() for each in tmp_path.glob("docuelevate.db*"))


@pytest.mark.parametrize("trigger", ["ingest", "record"])
def test_a_dead_letter_of_a_purged_dropped_file_goes_with_it(engine: Engine, tmp_path: Path, trigger: str) -> None:
    """Rules 23: it names no document, but the ledger does; also where the archive no longer has its event."""
    inbox = Inbox(engine, tmp_path / "objects", kept=False)
    event = inbox.drop(NAME)
    letters = Recorder(engine, inbox.store)
    other = inbox.drop("another.txt")
    assert inbox.ingest(event) is not None and inbox.ingest(other) is None, "of the same content"
    for each in (event, other):
        letters.bury(trigger, each.attributes() | {"knativeerrorcode": "500"}, each.payload)
    with writing(engine) as session:
        session.execute(delete(ArchivedEvent).where(ArchivedEvent.id == event.id))
    purge(engine, inbox.store, "local", inbox.documents()[0])
    assert "Geheim" not in inbox.everything() and list(inbox.store.list("dead-letters/")) == []
    with reading(engine) as session:
        assert set(session.scalars(select(DeadLetter.state))) == {"purged"}


def test_a_dead_letter_that_comes_after_the_purge_is_not_kept(engine: Engine, tmp_path: Path) -> None:
    inbox = Inbox(engine, tmp_path / "objects", kept=False)
    event = inbox.drop(NAME)
    assert inbox.ingest(event) is not None
    purge(engine, inbox.store, "local", inbox.documents()[0])
    Recorder(engine, inbox.store).bury("ingest", event.attributes(), event.payload)
    assert "Geheim" not in inbox.everything() and list(inbox.store.list("dead-letters/")) == []


def test_letters_and_events_of_a_later_file_of_the_same_name_stay(engine: Engine, tmp_path: Path) -> None:
    inbox = Inbox(engine, tmp_path / "objects", kept=False)
    assert inbox.ingest(inbox.drop(NAME)) is not None
    [first] = inbox.documents()
    later = inbox.drop(NAME, b"another letter")
    assert inbox.ingest(later) is not None
    recorder = Recorder(engine, inbox.store)
    recorder.bury("ingest", later.attributes(), later.payload)
    purge(engine, inbox.store, "local", first)
    with reading(engine) as session:
        assert session.scalars(select(DeadLetter.state)).all() == ["open"]
        subject = session.scalars(select(ArchivedEvent.subject).where(ArchivedEvent.id == later.id)).one()
    assert subject == later.subject and len(list(inbox.store.list("dead-letters/"))) == 1


def test_an_archived_event_that_cannot_be_read_is_forgotten_all_the_same(engine: Engine, tmp_path: Path) -> None:
    inbox = Inbox(engine, tmp_path / "objects", kept=False)
    event = inbox.ingest(inbox.drop(NAME))
    assert event is not None
    Recorder(engine, inbox.store).record(event)
    with writing(engine) as session:
        session.execute(update(ArchivedEvent).values(body="{Geheim"))
    purge(engine, inbox.store, "local", inbox.documents()[0])
    assert "Geheim" not in inbox.everything()
    with reading(engine) as session:
        assert all(from_json(body).payload["purged"] for body in session.scalars(select(ArchivedEvent.body)))


def test_a_later_file_of_the_same_name_is_archived_whole(engine: Engine, tmp_path: Path) -> None:
    inbox = Inbox(engine, tmp_path / "objects", kept=False)
    assert inbox.ingest(inbox.drop(NAME)) is not None
    purge(engine, inbox.store, "local", inbox.documents()[0])
    (inbox.root / "incoming" / NAME).parent.mkdir(parents=True, exist_ok=True)
    (inbox.root / "incoming" / NAME).write_bytes(b"another letter")
    info = inbox.store.head(f"incoming/{NAME}")
    assert info is not None
    data = ObjectCreated(bucket=inbox.store.bucket, key=info.key, size=info.size, etag=info.etag)
    again = new_event(data, source="/docuelevate/local", subject=info.key)
    Recorder(engine, inbox.store).record(again)
    assert "Geheim" in inbox.everything()
