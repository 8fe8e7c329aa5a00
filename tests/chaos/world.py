"""The whole pipeline in one process on real ports: object store, database, search index; web's own code; the six steps.

Everything that outlives a process lies below one directory (or on the servers that `Backends` names), so that a new
`World` on the same directory is what a restart is. Only the engines are doubles (`papers`), and the broker is a queue
that passes one delivery at a time (`bus`).
"""

import asyncio
import hashlib
import json
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
from sqlalchemy import Engine, select
from starlette.requests import Request
from starlette.responses import Response

from functions.convert.core import ConversionLimits
from functions.convert.handler import Converting, PdfMaker
from functions.enrich.handler import Enricher
from functions.enrich.rule_extractor import RuleMetadataExtractor
from functions.index.handler import Indexer
from functions.ingest.handler import Ingester
from functions.ocr.engine import OcrEngine
from functions.ocr.handler import PdfTools, Recognizer
from functions.record.handler import Recorder
from local.broker.message import Headers
from local.broker.rules import Answer
from local.manifests import Destination, Wiring, read_wiring
from shared.database.engine import open_database, reading, writing
from shared.database.schema import migrate
from shared.database.tables import OutboxEvent, Replay
from shared.documents import ObjectReference, Step
from shared.errors import Unavailable
from shared.events import (
    DocumentConverted,
    DocumentDeleted,
    DocumentEnriched,
    DocumentIndexed,
    DocumentPurged,
    DocumentReceived,
    DocumentRecognized,
    DocumentRestored,
    DocumentUpdated,
    ObjectCreated,
    PagesRecognized,
    PagesRequested,
    decode_attributes,
    new_event,
)
from shared.publisher import EventPublisher
from shared.search.port import SearchIndex
from shared.search.tantivy_index import TantivySearchIndex
from shared.step import Endpoint, Handler, answer, read_body, step
from shared.storage.directory import DirectoryObjectStore
from shared.storage.port import ObjectStore
from tests.chaos.bus import Bus, Delivery
from tests.chaos.calls import Calls
from tests.chaos.counted import CountedPublisher, CountedSearch, CountedStore, count_database_calls
from tests.chaos.invariants import SETTLED, Accepted, Check, Estate, State, Told, state, violations
from tests.chaos.papers import CountedExtractor, PaperEngine, PaperMaker, PaperTools
from tests.servers.databases import new_sqlite
from web.app import create_app
from web.changes import ChangeFeed
from web.context import Context
from web.outbox import Relay
from web.settings import WebSettings
from web.sweep import Sweep
from web.unlocking import Unlocker, WrongPassword

KNATIVE = Path(__file__).parents[2] / "knative"
BATCH_PAGES = 8
MOST_ROUNDS = 2000
"""More deliveries than any scenario needs; a pipeline that goes round in circles is told apart by it."""


@lru_cache
def _wiring() -> Wiring:
    return read_wiring(KNATIVE)


@dataclass(frozen=True)
class Backends:
    """Where state lies that is not in the directory: a PostgreSQL database, a bucket."""

    database_url: str | None = None
    open_store: Callable[[], ObjectStore] | None = None


