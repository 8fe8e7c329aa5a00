"""Two copies of an event at two processes in the same instant: the work is done once, and both get the same answer."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from shared.documents import new_document_id
from shared.events import DocumentConverted, DocumentRecognized, Event, PagesRequested, decode, new_event
from shared.storage import keys
from shared.storage.directory import DirectoryObjectStore
from tests.chaos.memory import in_memory
from tests.chaos.papers import paper
from tests.servers.function import Function, Listener, listening

ROUNDS = 5
HERE = Path(__file__).parent


class Pair:
    """Two ocr processes on one store."""

    def __init__(self, root: Path, listener: Listener) -> None:
        self.store = DirectoryObjectStore(root / "data")
        self.listener = listener
        self.journal = root / "journal"
        environment = {
            "DATA_DIR": str(root / "data"),
            "BROKER_URL": listener.url,
            "JOURNAL": str(self.journal),
            "SECONDS": "0.4",
        }
        self.functions = [Function(HERE / "paper_ocr" / "main.py", "ocr", environment) for _ in range(2)]

    def converted(self, pages: int) -> Event:
        """A scan of its own."""
        document_id = new_document_id()
        body = paper(*(f"Sheet {n} of {document_id}" for n in range(1, pages + 1)), scanned=True)
        pdf = self.store.put(
            keys.document_prefix(document_id) + "convert/c/a/document.pdf", body, media_type="application/pdf"
        )
        data = DocumentConverted(
            document_id=document_id, fingerprint="c", input_fingerprint="s", pdf=pdf, pages=pages, converter="copy"
        )
        return new_event(data, source="/docuelevate/functions/convert", runid="run", event_id=f"of-{document_id}")

    def at_once(self, event: Event) -> list[httpx.Response]:
        """The answers of both to the same event in the same instant."""
        barrier = threading.Barrier(2)

        def post(function: Function) -> httpx.Response:
            barrier.wait()
            return function.post(event)

        with ThreadPoolExecutor(2) as threads:
            return list(threads.map(post, self.functions))

    def until_done(self, function: Function, event: Event) -> Event:
        """What a broker does: again while the answer is 409."""
        while (response := function.post(event)).status_code == 409:
            time.sleep(0.05)
        assert response.status_code == 200, response.text
        return decode(response.headers, response.content)

    def paid(self) -> Counter[str]:
        """How often each page was read."""
        return Counter(self.journal.read_text().splitlines() if self.journal.exists() else ())


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    with in_memory() as root, listening() as listener:
        made = Pair(root, listener)
        try:
            yield made
        finally:
            for function in made.functions:
                function.kill()


@pytest.mark.parametrize("number", range(ROUNDS))
def test_one_of_two_copies_does_the_work_and_both_say_the_same(pair: Pair, number: int) -> None:
    """Rules 4 and 7: the other is told that it is being worked on, comes again and gets the same answer."""
    event = pair.converted(pages=2)
    answers = pair.at_once(event)
    # Where the machine is so busy that one comes after the other, both are answered at once.
    assert {answer.status_code for answer in answers} <= {200, 409}
    assert all(answer.json()["code"] == "lease_held" for answer in answers if answer.status_code == 409)
    replies = [pair.until_done(function, event) for function in pair.functions]
    assert {reply.type for reply in replies} == {DocumentRecognized.type}
    assert replies[0].id == replies[1].id and replies[0].payload == replies[1].payload
    assert set(pair.paid().values()) == {1}


def test_two_processes_share_the_batches_of_a_scan_and_pay_for_each_page_once(pair: Pair) -> None:
    """Every batch goes to both at once; whoever finds the last part joins, and nobody else does."""
    pair.listener.events.clear()
    pages, read_before = 30, pair.paid()
    event = pair.converted(pages)
    assert {answer.status_code for answer in pair.at_once(event)} == {202}
    requested = {each.id: each for each in pair.listener.events if each.type == PagesRequested.type}
    assert len(requested) == 4, "the same batches by the same ids, whoever asks"
    for batch in requested.values():
        pair.at_once(batch)
    joined = {pair.until_done(function, batch).id for function in pair.functions for batch in requested.values()}
    assert len(joined) == 1
    before = sum(read_before.values())
    assert set(pair.paid().values()) == {1} and sum(pair.paid().values()) == before + pages
    prefix = keys.document_prefix(event.subject) + "ocr/"
    assert len([info for info in pair.store.list(prefix) if info.key.endswith("/result.json")]) == 1
