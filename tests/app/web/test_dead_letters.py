"""Dead letters: listed and shown whole, sent again in one transaction, set aside, closed once their step has passed."""

import base64
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Engine
from starlette.testclient import TestClient

from shared.database.engine import reading, writing
from shared.database.tables import DeadLetter, LedgerEntry
from shared.events import (
    DocumentReceived,
    DocumentUpdated,
    Event,
    ObjectCreated,
    new_event,
)
from shared.storage.port import ObjectStore
from tests.app.web.conftest import Library, RecordingPublisher
from tests.app.web.post import Post
from tests.servers.docuelevate import wait_for
from web.api.dead_letters import AT_ONCE
from web.letter_reads import archived_events
from web.letters import close_passed, close_unchanged, replay_letters


@pytest.fixture
def database(engine: Engine) -> Engine:
    return engine


@pytest.fixture
def post(database: Engine, store: ObjectStore, library: Library) -> Post:
    return Post(database, store, library)


def test_a_letter_is_listed_with_its_cause_and_shown_whole(client: TestClient, post: Post) -> None:
    event = post.received()
    letter_id = post.given_up("convert", event)
    [shown] = client.get("/api/dead-letters").json()["results"]
    assert shown["id"] == letter_id and shown["state"] == "open" and shown["document_id"] == event.subject
    assert (shown["status"], shown["code"], shown["message"]) == (503, "unavailable", "the engine does not answer")
    assert shown["cause"].startswith("convert answered 503") and "the engine does not answer" in shown["cause"]
    assert shown["hint"] and shown["event"]["id"] == event.id and shown["event"]["type"] == event.type
    whole = client.get(f"/api/dead-letters/{letter_id}").json()
    assert whole["event"]["data"] == event.payload and whole["event"]["knativeerrorcode"] == "503"


def test_a_body_that_is_no_json_is_kept_and_shown(client: TestClient, post: Post) -> None:
    letter_id = post.given_up("convert", post.received(), 422, data=b"\x00\xff")
    whole = client.get(f"/api/dead-letters/{letter_id}").json()
    assert base64.b64decode(whole["event"]["data_base64"]) == b"\x00\xff"


def test_an_event_that_no_step_can_read_marks_its_document_and_comes_from_the_archive(
    client: TestClient, post: Post
) -> None:
    event = post.received()
    letter_id = post.given_up("convert", event, 422, data=b"\x00\xff")
    assert post.row(event).status == "attention"
    assert client.post(f"/api/dead-letters/{letter_id}/replay").status_code == 202
    assert [queued.payload for queued in post.queued()] == [event.payload]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", {"convert", "index"}),
        ("trigger=convert", {"convert"}),
        ("type=document.updated", {"index"}),
        ("type=org.docuelevate.document.received.v1", {"convert"}),
        ("type=nothing", set()),
        ("code=unavailable", {"convert"}),
        ("state=closed", set()),
        ("state=all", {"convert", "index"}),
        ("since=2020-01-01", {"convert", "index"}),
        ("until=2020-01-01", set()),
    ],
)
def test_the_list_is_narrowed(client: TestClient, post: Post, query: str, found: set[str]) -> None:
    event = post.received()
    post.given_up("convert", event)
    post.given_up("index", _updated(event), None)
    answer = client.get(f"/api/dead-letters?{query}").json()
    assert {letter["trigger"] for letter in answer["results"]} == found and answer["count"] == len(found)


def test_the_list_of_one_document(client: TestClient, post: Post) -> None:
    first, second = post.received("a.txt"), post.received("b.txt")
    post.given_up("convert", first)
    post.given_up("convert", second)
    [shown] = client.get(f"/api/dead-letters?document={second.subject}").json()["results"]
    assert shown["event"]["subject"] == second.subject


def test_pages_follow_each_other(client: TestClient, post: Post) -> None:
    ids = [post.given_up("convert", post.received(f"{n}.txt")) for n in range(5)]
    seen, path = [], "/api/dead-letters?page_size=2"
    while path:
        page = client.get(path).json()
        seen += [letter["id"] for letter in page["results"]]
        path = page["next"]
    assert seen == ids[::-1]


@pytest.mark.parametrize("query", ["state=lost", "cursor=x", "since=yesterday"])
def test_wrong_questions_are_refused(client: TestClient, query: str) -> None:
    assert client.get(f"/api/dead-letters?{query}").status_code in (400, 422)


