"""The ocr function as it is served, with Azure as its engine: whole documents, batches, a crash in the middle."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from shared.documents import DocumentText, new_document_id
from shared.events import (
    DocumentConverted,
    DocumentFailed,
    DocumentRecognized,
    Event,
    PagesRecognized,
    RunOptions,
    new_event,
)
from shared.storage import keys
from shared.storage.directory import DirectoryObjectStore
from tests import papers
from tests.servers.document_intelligence import KEY, DocumentIntelligence, document_intelligence
from tests.servers.function import ROOT, Function, Listener, listening

TEXTS = ("The keeper of the lighthouse", "will meet you at the pier", "on Friday morning at nine")


class Desk:
    """A store with a scan, and ocr beside it."""

    def __init__(self, root: Path, service: DocumentIntelligence, listener: Listener) -> None:
        self.service, self.listener = service, listener
        self.store = DirectoryObjectStore(root / "data")
        environment = {
            "DATA_DIR": str(root / "data"),
            "BROKER_URL": listener.url,
            "OCR_WORKERS": "1",
            "OCR_PROVIDER": "azure",
            "OCR_BATCH_PAGES": "2",
            "AZURE_ENDPOINT": service.url,
            "AZURE_AI_KEY": KEY,
        }
        self.function = Function(ROOT / "functions" / "ocr" / "main.py", "ocr", environment)

    def converted(self, *texts: str, **options: str) -> Event:
        identifier = new_document_id()
        key = keys.document_prefix(identifier) + "convert/c/a/document.pdf"
        pdf = self.store.put(key, papers.scan(texts), media_type="application/pdf")
        data = DocumentConverted(
            document_id=identifier,
            fingerprint="c",
            input_fingerprint="s",
            options=RunOptions(**options),
            pdf=pdf,
            pages=len(texts),
            converter="copy",
        )
        return new_event(data, source="/docuelevate/functions/convert", runid="run", event_id=f"c-{identifier}")

    def text(self, event: Event) -> DocumentText:
        data = event.data()
        assert isinstance(data, DocumentRecognized), event.payload
        return DocumentText.model_validate_json(self.store.get(data.text.key))


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with document_intelligence() as service, listening() as listener:
        service.honest = True
        made = Desk(tmp_path, service, listener)
        yield made
        made.function.kill()


def test_a_scan_is_read_by_azure(desk: Desk) -> None:
    reply = desk.function.reply(desk.converted(TEXTS[0]))
    text = desk.text(reply)
    assert TEXTS[0] in text.plain
    assert (text.engine, text.pages[0].source) == ("azure prebuilt-read 2024-11-30", "ocr")
    assert reply.payload["ocr_pages"] == 1
    assert not [info.key for info in desk.store.list("documents/") if KEY.encode() in desk.store.get(info.key)]


def test_each_batch_sends_its_pages_only(desk: Desk) -> None:
    desk.function.post(desk.converted(*TEXTS))
    first, second = desk.listener.events
    assert desk.function.reply(first).type == PagesRecognized.type
    text = desk.text(desk.function.reply(second))
    assert [len(order.pictures) for order in desk.service.orders] == [2, 1]
    assert all(words in page.text for words, page in zip(TEXTS, text.pages, strict=True))


def test_a_crash_while_azure_works_costs_no_second_order(desk: Desk) -> None:
    """Rules 7 and 8."""
    desk.service.goes_wrong("result", "running")
    event = desk.converted(TEXTS[0])
    killer = threading.Thread(target=kill_when_asked_after, args=(desk,))
    killer.start()
    with pytest.raises(httpx.TransportError):
        desk.function.post(event)
    killer.join()
    desk.service.faults.clear()
    desk.function.start()
    assert TEXTS[0] in desk.text(desk.function.reply(event)).plain
    assert len(desk.service.orders) == 1


def test_a_run_chooses_its_engine(desk: Desk) -> None:
    text = desk.text(desk.function.reply(desk.converted(TEXTS[0], ocr_engine="tesseract")))
    assert text.engine.startswith("tesseract")
    assert not desk.service.orders


def test_an_engine_that_is_not_set_up_is_told(desk: Desk) -> None:
    reply = desk.function.reply(desk.converted(TEXTS[0], ocr_engine="crystal-ball"))
    assert (reply.type, reply.payload["code"]) == (DocumentFailed.type, "ocr_failed")
    assert "not set up" in reply.payload["message"]


def test_a_wrong_key_is_the_brokers_to_repeat(desk: Desk) -> None:
    desk.service.goes_wrong("order", "answer", status=401)
    answer = desk.function.post(desk.converted(TEXTS[0]))
    assert answer.status_code == 503
    assert "AZURE_AI_KEY" in answer.text
    assert KEY not in answer.text


def kill_when_asked_after(desk: Desk) -> None:
    deadline = time.monotonic() + 60
    while desk.service.questions < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    desk.function.kill()
