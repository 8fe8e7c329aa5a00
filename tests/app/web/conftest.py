"""The web application in this process, over a database and a directory of the test's own."""

import hashlib
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from starlette.testclient import TestClient

from shared.database.documents import Arrival, apply_metadata, register
from shared.database.engine import writing
from shared.database.tables import LOCAL_OWNER, Document, DocumentStep
from shared.documents import PIPELINE, DocumentText, ObjectReference, PageText, StepState, new_document_id
from shared.errors import Unavailable
from shared.events import DocumentConverted, DocumentRecognized, Event
from shared.metadata import Metadata, Value
from shared.search.port import SearchQuery, SearchReader, SearchResults
from shared.storage import keys
from shared.storage.directory import DirectoryObjectStore
from shared.storage.port import ObjectStore
from tests.servers.databases import new_sqlite
from web.app import create_app
from web.changes import ChangeFeed
from web.context import Context
from web.outbox import Relay
from web.settings import WebSettings
from web.unlocking import Unlocker

MakeContext = Callable[..., Context]


class RecordingPublisher:
    """Takes events, or refuses those that `refuses` names."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.refuses: Callable[[Event], bool] = lambda event: False

    def publish(self, event: Event) -> None:
        if self.refuses(event):
            raise Unavailable("the broker does not answer")
        self.events.append(event)


class ScriptedSearch:
    """Answers every question with `results`, or fails while it is None; keeps the questions."""

    generation = "scripted"

    def __init__(self, results: SearchResults | None = None) -> None:
        self.results = results
        self.queries: list[SearchQuery] = []

    def search(self, query: SearchQuery) -> SearchResults:
        self.queries.append(query)
        if self.results is None:
            raise Unavailable("the search index does not answer")
        return self.results

    def version_of(self, document_id: str) -> int | None:
        return None

    def ids(self) -> Iterator[str]:
        return iter(())


@dataclass
class Library:
    """Makes documents as the functions would have left them."""

    engine: Engine
    store: ObjectStore

    def received(self, filename: str = "letter.txt", body: bytes | None = None, owner: str = LOCAL_OWNER) -> str:
        """A document whose run has just begun."""
        document_id = new_document_id()
        body = filename.encode() if body is None else body
        original = self.store.put(keys.original(document_id), body, media_type="text/plain")
        arrival = Arrival(document_id, str(uuid.uuid4()), original, filename, "api", owner=owner)
        with writing(self.engine) as session:
            assert register(session, arrival, source="/docuelevate/web").event is not None
        return document_id

    def ready(self, filename: str = "letter.txt", text: str = "Hello", metadata: Metadata | None = None) -> str:
        """A document that has passed all steps."""
        document_id = self.received(filename)
        converted = self._converted(document_id)
        recognized = self._recognized(document_id, text)
        self.store.put(keys.derived(document_id, "thumbnail.webp"), b"RIFF-webp", media_type="image/webp")
        self.change(
            document_id,
            converted=converted.model_dump(mode="json"),
            recognized=recognized.model_dump(mode="json"),
            pages=1,
            status="ready",
            machine_metadata=(metadata or Metadata()).model_dump(mode="json"),
        )
        with writing(self.engine) as session:
            document = session.get_one(Document, document_id)
            for step in PIPELINE:
                session.get_one(DocumentStep, (document_id, document.runid, step.value)).state = StepState.DONE
            apply_metadata(session, document)
        return document_id

    def change(self, document_id: str, **values: Any) -> None:
        """Set columns of the row, as another process would."""
        with writing(self.engine) as session:
            document = session.get_one(Document, document_id)
            for name, value in values.items():
                setattr(document, name, value)

    def received_at(self, document_id: str, moment: datetime) -> None:
        self.change(document_id, received_at=moment)

    def _object(self, document_id: str, name: str, body: bytes, media_type: str) -> ObjectReference:
        return self.store.put(keys.document_prefix(document_id) + name, body, media_type=media_type)

    def _converted(self, document_id: str) -> DocumentConverted:
        with writing(self.engine) as session:
            sha256 = session.get_one(Document, document_id).sha256
        pdf = self._object(document_id, "convert/c/1/document.pdf", b"%PDF-converted", "application/pdf")
        return DocumentConverted(
            document_id=document_id, fingerprint="c", input_fingerprint=sha256, pdf=pdf, pages=1, converter="text"
        )

    def _recognized(self, document_id: str, text: str) -> DocumentRecognized:
        pages = (PageText(number=1, width=595, height=842, source="digital", text=text),)
        content = DocumentText(pages=pages).model_dump_json().encode()
        return DocumentRecognized(
            document_id=document_id,
            fingerprint="r",
            input_fingerprint="c",
            text=self._object(document_id, "ocr/r/1/text.json", content, "application/json"),
            searchable_pdf=self._object(document_id, "ocr/r/1/searchable.pdf", b"%PDF-searchable", "application/pdf"),
            pages=1,
            ocr_pages=0,
        )


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Engine]:
    """SQLite; modules that try both kinds of database override this with `engine`."""
    opened = new_sqlite(tmp_path / "docuelevate.db")
    yield opened
    opened.dispose()


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return DirectoryObjectStore(tmp_path / "objects")


@pytest.fixture
def publisher() -> RecordingPublisher:
    return RecordingPublisher()


@pytest.fixture
def library(database: Engine, store: ObjectStore) -> Library:
    return Library(database, store)


@pytest.fixture
def make_context(database: Engine, store: ObjectStore) -> MakeContext:
    """A context with settings of the test's choice; without a publisher, events stay in the outbox."""

    def make(
        publisher: RecordingPublisher | None = None, search: SearchReader | None = None, **settings: object
    ) -> Context:
        return Context(
            settings=WebSettings.model_validate(settings),
            engine=database,
            store=store,
            search=search,
            relay=Relay(database, publisher, poll_seconds=0.05),
            changes=ChangeFeed(database, poll_seconds=0.05),
            unlocker=Unlocker(None),
        )

    return make


@pytest.fixture
def make_client(make_context: MakeContext) -> Callable[..., TestClient]:
    """A client of an application with such a context; a bug comes back as the 500 that people would get."""

    def make(**context: object) -> TestClient:
        app = create_app(make_context(**context))
        return TestClient(app, base_url="http://localhost:8000", raise_server_exceptions=False)

    return make


@pytest.fixture
def client(make_client: Callable[..., TestClient]) -> Iterator[TestClient]:
    with make_client() as client:
        yield client


def digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def read_value(value: str) -> Value[str]:
    """A value as the built-in rules give it."""
    return Value[str](value=value, origin="rule", confidence=0.9)