def test_replay_sends_the_same_event_without_what_belonged_to_its_transport(client: TestClient, post: Post) -> None:
    """rules 18, 19: same identity, no knative attributes, no traceparent; the document goes on."""
    event = post.received()
    letter_id = post.given_up("convert", event)
    assert post.row(event).status == "attention"
    answer = client.post(f"/api/dead-letters/{letter_id}/replay")
    assert answer.status_code == 202
    assert (answer.json()["state"], answer.json()["replays"]) == ("replayed", 1)
    [queued] = post.queued()
    assert queued == event.model_copy(update={"traceparent": None})
    assert "knative" not in queued.to_json()
    row = post.row(event)
    assert (row.status, row.code) == ("processing", None)


def test_the_relay_sends_what_was_replayed(
    make_client: Callable[..., TestClient], publisher: RecordingPublisher, post: Post
) -> None:
    letter_id = post.given_up("convert", post.received())
    with make_client(publisher=publisher) as client:
        client.post(f"/api/dead-letters/{letter_id}/replay")
        # The application runs its own relay, which may have claimed the row already; a second one would find nothing.
        wait_for(lambda: bool(publisher.events), 30, "the relay sent nothing")
    assert [event.type for event in publisher.events] == [DocumentReceived.type]


def test_a_letter_sent_twice_waits_once(client: TestClient, post: Post) -> None:
    letter_id = post.given_up("convert", post.received())
    answers = [client.post(f"/api/dead-letters/{letter_id}/replay") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert len(post.queued()) == 1 and post.letter(letter_id).replays == 2


@pytest.mark.parametrize("state", ["replayed", "closed", "discarded"])
def test_the_same_event_failing_again_reopens_its_letter(post: Post, state: str) -> None:
    """rules 18."""
    event = post.received()
    letter_id = post.given_up("convert", event)
    with writing(post.engine) as session:
        session.get_one(DeadLetter, letter_id).state = state
    assert post.given_up("convert", event, None) == letter_id
    letter = post.letter(letter_id)
    assert (letter.state, letter.arrivals, letter.status, letter.code) == ("open", 2, None, None)
    row, step = post.row(event), post.step(event, "convert")
    assert (row.status, row.code) == ("attention", "retries_exhausted")
    assert step.attempts == 2 and step.finished_at == letter.last_at


def test_a_letter_whose_step_has_passed_is_closed(client: TestClient, post: Post) -> None:
    event = post.received()
    letter_id = post.given_up("convert", event)
    client.post(f"/api/dead-letters/{letter_id}/replay")
    post.record.record(post.converted(event))
    assert post.letter(letter_id).state == "closed"
    refused = client.post(f"/api/dead-letters/{letter_id}/replay")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "closed")


def test_a_letter_that_comes_after_its_step_passed_is_closed_at_once(post: Post) -> None:
    event = post.received()
    post.record.record(post.converted(event))
    assert post.letter(post.given_up("convert", event)).state == "closed"


def test_letters_of_a_former_run_are_not_sent_and_are_closed_by_the_sweep(client: TestClient, post: Post) -> None:
    """rules 19."""
    event = post.received()
    letter_id = post.given_up("convert", event)
    client.post(f"/api/documents/{event.subject}/replay", json={})
    refused = client.post(f"/api/dead-letters/{letter_id}/replay")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "not_current")
    assert close_passed(post.engine) == 1 and close_passed(post.engine) == 0
    letter = post.letter(letter_id)
    assert letter.state == "closed" and "later run" in (letter.reason or "")


def test_letters_of_trashed_documents_wait_until_they_are_restored(client: TestClient, post: Post) -> None:
    event = post.received()
    letter_id = post.given_up("convert", event)
    client.delete(f"/api/documents/{event.subject}")
    refused = client.post(f"/api/dead-letters/{letter_id}/replay")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "trashed")
    client.post(f"/api/documents/{event.subject}/restore")
    assert client.post(f"/api/dead-letters/{letter_id}/replay").status_code == 202


def test_letters_of_purged_documents_are_not_sent(
    make_client: Callable[..., TestClient], post: Post, store: ObjectStore
) -> None:
    event = post.received()
    letter_id = post.given_up("convert", event)
    with make_client(allow_file_delete=True) as client:
        client.delete(f"/api/documents/{event.subject}?purge=true")
        refused = client.post(f"/api/dead-letters/{letter_id}/replay")
        assert (refused.status_code, refused.json()["error"]["code"]) == (409, "purged")
        shown = client.get(f"/api/dead-letters/{letter_id}").json()
    assert shown["event"] is None and shown["message"] is None
    assert not list(store.list("dead-letters/"))