class World:
    """One process. Every `make_…` method is a seam: what is put in there is what the process works with."""

    def __init__(self, root: Path, *, calls: Calls | None = None, backends: Backends | None = None) -> None:
        self.root = root
        self.calls = calls or Calls()
        self.backends = backends or Backends()
        self.data, self.scratch = root / "data", root / "scratch"
        for directory in (self.data, self.scratch):
            directory.mkdir(parents=True, exist_ok=True)
        tempfile.tempdir = str(self.scratch)
        self.wiring = _wiring()
        self.bus = self.make_bus()
        self.engine = self._database()
        self._stop_counting = count_database_calls(self.engine, self.calls)
        self.store: ObjectStore = CountedStore(self.make_store(), self.calls, self.bus.passed_since)
        self.search = self.make_search()
        self.publisher: EventPublisher = CountedPublisher(self.bus, self.calls)
        self.maker, self.tools, self.ocr_engine = self.make_maker(), self.make_tools(), self.make_ocr_engine()
        self.converting = self.make_converting()
        self.functions = self._functions()
        self.relay = self.make_relay()
        self.app = create_app(self._context())

    # Seams

    def make_bus(self) -> Bus:
        """Where events go, and the world's clock."""
        return Bus(self.root / "bus.json", self.wiring)

    def make_store(self) -> ObjectStore:
        """The object store of this process."""
        opened = self.backends.open_store
        return opened() if opened else DirectoryObjectStore(self.data / "objects")

    def make_search(self) -> SearchIndex:
        """The search index, of which this process is the one writer."""
        index = TantivySearchIndex(self.data / "search")
        index.prepare()
        return CountedSearch(index, self.calls)

    def make_maker(self) -> PdfMaker:
        """What turns originals into PDFs."""
        return PaperMaker(self.calls, self.write_down)

    def make_tools(self) -> PdfTools:
        """What looks into PDFs and writes searchable ones."""
        return PaperTools(self.calls)

    def make_ocr_engine(self) -> OcrEngine:
        """What reads scanned pages."""
        return PaperEngine(self.calls, self.write_down)

    def make_converting(self) -> Converting:
        """convert."""
        limits = ConversionLimits()
        return Converting(self.store, self.maker, limits, engines=lambda: "paper", timeout_seconds=60)

    def make_convert(self) -> Handler:
        """What answers `document.received`."""
        return self.converting.convert

    def make_recognizer(self) -> Recognizer:
        """ocr."""
        return Recognizer(self.store, self.tools, self.ocr_engine, self.publisher, BATCH_PAGES)

    def make_enricher(self) -> Enricher:
        """enrich."""
        return Enricher(self.store, CountedExtractor(RuleMetadataExtractor(), self.calls, self.write_down))

    def make_ingester(self) -> Ingester:
        """ingest."""
        return Ingester(self.engine, self.store, channel="folder")

    def make_recorder(self) -> Recorder:
        """record."""
        return Recorder(self.engine, self.store)

    def make_indexer(self) -> Indexer:
        """index."""
        return Indexer(self.engine, self.store, self.search, "embedded")

    def make_relay(self) -> Relay:
        """web's outbox relay."""
        return Relay(self.engine, self.publisher)

    def make_sweep(self) -> Sweep:
        """web's sweep."""
        return Sweep(self.engine, self.store, self.publisher, generation=lambda: self.search.generation)

    # What people and clients do

    def http(self, method: str, path: str, **request: Any) -> httpx.Response:
        """One request to web."""

        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(app=self.app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost:8000") as client:
                return await client.request(method, path, **request)

        return asyncio.run(ask())

    def upload(self, filename: str, body: bytes, *, key: str | None = None, **fields: str) -> str:
        """Upload a file, again with the same key while the server says that it may pass; the document's id."""
        headers = {"Idempotency-Key": key or f"key of {filename}"}
        files = {"file": (filename, body, "application/octet-stream")}
        for _ in range(5):
            told = self.http("POST", "/api/documents", files=files, data=fields, headers=headers)
            if told.status_code < 500:
                break
        assert told.status_code in (200, 202), told.text
        (document,) = told.json()["documents"]
        found: str = document["id"]
        with self._told() as known:
            known["accepted"].append([hashlib.sha256(body).hexdigest(), filename, found])
            if fields.get("force"):
                known["forced"].append(found)
        return found

    def insist(self, method: str, path: str, **request: Any) -> httpx.Response:
        """A request that the client sends again while the server says that it may pass."""
        for _ in range(5):
            told = self.http(method, path, **request)
            if told.status_code < 500:
                return told
        return told

    def purge(self, document_id: str) -> None:
        """Trash a document and remove it for good."""
        told = self.insist("DELETE", f"/api/documents/{document_id}", params={"purge": "true"})
        assert told.status_code == 204, told.text
        with self._told() as known:
            known["purged"].append(document_id)

    def drop(self, name: str, body: bytes) -> None:
        """Put a file into the watched folder."""
        self.data.joinpath("objects", "incoming", name).write_bytes(body)
        with self._told() as known:
            known["accepted"].append([hashlib.sha256(body).hexdigest(), name, None])

    def announce(self, name: str) -> None:
        """What the watched folder does once a file is quiet."""
        key = f"incoming/{name}"
        info = self.store.head(key)
        if info is not None:
            created = ObjectCreated(bucket=self.store.bucket, key=key, size=info.size, etag=info.etag)
            self.bus.publish(new_event(created, source="/docuelevate/local", subject=quote(key)))

    # What time and the broker do

    def settle(self, until: Callable[[Delivery], bool] = lambda delivery: False) -> None:
        """Relay and deliver until nothing is left to do; deliveries that `until` names are left where they are."""
        for _ in range(MOST_ROUNDS):
            self.relay.send_due()
            ready = [each for each in self.bus.waiting() if not until(each)]
            if ready and ready[0].due <= self.bus.clock:
                self.deliver(ready[0])
                continue
            pauses = [each.due - self.bus.clock for each in ready] + list(self._outbox_pauses())
            if not pauses:
                return
            self.pass_time(max(min(pauses), 0.001))
        raise AssertionError(f"no end after {MOST_ROUNDS} rounds; waiting: {self.bus.waiting()[:3]}")

    def settle_without(self, *triggers: str) -> None:
        """Settle, but leave what is for these triggers undelivered."""
        self.settle(until=lambda delivery: delivery.trigger in triggers)

    def deliver(self, delivery: Delivery) -> Answer | None:
        """One attempt to deliver."""
        return self.bus.deliver(delivery, self.post)

    def deliver_next(self, trigger: str) -> Answer | None:
        """One attempt to deliver what waits longest for a trigger."""
        return self.deliver(self.bus.waiting(trigger)[0])

    def sweep(self, hours: float = 1.0) -> None:
        """Let time pass, then sweep once."""
        self.pass_time(hours * 3600)
        self.make_sweep().run(self.now())

    def finish_replays(self) -> None:
        """Advance what operators have begun until it has ended; a claim that a dead process held runs out meanwhile."""
        replays = self.app.state.context.replays
        for _ in range(MOST_ROUNDS):
            with reading(self.engine) as session:
                running = session.query(Replay).filter(Replay.state == "running").count()
            if not running:
                return
            pause = replays.advance()
            if pause >= 1:
                self.pass_time(pause * 20)
            else:
                time.sleep(min(pause, 0.01))
        raise AssertionError("a replay does not end")

    def now(self) -> datetime:
        """The time in this world."""
        return datetime.now(UTC) + timedelta(seconds=self.bus.clock)

    def pass_time(self, seconds: float) -> None:
        """Move the world's clock on: leases age, claims run out, and what waits in the outbox falls due."""
        self.bus.pass_time(seconds)
        with writing(self.engine) as session:
            for row in session.scalars(select(OutboxEvent)):
                row.not_before -= timedelta(seconds=seconds)
            for replay in session.scalars(select(Replay).where(Replay.claimed_until.is_not(None))):
                assert replay.claimed_until is not None
                replay.claimed_until -= timedelta(seconds=seconds)

    def post(self, destination: Destination, headers: Headers, body: bytes) -> Answer | None:
        """Hand a request to a function, as an HTTP server does."""
        response = _ask(self.functions[destination.service], destination.path, headers, body)
        return Answer(response.status_code, list(response.raw_headers), bytes(response.body))

    # What is checked

    @property
    def estate(self) -> Estate:
        """Everything that is kept, for checking; nothing of this is counted."""
        return Estate(self.engine, self.store, self.search)

    @property
    def told(self) -> Told:
        """What the outside world knows."""
        known = self._known()
        accepted = [Accepted(sha256, filename, document_id) for sha256, filename, document_id in known["accepted"]]
        return Told(
            accepted=accepted,
            purged=set(known["purged"]),
            forced=set(known["forced"]),
            journal=self.journal(),
            waiting=len(self.bus.deliveries),
        )

    def violations(self, checks: Mapping[str, Check] = SETTLED, *, most_per_page: int = 1) -> list[str]:
        """What is wrong with this world."""
        told = self.told
        told.most_per_page = most_per_page
        return violations(self.estate, told, checks)

    def state(self) -> State:
        """All that people can see."""
        return state(self.estate)

    def write_down(self, line: str) -> None:
        """Note what was paid for."""
        with (self.root / "journal").open("a") as file:
            file.write(line + "\n")

    def journal(self) -> list[str]:
        """What was paid for, by any process of this world."""
        with suppress(FileNotFoundError):
            return (self.root / "journal").read_text().splitlines()
        return []

    def close(self) -> None:
        """End this process in good order."""
        tempfile.tempdir = None
        self._stop_counting()
        self.search.close()
        self.engine.dispose()

    def _database(self) -> Engine:
        if url := self.backends.database_url:
            engine = open_database(url)
            migrate(engine)
            return engine
        path = self.data / "docuelevate.db"
        return open_database(f"sqlite:///{path}") if path.exists() else new_sqlite(path)

    def _outbox_pauses(self) -> Iterator[float]:
        """Until the first event of each document may go; it holds the others of that document back."""
        first: dict[str | None, OutboxEvent] = {}
        with reading(self.engine) as session:
            for row in session.scalars(select(OutboxEvent).order_by(OutboxEvent.number)):
                first.setdefault(row.document_id, row)
        yield from ((row.not_before - datetime.now(UTC)).total_seconds() for row in first.values())

    def _functions(self) -> Mapping[str, Endpoint]:
        """The six functions, wired as their `main.py` does."""
        recorder = self.make_recorder()

        async def dead_letter(request: Request) -> Response:
            attributes, data = decode_attributes(request.headers, await read_body(request))
            trigger = request.url.path.rpartition("/")[2]
            await asyncio.to_thread(recorder.bury, trigger, attributes, data)
            return Response(status_code=202)

        async def record(request: Request) -> Response:
            return await answer(request, recorder.record, {"/dead-letters/*": dead_letter})

        wakes = (DocumentUpdated, DocumentDeleted, DocumentRestored, DocumentPurged)
        return {
            "record": record,
            "ingest": self._step(Step.INGEST, self.make_ingester().ingest, (ObjectCreated,), (DocumentReceived,)),
            "convert": self._step(Step.CONVERT, self.make_convert(), (DocumentReceived,), (DocumentConverted,)),
            "ocr": self._step(
                Step.OCR,
                self.make_recognizer().handle,
                (DocumentConverted, PagesRequested),
                (DocumentRecognized, PagesRecognized),
            ),
            "enrich": self._step(Step.ENRICH, self.make_enricher().enrich, (DocumentRecognized,), (DocumentEnriched,)),
            "index": self._step(Step.INDEX, self.make_indexer().index, wakes, (DocumentIndexed,), sees_purged=True),
        }

    def _step(
        self,
        name: Step,
        handle: Handler,
        accepts: tuple[Any, ...],
        emits: tuple[Any, ...],
        *,
        sees_purged: bool = False,
    ) -> Endpoint:
        def handler(context: Any, data: Any) -> Any:
            return handle(context, data)

        handler.__name__ = name.value
        shell = step(
            name,
            version="1",
            accepts=accepts,
            emits=emits,
            store=self.store,
            deadline_seconds=240,
            sees_purged=sees_purged,
        )
        return shell(handler)

    def _context(self) -> Context:
        return Context(
            settings=WebSettings(),
            engine=self.engine,
            store=self.store,
            search=self.search,
            relay=self.relay,
            changes=ChangeFeed(self.engine),
            unlocker=DirectUnlocker(None, self.converting),
        )

    def _known(self) -> dict[str, Any]:
        path = self.root / "told.json"
        empty: dict[str, Any] = {"accepted": [], "purged": [], "forced": []}
        return dict(json.loads(path.read_text())) if path.exists() else empty

    def _told(self) -> "_Notes":
        return _Notes(self.root / "told.json", self._known())


@dataclass(frozen=True)
class DirectUnlocker(Unlocker):
    """Asks convert without HTTP between."""

    converting: Converting = field(kw_only=False)

    async def opened(self, document_id: str, password: str) -> ObjectReference:
        found = await asyncio.to_thread(self.converting.unlock, document_id, password)
        if found is None:
            raise WrongPassword("The password does not open this document.")
        return found


class _Notes:
    """What clients know; written when they have been told."""

    def __init__(self, path: Path, content: dict[str, Any]) -> None:
        self._path, self._content = path, content

    def __enter__(self) -> dict[str, Any]:
        return self._content

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self._path.write_text(json.dumps(self._content))


def copy_world(source: Path, target: Path) -> None:
    """The same world once more, times of files included."""
    shutil.copytree(source, target)


def _ask(endpoint: Endpoint, path: str, headers: Headers, body: bytes) -> Response:
    """The answer of a function to one request; also from a thread in which another one is being answered."""
    answers: list[Response] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(name.lower(), value) for name, value in headers],
        "server": ("localhost", 80),
        "client": ("localhost", 1),
    }

    def work() -> None:
        answers.append(asyncio.run(endpoint(Request(scope, receive))))  # type: ignore[arg-type]

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        work()
    else:
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    if not answers:
        raise Unavailable("the function did not answer")
    return answers[0]
