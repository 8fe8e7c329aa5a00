"""A 60-page scan over two ocr processes, one of which dies between its last part and the reply."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from shared.documents import DocumentText, ObjectReference, new_document_id
from shared.events import (
    DocumentConverted,
    DocumentRecognized,
    Event,
    PagesRecognized,
    PagesRequested,
    decode,
    new_event,
)
from shared.storage import keys
from shared.storage.directory import DirectoryObjectStore
from tests.papers import scan
from tests.servers.function import Function, Listener, listening

PAGES = 60
HERE = Path(__file__).parent


class Scan:
    """A stored scan, two ocr processes and the listener that they publish to."""

    def __init__(self, root: Path, listener: Listener) -> None:
        self.store = DirectoryObjectStore(root / "data")
        self.id = new_document_id()
        self.listener = listener
        pdf = scan([f"Sheet number {n}\n\nThe quick brown fox is on page {n}." for n in range(1, PAGES + 1)])
        key = keys.document_prefix(self.id) + "convert/c/a/document.pdf"
        self.pdf = self.store.put(key, pdf, media_type="application/pdf")
        environment = {
            "DATA_DIR": str(root / "data"),
            "BROKER_URL": listener.url,
            "OCR_WORKERS": "1",
            "CRASH_AFTER": "part-0057-0060.json",
            "CRASH_MARK": str(root / "crashed"),
        }
        self.mark = root / "crashed"
        self.functions = [Function(HERE / "crashing_ocr" / "main.py", "ocr", environment) for _ in range(2)]

    def converted(self) -> Event:
        data = DocumentConverted(
            document_id=self.id, fingerprint="c", input_fingerprint="s", pdf=self.pdf, pages=PAGES, converter="copy"
        )
        return new_event(data, source="/docuelevate/functions/convert", runid="run", event_id="converted")

    def parts(self) -> list[str]:
        return sorted(info.key.rpartition("/")[2] for info in self.store.list(self.prefix) if "/part-" in info.key)

    @property
    def prefix(self) -> str:
        return keys.document_prefix(self.id) + "ocr/"


@pytest.fixture(scope="module")
def paper(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scan]:
    with listening() as listener:
        made = Scan(tmp_path_factory.mktemp("fan-out"), listener)
        yield made
        for function in made.functions:
            function.kill()


def test_a_long_scan_is_done_in_batches_and_survives_a_crash_before_the_reply(paper: Scan) -> None:
    first, second = paper.functions
    answer = first.post(paper.converted())
    assert (answer.status_code, answer.content) == (202, b"")
    requested = [event for event in paper.listener.events if event.type == PagesRequested.type]
    assert [(e.payload["batch"]["first"], e.payload["batch"]["last"]) for e in requested] == [
        (n, min(n + 7, PAGES)) for n in range(1, PAGES + 1, 8)
    ]

    # A duplicate asks for the same batches by the same ids.
    first.post(paper.converted())
    assert {event.id for event in paper.listener.events} == {event.id for event in requested}

    # Two processes share the batches; the last one kills its process between part and reply.
    with ThreadPoolExecutor(2) as threads:
        replies = list(
            threads.map(lambda f, batches: [f.reply(b) for b in batches], paper.functions, halves(requested))
        )
    assert {reply.type for half in replies for reply in half} == {PagesRecognized.type}
    with pytest.raises(httpx.TransportError):
        first.post(requested[-1])
    first.process.wait(60)
    assert paper.mark.exists()
    assert len(paper.parts()) == len(requested)

    # Delivered again, the batch finds its part, and all others, and joins.
    before = {info.key: info.etag for info in paper.store.list(paper.prefix) if "/part-" in info.key}
    joined = second.reply(requested[-1])
    assert joined.type == DocumentRecognized.type
    assert {info.key: info.etag for info in paper.store.list(paper.prefix) if "/part-" in info.key} == before

    # Whoever asks later gets the same answer, whatever it asks for.
    first.start()
    assert first.reply(requested[0]).id == joined.id
    assert second.reply(paper.converted()).id == joined.id
    assert_complete(paper, joined)


def in_turn(function: Function, requested: list[Event]) -> list[Event]:
    return [function.reply(batch) for batch in requested]


def halves(requested: list[Event]) -> tuple[list[Event], list[Event]]:
    return requested[0:-1:2], requested[1:-1:2]


def assert_complete(paper: Scan, joined: Event) -> None:
    results = [info for info in paper.store.list(paper.prefix) if info.key.endswith("result.json")]
    assert len(results) == 1
    reference = ObjectReference.model_validate(joined.payload["text"])
    text = DocumentText.model_validate_json(paper.store.get(reference.key))
    assert [page.number for page in text.pages] == list(range(1, PAGES + 1))
    for page in text.pages:
        assert f"page {page.number}" in page.text
    assert joined.payload["pages"] == joined.payload["ocr_pages"] == PAGES


def test_a_batch_that_other_settings_planned_is_done_as_its_whole_document(paper: Scan) -> None:
    requested = next(event for event in paper.listener.events if event.type == PagesRequested.type)
    paper.listener.events.clear()
    foreign = json.loads(requested.to_json())["data"] | {"fingerprint": "f" * 64, "document_id": paper.id}
    event = requested.model_copy(update={"payload": foreign, "id": "foreign"})
    response = paper.functions[1].post(event)
    assert response.status_code == 200
    assert decode(response.headers, response.content).type == DocumentRecognized.type