def test_many_are_sent_and_the_others_told_why(client: TestClient, post: Post) -> None:
    good, trashed = post.received("a.txt"), post.received("b.txt")
    ids = [post.given_up("convert", good), post.given_up("convert", trashed), "missing"]
    client.delete(f"/api/documents/{trashed.subject}")
    dry = client.post("/api/dead-letters/replay", json={"ids": ids, "dry_run": True})
    assert (dry.status_code, dry.json()["count"], dry.json()["dry_run"]) == (200, 1, True)
    assert post.letter(ids[0]).state == "open" and good.id not in {event.id for event in post.queued()}
    done = client.post("/api/dead-letters/replay", json={"ids": ids})
    assert done.status_code == 202
    assert done.json()["skipped"] == {"trashed": 1, "not_found": 1} and done.json()["count"] == 1
    assert {letter["id"] for letter in done.json()["letters"]} == set(ids[1:])


def test_a_filter_chooses_what_is_sent(client: TestClient, post: Post) -> None:
    post.given_up("convert", post.received("a.txt"))
    event = post.received("b.txt")
    post.given_up("index", _updated(event))
    answer = client.post("/api/dead-letters/replay", json={"filter": {"trigger": "index"}})
    assert answer.json()["count"] == 1
    assert [queued.type for queued in post.queued()] == [DocumentUpdated.type]
    assert client.post("/api/dead-letters/replay", json={"filter": {}}).json()["count"] == 1


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"ids": [], "filter": {}},
        {"filter": {"colour": "red"}},
        {"filter": {"state": "lost"}},
        {"ids": ["x"] * 1001},
    ],
)
def test_wrong_choices_are_refused(client: TestClient, body: dict[str, Any]) -> None:
    assert client.post("/api/dead-letters/replay", json=body).status_code == 422


def test_a_discarded_letter_keeps_its_reason_and_its_document_asks_for_a_decision(
    client: TestClient, post: Post
) -> None:
    event = post.received()
    letter_id = post.given_up("convert", event)
    answer = client.post(f"/api/dead-letters/{letter_id}/discard", json={"reason": " Sent twice by mistake. "})
    assert answer.status_code == 200
    assert (answer.json()["state"], answer.json()["reason"]) == ("discarded", "Sent twice by mistake.")
    row = post.row(event)
    assert row.status == "attention" and "Sent twice by mistake." in (row.hint or "")
    assert client.get("/api/dead-letters").json()["count"] == 0
    assert client.post(f"/api/dead-letters/{letter_id}/replay").status_code == 202


def test_what_a_filter_chooses_is_dealt_with_in_parts(client: TestClient, post: Post) -> None:
    """No request lasts long, however many letters wait; those left alone do not come again."""
    event = post.received()
    with writing(post.engine) as session:
        given_up = session.get_one(DeadLetter, post.given_up("convert", event))
        columns = {c.name: getattr(given_up, c.name) for c in DeadLetter.__table__.columns if c.name != "dropped"}
        for number in range(AT_ONCE + 50):
            other = {"id": f"{number:036}", "event_id": f"other-{number}", "document_id": None}
            session.add(DeadLetter(**columns | other))
    body: dict[str, Any] = {"filter": {"trigger": "convert"}, "dry_run": True}
    first = client.post("/api/dead-letters/replay", json=body).json()
    assert first["count"] + sum(first["skipped"].values()) == AT_ONCE
    rest = client.post("/api/dead-letters/replay", json=body | {"cursor": first["next"]}).json()
    assert rest["count"] + sum(rest["skipped"].values()) == 51 and rest["next"] is None
    assert client.post("/api/dead-letters/replay", json={"ids": [], "cursor": first["next"]}).status_code == 422
    assert client.post("/api/dead-letters/replay", json=body | {"cursor": "x"}).status_code == 400


def test_the_events_of_thousands_of_letters_are_found(post: Post) -> None:
    """More than a database takes values in one statement."""
    event = post.received()
    wanted = [DeadLetter(event_source=event.source, event_id=f"other-{number}") for number in range(33_000)]
    wanted.append(DeadLetter(event_source=event.source, event_id=event.id))
    with reading(post.engine) as session:
        assert list(archived_events(session, wanted)) == [(event.source, event.id)]


@pytest.mark.parametrize("body", [{}, {"reason": ""}, {"reason": "  "}, {"reason": "a\x00b"}, {"reason": "x" * 1001}])
def test_discarding_needs_a_reason(client: TestClient, post: Post, body: dict[str, Any]) -> None:
    letter_id = post.given_up("convert", post.received())
    assert client.post(f"/api/dead-letters/{letter_id}/discard", json=body).status_code == 422
    assert post.letter(letter_id).state == "open"


