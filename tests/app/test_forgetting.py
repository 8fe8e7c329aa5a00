"""What is left of a dropped file once its document is purged: that it was there, and nothing that tells what it was."""

from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from functions.ingest.handler import Ingester
from functions.record.handler import Recorder
from shared.database.engine import reading
from shared.database.tables import ArchivedEvent, Document, LedgerEntry, OutboxEvent, Table
from shared.documents import Step
from shared.events import Event, ObjectCreated, new_event
from shared.step import Deadline, StepContext
from shared.storage.directory import DirectoryObjectStore
from web.writes import purge

NAME = "Kündigung von Herrn Geheim.txt"


class Inbox:
    """Drops files; `kept` leaves them where they were dropped."""

    def __init__(self, engine: Engine, root: Path, *, kept: bool) -> None:
        self.engine, self.root, self.store = engine, root, DirectoryObjectStore(root)
        self.ingester = Ingester(engine, self.store, keep_incoming=kept)

    def drop(self, name: str) -> Event:
        path = self.root / "incoming" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"to be forgotten")
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
