"""The convert function as it is served, with Gotenberg for office files: an answer, a failure, an outage."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.documents import new_document_id
from shared.events import DocumentConverted, DocumentFailed, DocumentReceived, Event, new_event
from shared.storage import keys
from shared.storage.directory import DirectoryObjectStore
from tests import papers
from tests.servers.function import ROOT, Function
from tests.servers.gotenberg import UNEXPLAINED, Gotenberg, gotenberg

SENTENCE = "The keeper of the lighthouse will meet you at the pier on Friday"


class Desk:
    """A store, a Gotenberg and convert."""

    def __init__(self, root: Path, server: Gotenberg) -> None:
        self.server = server
        self.store = DirectoryObjectStore(root)
        environment = {"DATA_DIR": str(root), "CONVERTER": "gotenberg", "GOTENBERG_URL": server.url}
        self.function = Function(ROOT / "functions" / "convert" / "main.py", "convert", environment)

    def received(self, body: bytes, filename: str) -> Event:
        identifier = new_document_id()
        original = self.store.put(keys.original(identifier), body, media_type="application/octet-stream")
        data = DocumentReceived(
            document_id=identifier,
            original=original,
            filename=filename,
            media_type=original.media_type,
            size=original.size,
            sha256=original.sha256,
            channel="upload",
        )
        return new_event(data, source="/docuelevate/web", runid="run", event_id=f"received-{identifier}")


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with gotenberg() as server:
        made = Desk(tmp_path, server)
        yield made
        made.function.kill()


def test_an_office_file_is_converted_under_the_events_name(desk: Desk) -> None:
    event = desk.received(papers.docx(SENTENCE), "letter.docx")
    reply = desk.function.reply(event)
    assert (reply.type, reply.payload["converter"]) == (DocumentConverted.type, "gotenberg")
    assert desk.server.conversions[0].trace == event.id
    assert desk.function.reply(event).id == reply.id
    assert len(desk.server.conversions) == 1


def test_what_the_document_is_to_blame_for_is_decided_once(desk: Desk) -> None:
    """Rules 5."""
    desk.server.goes_wrong("answer", status=500, message=UNEXPLAINED)
    event = desk.received(papers.docx(SENTENCE), "letter.docx")
    replies = [desk.function.reply(event) for _ in range(2)]
    assert {(each.type, each.payload["code"]) for each in replies} == {(DocumentFailed.type, "conversion_failed")}
    assert len(desk.server.conversions) == 2


def test_while_gotenberg_is_sick_office_files_wait_and_others_pass(desk: Desk) -> None:
    desk.server.goes_wrong("answer", status=500, message=UNEXPLAINED, times=2)
    desk.server.healthy = False
    event = desk.received(papers.docx(SENTENCE), "letter.docx")
    assert desk.function.post(event).status_code == 503
    assert desk.function.reply(desk.received(b"plain words", "note.txt")).type == DocumentConverted.type
    desk.server.healthy = True
    assert desk.function.reply(event).type == DocumentConverted.type