def test_many_are_discarded(client: TestClient, post: Post) -> None:
    ids = [post.given_up("convert", post.received(f"{n}.txt")) for n in range(3)]
    body = {"filter": {"trigger": "convert"}, "reason": "A test.", "dry_run": True}
    assert client.post("/api/dead-letters/discard", json=body).json()["count"] == 3
    assert {post.letter(one).state for one in ids} == {"open"}
    assert client.post("/api/dead-letters/discard", json=body | {"dry_run": False}).json()["count"] == 3
    assert {post.letter(one).state for one in ids} == {"discarded"}


def test_an_unknown_letter_is_not_found(client: TestClient) -> None:
    assert client.get("/api/dead-letters/none").status_code == 404
    assert client.post("/api/dead-letters/none/replay").status_code == 404
    assert client.post("/api/dead-letters/none/discard", json={"reason": "x"}).status_code == 404


def test_letters_of_index_mark_no_document_and_are_closed_once_the_entry_is_there(post: Post) -> None:
    """rules 18."""
    event = post.received()
    letter_id = post.given_up("index", _updated(event))
    assert post.row(event).status == "processing" and close_passed(post.engine) == 0
    post.library.change(event.subject, indexed_version=post.row(event).version)
    assert close_passed(post.engine) == 1 and post.letter(letter_id).state == "closed"


def test_a_letter_of_records_own_trigger_is_projected_and_closed(post: Post) -> None:
    """rules 18."""
    event = post.received()
    letter_id = post.given_up("record", post.converted(event))
    assert post.step(event, "convert").state == "done"
    assert close_passed(post.engine) == 1 and post.letter(letter_id).state == "closed"


def test_a_letter_about_a_held_lease_fails_no_document(post: Post) -> None:
    """rules 18."""
    event = post.received()
    post.given_up("convert", event, 409, {"code": "lease_held", "message": "somebody is at work"})
    assert post.row(event).status == "processing"


def test_a_letter_that_arrives_while_it_is_closed_stays_open(post: Post) -> None:
    event = post.received()
    letter_id = post.given_up("convert", event)
    stale = post.letter(letter_id)
    post.given_up("convert", event)
    assert not close_unchanged(post.engine, stale, None) and post.letter(letter_id).state == "open"


def test_a_letter_whose_object_is_gone_is_sent_from_the_archive(post: Post, store: ObjectStore) -> None:
    event = post.received()
    letter_id = post.given_up("convert", event)
    store.delete(post.letter(letter_id).key)
    assert replay_letters(post.engine, store, [letter_id], by="me").count == 1
    assert [queued.id for queued in post.queued()] == [event.id]


def test_a_letter_whose_event_is_nowhere_is_left_open(post: Post, store: ObjectStore) -> None:
    event = post.received()
    unknown = post.converted(event)
    letter_id = post.given_up("ocr", unknown)
    store.delete(post.letter(letter_id).key)
    assert replay_letters(post.engine, store, [letter_id], by="me").skipped == {"unreadable": 1}
    assert post.letter(letter_id).state == "open"


@pytest.mark.parametrize(("etag", "closed"), [("e1", 1), ("e2", 0)])
def test_a_letter_of_a_dropped_file_is_closed_once_the_file_was_taken_in(post: Post, etag: str, closed: int) -> None:
    created = ObjectCreated(bucket="docuelevate", key="incoming/a b.txt", etag="e1")
    event = new_event(created, source="/docuelevate/sweep", subject="incoming/a%20b.txt")
    post.record.record(event)
    letter_id = post.given_up("ingest", event)
    assert close_passed(post.engine) == 0
    entry = LedgerEntry(
        identity="i",
        bucket=created.bucket,
        key=created.key,
        etag=etag,
        document_id="d",
        runid="r",
        state="received",
        created_at=datetime.now(UTC),
    )
    with writing(post.engine) as session:
        session.add(entry)
    assert close_passed(post.engine) == closed
    assert post.letter(letter_id).state == ("closed" if closed else "open")


def test_replay_results_and_new_arrivals_at_once_end_in_one_place(post: Post, store: ObjectStore) -> None:
    """Nobody waits for another in a circle, whichever comes first; the step has passed in the end."""
    event = post.received()
    letter_id = post.given_up("convert", event)
    work: list[Callable[[], object]] = [
        lambda: replay_letters(post.engine, store, [letter_id], by="me"),
        lambda: post.given_up("convert", event),
        lambda: post.record.record(post.converted(event)),
        lambda: close_passed(post.engine),
    ]
    with ThreadPoolExecutor(8) as threads:
        for done in [threads.submit(each) for each in work * 4]:
            done.result()
    assert post.letter(letter_id).state == "closed" and post.step(event, "convert").state == "done"


def _updated(event: Event) -> Event:
    return new_event(DocumentUpdated(document_id=event.subject, version=1), source="/docuelevate/web", cause=event)
