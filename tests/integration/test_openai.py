"""enrich as it is served, with a language model behind the wire: one document, its faults, and the end of them."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.documents import DocumentText, PageText, new_document_id
from shared.events import DocumentRecognized, Event, new_event
from shared.metadata import Metadata
from shared.storage import keys
from shared.storage.directory import DirectoryObjectStore
from tests.papers import INVOICE
from tests.servers.function import ROOT, Function
from tests.servers.openai import KEY, OpenAiServer, completion, error, openai_server

MAIN = ROOT / "functions/enrich/main.py"


class Desk:
    """The function, the model's server, and the objects between them."""

    def __init__(self, data: Path, server: OpenAiServer, function: Function) -> None:
        self.store = DirectoryObjectStore(data)
        self.server, self.function = server, function

    def recognized(self, text: str = INVOICE, runid: str = "run") -> Event:
        document_id = new_document_id()
        page = PageText(number=1, width=595, height=842, source="ocr", text=text)
        body = DocumentText(pages=(page,)).model_dump_json().encode()
        key = f"{keys.document_prefix(document_id)}ocr/o/a/text.json"
        reference = self.store.put(key, body, media_type="application/json")
        data = DocumentRecognized(
            document_id=document_id, fingerprint="o", text=reference, searchable_pdf=reference, pages=1, ocr_pages=1
        )
        return new_event(data, source="/docuelevate/functions/ocr", runid=runid)

    def metadata(self, reply: Event) -> Metadata:
        return Metadata.model_validate_json(self.store.get(reply.payload["metadata"]["key"]))


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    data = tmp_path_factory.mktemp("openai") / "data"
    with openai_server() as server:
        environment = {
            "DATA_DIR": str(data),
            "AI_PROVIDER": "openai",
            "OPENAI_API_KEY": KEY,
            "OPENAI_BASE_URL": server.url,
            "OPENAI_PRICE_INPUT": "0.15",
            "OPENAI_PRICE_OUTPUT": "0.60",
            "OPENAI_MAX_CALLS": "3",
        }
        function = Function(MAIN, "enrich", environment)
        try:
            yield Desk(data, server, function)
        finally:
            function.kill()


@pytest.fixture
def desk(served: Desk) -> Iterator[Desk]:
    served.server.requests.clear()
    yield served
    assert served.server.violations == []
    served.server.script.clear()


def test_a_document_is_read_by_the_model_once(desk: Desk) -> None:
    event = desk.recognized()
    reply, again = desk.function.reply(event), desk.function.reply(event)
    assert (reply.payload["extractor"], reply.payload["model"]) == ("openai", "gpt-4o-mini")
    assert reply.payload["tokens"] > 0 and float(reply.payload["cost"]) > 0
    assert (again.id, again.payload) == (reply.id, reply.payload)
    assert len(desk.server.requests) == 1
    total = desk.metadata(reply).total
    assert total is not None and total.evidence is not None


def test_an_outage_is_retried_until_the_calls_are_used_up_then_the_rules_values_stand(desk: Desk) -> None:
    event = desk.recognized()
    desk.server.script = [error(500), error(503), error(500)]
    answers = [desk.function.post(event).status_code for _ in range(2)]
    reply = desk.function.reply(event)
    assert answers == [503, 503]
    assert reply.payload["extractor"] == "rules" and reply.payload["warnings"][0]["needs_decision"]
    assert desk.function.reply(event).id == reply.id
    assert len(desk.server.requests) == 3


def test_answers_that_came_to_nothing_are_counted_with_the_document(desk: Desk) -> None:
    event = desk.recognized()
    desk.server.script = [completion("not json", tokens=(500, 50)), completion("not json", tokens=(500, 50))]
    reply = desk.function.reply(event)
    assert reply.payload["tokens"] == 1100 and reply.payload["extractor"] == "rules"


def test_a_lasting_fault_does_not_say_the_key(desk: Desk) -> None:
    event = desk.recognized()
    desk.server.script = [error(401, "invalid_api_key", message=f"Incorrect API key provided: {KEY}")]
    reply = desk.function.reply(event)
    assert KEY not in reply.to_json() and reply.payload["extractor"] == "rules"


def started(**settings: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"AI_PROVIDER": "openai"} | settings
    command = [sys.executable, "-c", "import functions.enrich.main"]
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT, timeout=120)


def test_a_missing_key_stops_the_process_with_a_sentence(tmp_path: Path) -> None:
    ended = started(DATA_DIR=str(tmp_path))
    assert ended.returncode == 1
    assert ended.stderr.strip().splitlines()[-1].startswith("AI_PROVIDER=openai needs OPENAI_API_KEY")


def test_a_password_in_the_address_is_refused_and_not_repeated(tmp_path: Path) -> None:
    ended = started(DATA_DIR=str(tmp_path), OPENAI_BASE_URL="https://user:hunter2@example.org/v1")
    assert ended.returncode == 1 and "hunter2" not in ended.stderr


def test_the_sdk_is_not_imported_where_the_rules_read() -> None:
    check = "import functions.enrich.main, sys; sys.exit('openai' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], cwd=ROOT, timeout=120).returncode == 0
