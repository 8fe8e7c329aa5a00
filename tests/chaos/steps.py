"""Single functions as processes of their own on one S3 bucket, each with a way of its own to it, and work for them."""

import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import httpx

from shared.documents import DocumentText, ObjectReference, PageText, new_document_id
from shared.events import DocumentConverted, DocumentReceived, DocumentRecognized, Event, EventData, new_event
from shared.storage import keys
from shared.storage.s3 import S3ObjectStore
from tests.papers import LETTER, docx, scan
from tests.servers.buckets import new_bucket
from tests.servers.ceph import S3Server
from tests.servers.docuelevate import wait_for
from tests.servers.function import ROOT, Function, listening
from tests.servers.s3_proxy import S3Proxy, s3_proxy

DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
PAGES = 8
"""As many as one delivery recognizes: seconds of work, without batches."""


@dataclass
class Worker:
    """A function and its way to the object store."""

    function: Function
    proxy: S3Proxy

    def post(self, event: Event) -> "Future[httpx.Response]":
        """Deliver in the background. The future raises httpx.TransportError where the function dies over it."""
        future: Future[httpx.Response] = Future()

        def run() -> None:
            try:
                future.set_result(self.function.post(event))
            except httpx.HTTPError as error:
                future.set_exception(error)

        threading.Thread(target=run, daemon=True).start()
        return future


@dataclass
class Workshop:
    """A bucket and the functions that work on it."""

    server: S3Server
    store: S3ObjectStore
    broker_url: str
    closing: ExitStack = field(default_factory=ExitStack)

    def worker(self, step: str, **environment: str) -> Worker:
        """Start a function, as a cluster would start one more pod of it."""
        proxy = self.closing.enter_context(s3_proxy(self.server.endpoint_url))
        variables = {
            "S3_ENDPOINT_URL": proxy.url,
            "S3_BUCKET": self.store.bucket,
            "AWS_ACCESS_KEY_ID": self.server.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.server.secret_access_key,
            "BROKER_URL": self.broker_url,
            "OCR_WORKERS": "1",
            **environment,
        }
        function = Function(ROOT / "functions" / step / "main.py", step, variables)
        self.closing.callback(function.kill)
        return Worker(function, proxy)

    def event_for(self, step: str) -> Event:
        """Work of some seconds for convert and ocr, of an instant for enrich; a new document each time."""
        document_id = new_document_id()
        data = {"convert": self._received, "ocr": self._converted, "enrich": self._recognized}[step](document_id)
        return new_event(data, source="/docuelevate/tests", runid=f"run-{document_id}")

    def objects(self, event: Event, name: str) -> list[str]:
        """The keys of the event's document that contain a name."""
        return [info.key for info in self.store.list(keys.document_prefix(event.subject)) if name in info.key]

    def wait_for(self, event: Event, name: str) -> None:
        """Wait until such an object is there."""
        wait_for(lambda: bool(self.objects(event, name)), 60, f"no {name} appeared")

    def _received(self, document_id: str) -> EventData:
        original = self._put(keys.original(document_id), docx("Zeppelin number one is due."), DOCX)
        return DocumentReceived(
            document_id=document_id,
            original=original,
            filename="note.docx",
            media_type=DOCX,
            size=original.size,
            sha256=original.sha256,
            channel="api",
        )

    def _converted(self, document_id: str) -> EventData:
        pdf = self._put(
            f"{keys.document_prefix(document_id)}convert/c/a/document.pdf",
            scan([f"{LETTER}\nSheet {n}" for n in range(PAGES)]),
            "application/pdf",
        )
        return DocumentConverted(
            document_id=document_id, fingerprint="c", input_fingerprint="s", pdf=pdf, pages=PAGES, converter="copy"
        )

    def _recognized(self, document_id: str) -> EventData:
        page = PageText(number=1, width=595, height=842, source="digital", text=LETTER, words=())
        text = DocumentText(pages=(page,), languages=("eng",), engine="none")
        prefix = f"{keys.document_prefix(document_id)}ocr/o/a/"
        return DocumentRecognized(
            document_id=document_id,
            fingerprint="o",
            input_fingerprint="c",
            text=self._put(prefix + "text.json", text.model_dump_json().encode(), "application/json"),
            searchable_pdf=self._put(prefix + "searchable.pdf", b"%PDF-1.7", "application/pdf"),
            pages=1,
            ocr_pages=0,
        )

    def _put(self, key: str, body: bytes, media_type: str) -> ObjectReference:
        return self.store.put(key, body, media_type=media_type)


@contextmanager
def workshop(server: S3Server) -> Iterator[Workshop]:
    """An empty one, with nobody at work afterwards."""
    with new_bucket(server) as store, listening() as broker, ExitStack() as closing:
        yield Workshop(server, store, broker.url, closing)
