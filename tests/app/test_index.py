"""index: the entry follows the row, and no order of wake-ups can age or resurrect it."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine

from functions.index.handler import Indexer
from shared.database.documents import Arrival, register, touch
from shared.database.engine import reading, writing
from shared.database.tables import Document, Tombstone
from shared.documents import DocumentText, PageText, Step, new_document_id
from shared.events import DocumentIndexed, DocumentPurged, DocumentUpdated, Event, EventData, RunOptions, new_event
from shared.search.meilisearch_client import MeilisearchClient
from shared.search.meilisearch_index import MeilisearchSearchIndex
from shared.search.port import SearchEntry, SearchQuery
from shared.search.tantivy_index import TantivySearchIndex
from shared.step import Deadline, StepContext
from shared.storage import keys
from shared.storage.directory import DirectoryObjectStore
from tests.servers.meilisearch import WRITE_KEY, meilisearch


class Library:
    """One document, an index, and the step between them."""

    def __init__(self, engine: Engine, root: Path) -> None:
        self.engine = engine
        self.store = DirectoryObjectStore(root)
        self.search = TantivySearchIndex(root / "search")
        self.search.prepare()
        self.indexer = Indexer(engine, self.store, self.search, "embedded")
        self.id = new_document_id()
        original = self.store.put(keys.original(self.id), b"x", media_type="text/plain")
        with writing(engine) as session:
            register(session, Arrival(self.id, "run", original, "harbour.txt", "api"), source="/docuelevate/web")

    def recognize(self, *pages: str) -> None:
        text = DocumentText(
            pages=tuple(PageText(number=n, width=1, height=1, source="ocr", text=t) for n, t in enumerate(pages, 1))
        )
        key = keys.document_prefix(self.id) + f"ocr/{len(pages)}/text.json"
        reference = self.store.put(key, text.model_dump_json().encode(), media_type="application/json")
        with writing(self.engine) as session:
            row = session.get_one(Document, self.id)
            row.recognized = {"text": reference.model_dump(mode="json")}
            touch(row, content=True)

    def wake(self, data: EventData | None = None) -> Event | None:
        data = data or DocumentUpdated(document_id=self.id, version=1)
        event = new_event(data, source="/docuelevate/functions/record", runid="run")
        return self.indexer.index(StepContext(Step.INDEX, "1", event, self.store, Deadline.after(30)), data)

    def version(self) -> int:
        with reading(self.engine) as session:
            return session.get_one(Document, self.id).version

    def found(self, words: str) -> list[str]:
        return [hit.document_id for hit in self.search.search(SearchQuery(text=words)).hits]


@pytest.fixture
def library(engine: Engine, tmp_path: Path) -> Library:
    return Library(engine, tmp_path / "objects")


def test_a_document_is_found_by_its_name_before_its_text_is_known(library: Library) -> None:
    library.wake()
    assert library.found("harbour") == [library.id]


def test_a_wake_up_brings_the_present_text_in_with_its_pages(library: Library) -> None:
    library.recognize("first page", "the lighthouse keeper")
    reply = library.wake()
    [hit] = library.search.search(SearchQuery(text="lighthouse")).hits
    assert hit.pages == (2,)
    assert reply is not None
    assert reply.type == DocumentIndexed.type
    assert reply.payload["version"] == library.version()
    assert reply.payload["generation"] == library.search.generation


def test_a_duplicate_wake_up_is_answered_alike(library: Library) -> None:
    first, second = library.wake(), library.wake()
    assert first is not None
    assert second is not None
    assert first.id == second.id


def test_a_trashed_document_leaves_the_index_and_late_wake_ups_keep_it_out(library: Library) -> None:
    library.wake()
    with writing(library.engine) as session:
        row = session.get_one(Document, library.id)
        row.trashed_at = row.received_at
        touch(row, content=True)
    library.wake()
    library.wake()
    assert library.found("harbour") == []


def test_a_purged_document_leaves_the_index(library: Library) -> None:
    library.wake()
    with writing(library.engine) as session:
        row = session.get_one(Document, library.id)
        session.add(Tombstone(document_id=row.id, owner=row.owner, version=row.version + 1, purged_at=row.received_at))
        session.delete(row)
    reply = library.wake(DocumentPurged(document_id=library.id, version=2))
    assert library.found("harbour") == []
    assert reply is not None
    assert reply.payload["version"] == 2


def test_a_document_that_never_was_needs_nothing(library: Library) -> None:
    assert library.wake(DocumentUpdated(document_id=new_document_id(), version=1)) is None


def test_a_row_that_moves_while_it_is_indexed_is_indexed_again(library: Library) -> None:
    library.recognize("first")

    class Moving(TantivySearchIndex):
        def write(self, entry):  # type: ignore[no-untyped-def]
            super().write(entry)
            if len(entry.pages) == 1:
                library.recognize("first", "second thoughts")

    library.search.close()
    moving = Moving(library.store._root / "search")
    library.indexer = Indexer(library.engine, library.store, moving, "embedded")
    reply = library.wake()
    moving.close()
    assert reply is not None
    assert reply.payload["version"] == library.version()
    assert library.found("thoughts") == [library.id]


def test_a_forced_wake_up_writes_the_entry_again_although_it_stands(library: Library) -> None:
    library.wake()
    library.search.write(library_entry(library.id, version=library.version()))
    library.wake()
    assert library.found("harbour") == []
    forced = DocumentUpdated(document_id=library.id, version=1, options=RunOptions(force="index"))
    reply = library.wake(forced)
    assert library.found("harbour") == [library.id]
    assert reply is not None
    assert reply.payload["version"] == library.version()


@pytest.mark.parametrize("name", ["meta.json", "generation"])
def test_a_damaged_index_is_begun_anew_by_the_next_wake_up(library: Library, tmp_path: Path, name: str) -> None:
    library.wake()
    former = library.search.generation
    library.search.close()
    [file] = (tmp_path / "objects" / "search").glob(f"[0-9]*/{name}")
    file.unlink()
    library.indexer = Indexer(library.engine, library.store, TantivySearchIndex(file.parents[1]), "embedded")
    reply = library.wake()
    assert reply is not None
    assert reply.payload["generation"] != former
    assert library.found("harbour") == [library.id]


def test_a_lost_index_is_begun_anew_even_when_the_document_is_in_the_trash(library: Library, tmp_path: Path) -> None:
    library.wake()
    shutil.rmtree(tmp_path / "objects" / "search")
    with writing(library.engine) as session:
        row = session.get_one(Document, library.id)
        row.trashed_at = row.received_at
        touch(row, content=True)
    reply = library.wake()
    assert reply is not None
    assert list(library.search.ids()) == []


def library_entry(document_id: str, version: int) -> SearchEntry:
    return SearchEntry(document_id=document_id, version=version, received_at=datetime.now(UTC), title="wrong")


def test_an_index_that_a_search_server_lost_is_begun_anew(library: Library) -> None:
    library.recognize("the lighthouse keeper")
    with meilisearch() as server:
        search = MeilisearchSearchIndex(MeilisearchClient(server.url, WRITE_KEY))
        search.prepare()
        library.indexer = Indexer(library.engine, library.store, search, "meilisearch")
        before = library.wake()
        server.indexes.clear()
        after = library.wake()
        assert before is not None and after is not None and before.id != after.id
        assert [hit.document_id for hit in search.search(SearchQuery(text="lighthouse")).hits] == [library.id]
