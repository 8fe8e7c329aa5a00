"""The pages of Activity as HTML: who sees them, what they say, and that nothing a document says becomes markup."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine
from starlette.testclient import TestClient

from shared.database.engine import writing
from shared.database.tables import ArchivedEvent, DeadLetter, Document, Finding, Replay
from shared.database.tokens import TokenScope, issue_token
from shared.events import DocumentUpdated, new_event
from tests.app.web.conftest import Library, MakeContext
from web import pages
from web.app import create_app

NOW = datetime.now(UTC)
OPERATORS = ("/activity/dead-letters", "/activity/replays", "/activity/checks")
NASTY = "<b>Bill</b> \"of\" & 'Ladung'"


@pytest.fixture
def browser(make_context: MakeContext) -> TestClient:
    return TestClient(create_app(make_context(), pages), base_url="http://localhost:8000")


@pytest.fixture
def letter(library: Library) -> str:
    """An undelivered event of a document with a title that looks like markup."""
    document_id = library.ready()
    library.change(document_id, title=NASTY)
    with writing(library.engine) as session:
        document = session.get_one(Document, document_id)
        event = new_event(DocumentUpdated(document_id=document_id, version=2), source="/x", runid=document.runid)
        session.add(
            DeadLetter(
                id="letter",
                trigger="index",
                event_source=event.source,
                event_id=event.id,
                event_type=event.type,
                document_id=document_id,
                runid=document.runid,
                status=503,
                message="<script>alert(1)</script>",
                key="dead-letters/index/gone.json",
                state="open",
                first_at=NOW,
                last_at=NOW,
            )
        )
        session.add(
            ArchivedEvent(
                source=event.source,
                id=event.id,
                type=event.type,
                subject=document_id,
                document_id=document_id,
                runid=document.runid,
                time=NOW,
                recorded_at=NOW,
                body=event.to_json(),
            )
        )
    return document_id


@pytest.mark.parametrize("path", [*OPERATORS, "/activity", "/activity/events"])
def test_pages_open_in_an_empty_library(browser: TestClient, path: str) -> None:
    assert browser.get(path).status_code == 200


@pytest.mark.parametrize("path", [*OPERATORS, "/activity/dead-letters/letter", "/activity/replays/none"])
def test_only_operators_see_what_concerns_the_whole_server(
    make_context: MakeContext, database: Engine, path: str
) -> None:
    with writing(database) as session:
        _, reader = issue_token(session, "kim", "reader", TokenScope.WRITE, None)
    app = create_app(make_context(auth_enabled=True, session_secret="s" * 32), pages)
    client = TestClient(app, base_url="http://localhost:8000", headers={"Authorization": f"Bearer {reader}"})
    assert client.get(path).status_code == 403
    assert "dead-letters" not in client.get("/activity").text


@pytest.mark.usefixtures("letter")
def test_what_documents_and_errors_say_stays_text(browser: TestClient) -> None:
    for path in ("/activity/dead-letters", "/activity/dead-letters/letter", "/activity/events"):
        page = browser.get(path).text
        assert "<b>Bill" not in page
        assert "<script>alert" not in page
        assert "&lt;b&gt;Bill&lt;/b&gt;" in page


@pytest.mark.usefixtures("letter")
def test_open_letters_are_counted_in_the_frame(browser: TestClient) -> None:
    assert 'title="1 undelivered event"' in browser.get("/").text
    assert "1 event could not be delivered" in browser.get("/activity").text


@pytest.mark.usefixtures("letter")
def test_letters_are_narrowed_by_state_and_step(browser: TestClient) -> None:
    assert "/activity/dead-letters/letter" in browser.get("/activity/dead-letters?trigger=index").text
    for other in ("trigger=ocr", "state=discarded", "document=other"):
        page = browser.get(f"/activity/dead-letters?{other}").text
        assert "Nothing matches these filters" in page
    assert "/activity/dead-letters/letter" in browser.get("/activity/dead-letters?state=all").text


@pytest.mark.usefixtures("letter")
def test_a_letter_whose_object_is_gone_still_says_what_happened(browser: TestClient) -> None:
    page = browser.get("/activity/dead-letters/letter").text
    assert "index answered 503" in page
    assert "The stored event cannot be read" in page


def test_events_are_narrowed_by_document_and_time(browser: TestClient, letter: str) -> None:
    assert "1 event with these filters" in browser.get(f"/activity/events?subject={letter}").text
    assert "Nothing matches these filters" in browser.get("/activity/events?until=2020-01-01").text


def test_a_cursor_of_another_list_leads_to_the_list(browser: TestClient) -> None:
    for path in ("/activity/events", "/activity/dead-letters", "/activity/replays"):
        answer = browser.get(f"{path}?cursor=nonsense", follow_redirects=False)
        assert (answer.status_code, answer.headers["location"]) == (303, path)


def test_a_running_replay_shows_its_numbers_and_can_be_stopped(browser: TestClient, library: Library) -> None:
    with writing(library.engine) as session:
        session.add(_replay("running"))
    for path in ("/activity", "/activity/replays", "/activity/replays/replay"):
        page = browser.get(path).text
        assert 'data-act="cancel-replay"' in page
        assert "12 left out" in page
        assert "1,240 documents" in page
        assert "data-running" in page


def test_an_ended_replay_says_how_it_ended(browser: TestClient, library: Library) -> None:
    with writing(library.engine) as session:
        session.add(_replay("failed"))
    page = browser.get("/activity/replays/replay").text
    assert "Waits for nothing" in page
    assert 'data-act="cancel-replay"' not in page


def test_findings_of_purged_documents_are_shown_without_a_link(browser: TestClient, library: Library) -> None:
    with writing(library.engine) as session:
        session.add(
            Finding(
                id="f",
                kind="payload_missing",
                document_id="gone",
                key="documents/gone/ocr/x",
                message="Gone.",
                found_at=NOW,
                seen_at=NOW,
            )
        )
    page = browser.get("/activity/checks").text
    assert "A part is missing" in page
    assert 'href="/documents/gone"' not in page


def test_what_is_listed_is_processed_again_only_where_a_replay_knows_the_filters(
    browser: TestClient, library: Library
) -> None:
    library.ready()
    offered = "/activity/replays?new=reprocess&amp;status=ready"
    assert offered in browser.get("/documents?status=ready").text
    for path in ("/documents", "/documents?status=ready&sender=Ann", "/documents?tag=a&tag=b", "/review?tag=a"):
        assert "new=reprocess" not in browser.get(path).text


def test_a_comparison_without_a_review_says_so(browser: TestClient, library: Library) -> None:
    page = browser.get(f"/documents/{library.ready()}/comparison")
    assert page.status_code == 200
    assert "Nothing waits for a decision" in page.text
    assert browser.get("/documents/unknown/comparison").status_code == 404


def test_a_document_in_the_trash_for_another_file_links_to_it(browser: TestClient, library: Library) -> None:
    old, new = library.ready("old.txt"), library.ready("new.txt")
    library.change(old, replaced_by=new, trashed_at=NOW, status="trashed")
    assert f'href="/documents/{new}"' in browser.get(f"/documents/{old}").text
    assert "Took the place of" in browser.get(f"/documents/{new}").text


def test_pages_carry_no_style_or_script_of_their_own(browser: TestClient, letter: str) -> None:
    paths = [*OPERATORS, "/activity", "/activity/events", "/activity/dead-letters/letter", f"/documents/{letter}"]
    for path in paths:
        page = browser.get(path).text
        assert " style=" not in page
        assert "<style" not in page
        assert " onclick=" not in page


def _replay(state: str) -> Replay:
    request = {"mode": "reprocess", "from": "ocr", "filter": {"status": "ready", "tag": ["a", "b"], "since": None}}
    return Replay(
        id="replay",
        owner="local",
        kind="reprocess",
        state=state,
        request=request,
        rate=0.5,
        total=1240,
        done=100,
        skipped=12,
        message="Waits for nothing." if state == "failed" else None,
        created_at=NOW,
        finished_at=None if state == "running" else NOW,
    )
