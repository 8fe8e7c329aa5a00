"""PATCH, trash, restore, purge, replay: the row, the conflict, and the event that tells of it."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Engine, func, select
from starlette.testclient import TestClient

from shared.database.engine import reading, writing
from shared.database.tables import (
    ArchivedEvent,
    ContentClaim,
    Document,
    DocumentTag,
    IdempotencyKey,
    LedgerEntry,
    OutboxEvent,
    Tombstone,
)
from shared.documents import new_document_id
from shared.events import DocumentReceived, Event, ObjectCreated, from_json, new_event
from shared.metadata import Metadata
from shared.storage import keys
from tests.app.web.conftest import Library, read_value


def queued(database: Engine, document_id: str) -> list[Event]:
    """The events in the outbox that tell of a document, without its first."""
    with reading(database) as session:
        query = select(OutboxEvent).where(OutboxEvent.document_id == document_id).order_by(OutboxEvent.number)
        return [from_json(row.body) for row in session.scalars(query)][1:]


def short(event: Event) -> str:
    return event.type.removeprefix("org.docuelevate.").removesuffix(".v1")


@pytest.fixture
def document(library: Library) -> str:
    machine = Metadata(title=read_value("Read title"), sender=read_value("ACME"))
    return library.ready("letter.txt", metadata=machine)


def test_patch_sets_and_locks_and_wakes_the_index(client: TestClient, database: Engine, document: str) -> None:
    values = {
        "title": "  My title ",
        "tags": ["a", "b"],
        "total": {"value": "1.50", "currency": "EUR"},
        "document_date": "2026-02-28",
        "document_type": "invoice",
        "summary": None,
    }
    answer = client.patch(f"/api/documents/{document}", json={"metadata": values})
    shown = answer.json()
    assert answer.status_code == 200 and answer.headers["etag"] == '"2"'
    assert shown["title"] == "My title" and shown["metadata"]["title"]["origin"] == "user"
    assert shown["metadata"]["title"]["locked"] and shown["locked"] == sorted(values)
    assert shown["tags"] == ["a", "b"] and shown["document_type"] == "invoice" and shown["sender"] == "ACME"
    (event,) = queued(database, document)
    assert short(event) == "document.updated" and event.payload["version"] == 2 and event.runid == shown["runid"]


def test_a_field_given_back_shows_what_the_machine_read(client: TestClient, document: str) -> None:
    here = f"/api/documents/{document}"
    client.patch(here, json={"metadata": {"title": "Mine", "sender": "Mine"}})
    shown = client.patch(here, json={"metadata": {"title": None}, "unlock": ["title"]}).json()
    assert shown["title"] == "Read title" and shown["metadata"]["title"]["origin"] == "rule"
    assert shown["locked"] == ["sender"]


def test_a_field_set_to_null_stays_empty(client: TestClient, document: str) -> None:
    shown = client.patch(f"/api/documents/{document}", json={"metadata": {"sender": None}}).json()
    assert shown["metadata"]["sender"] is None and shown["locked"] == ["sender"]


def test_a_patch_that_changes_nothing_tells_nobody(client: TestClient, database: Engine, document: str) -> None:
    for _ in range(2):
        assert client.patch(f"/api/documents/{document}", json={"metadata": {"title": "Mine"}}).status_code == 200
    assert len(queued(database, document)) == 1


@pytest.mark.parametrize(
    ("if_match", "status"), [('"1"', 200), ("1", 200), ("*", 200), ('W/"1"', 200), ('"2"', 412), ("x", 412)]
)
def test_if_match(client: TestClient, document: str, if_match: str, status: int) -> None:
    headers = {"If-Match": if_match}
    answer = client.patch(f"/api/documents/{document}", json={"metadata": {"title": "x"}}, headers=headers)
    assert answer.status_code == status
    if status == 412:
        assert answer.json()["error"]["code"] == "version_conflict" and answer.headers["etag"] == '"1"'


@pytest.mark.parametrize(
    "body",
    [
        {"metadata": {"colour": "red"}},
        {"metadata": {"owner": "me"}},
        {"metadata": {"title": 7}},
        {"metadata": {"title": "x" * 10_001}},
        {"metadata": {"document_date": "2026-02-30"}},
        {"metadata": {"document_date": "31.1.2026"}},
        {"metadata": {"document_type": "poem"}},
        {"metadata": {"total": "12"}},
        {"metadata": {"total": {"value": "twelve"}}},
        {"metadata": {"total": {"value": "\u0661\u0662"}}},
        {"metadata": {"total": {"value": "9" * 41}}},
        {"metadata": {"language": "not a language"}},
        {"metadata": {"language": "de-" + "x" * 20}},
        {"metadata": {"tags": "a"}},
        {"metadata": {"tags": [1]}},
        {"metadata": {"tags": ["a"] * 201}},
        {"metadata": {"title": "x"}, "unlock": ["title"]},
        {"unlock": ["colour"]},
        {"owner": "me"},
        [],
        {"metadata": []},
    ],
)
def test_wrong_patches_are_refused(client: TestClient, database: Engine, document: str, body: object) -> None:
    answer = client.patch(f"/api/documents/{document}", json=body)
    assert answer.status_code == 422 and answer.json()["error"]["message"]
    assert queued(database, document) == []


@pytest.mark.parametrize(
    ("content", "content_type", "status"),
    [
        (b"{", "application/json", 400),
        (b"{}", "text/plain", 415),
        (b" " * 1_100_000, "application/json", 413),
        (b"[" * 100_000, "application/json", 400),
        (b'{"metadata": {"title": "\\ud800"}}', "application/json", 400),
        (b'{"unlock": ["\\ud800"]}', "application/json", 400),
        (b'{"metadata": {"\\udfff": "x"}}', "application/json", 400),
        (b'{"metadata": {"total": {"value": NaN}}}', "application/json", 400),
    ],
)
def test_bodies_that_are_no_json(
    client: TestClient, document: str, content: bytes, content_type: str, status: int
) -> None:
    answer = client.patch(f"/api/documents/{document}", content=content, headers={"content-type": content_type})
    assert answer.status_code == status


def test_trash_and_restore(client: TestClient, database: Engine, document: str) -> None:
    here = f"/api/documents/{document}"
    for _ in range(2):
        assert client.delete(here).json()["status"] == "trashed"
    assert client.get("/api/documents").json()["count"] == 0
    assert client.get("/api/documents?trashed=true").json()["count"] == 1
    assert client.patch(here, json={"metadata": {"title": "x"}}).json()["error"]["code"] == "trashed"
    assert client.post(f"{here}/replay", json={"from": "ocr"}).status_code == 409
    for _ in range(2):
        assert client.post(f"{here}/restore").json()["status"] == "ready"
    assert [short(event) for event in queued(database, document)] == ["document.deleted", "document.restored"]


def test_a_restored_document_stands_where_its_run_came_to(client: TestClient, library: Library) -> None:
    document_id = library.received()
    client.delete(f"/api/documents/{document_id}")
    assert client.post(f"/api/documents/{document_id}/restore").json()["status"] == "processing"
    client.delete(f"/api/documents/{document_id}")
    library.change(document_id, code="corrupt", message="It is damaged.")
    assert client.post(f"/api/documents/{document_id}/restore").json()["status"] == "attention"


def test_purge_leaves_a_tombstone_and_nothing_else(
    client: TestClient, library: Library, database: Engine, document: str
) -> None:
    secret = "incoming/Secret name.pdf"
    source = library.store.put(secret, b"source", media_type="application/pdf")
    created = new_event(
        ObjectCreated(bucket="b", key=secret), source="/docuelevate/web", subject="incoming/Secret%20name.pdf"
    )
    with writing(database) as session:
        received = DocumentReceived(
            document_id=document,
            original=source,
            filename="Secret name.pdf",
            media_type="x",
            size=1,
            sha256="x",
            channel="s3",
        )
        for event, about in ((created, None), (new_event(received, source="/docuelevate/web"), document)):
            session.add(archived(event, about))
        session.add(ledger(document, secret, source.etag))
    here = f"/api/documents/{document}"
    for _ in range(2):
        assert client.delete(f"{here}?purge=true").status_code == 204
    assert client.get(here).status_code == 404
    assert library.store.head(keys.tombstone(document)) is not None
    assert list(library.store.list("documents/")) == [] and library.store.head(secret) is None
    with reading(database) as session:
        for table in (Document, ContentClaim, DocumentTag):
            assert session.scalar(select(func.count()).select_from(table)) == 0
        assert session.get_one(Tombstone, document).version == 2
        assert not any("Secret" in row.body + row.subject for row in session.scalars(select(ArchivedEvent)))
        (told,) = session.scalars(select(OutboxEvent)).all()
    assert short(from_json(told.body)) == "document.purged"
    assert client.post("/api/documents", files={"file": ("letter.txt", b"letter.txt")}).status_code == 202


def test_a_purged_document_is_named_in_no_kept_answer(client: TestClient, database: Engine) -> None:
    """Rules 23. A client that repeats its upload brings nothing back: it is told which document it was."""

    def send() -> tuple[int, str]:
        files = [("file", ("Geheim.txt", b"gone")), ("file", ("other.txt", b"stays"))]
        answer = client.post("/api/documents", files=files, headers={"Idempotency-Key": "k"})
        return answer.status_code, answer.json()["documents"][0]["id"]

    status, document_id = send()
    assert client.delete(f"/api/documents/{document_id}?purge=true").status_code == 204
    with reading(database) as session:
        kept = str(session.scalars(select(IdempotencyKey.answer)).one())
    assert "Geheim" not in kept and "other.txt" in kept
    assert send() == (status, document_id)
    assert client.get(f"/api/documents/{document_id}").status_code == 404


def test_purge_needs_permission(make_client: Callable[..., TestClient], document: str) -> None:
    with make_client(allow_file_delete=False) as client:
        answer = client.delete(f"/api/documents/{document}?purge=true")
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "file_delete_disabled")
        assert client.get(f"/api/documents/{document}").status_code == 200


@pytest.mark.parametrize(
    ("missing", "start", "expected", "event_type"),
    [
        ((), "convert", "convert", "document.received"),
        ((), "ocr", "ocr", "document.converted"),
        ((), "enrich", "enrich", "document.recognized"),
        (("recognized",), "enrich", "ocr", "document.converted"),
        (("recognized", "converted"), "enrich", "convert", "document.received"),
        (("converted",), "ocr", "convert", "document.received"),
    ],
)
def test_a_replay_starts_where_results_end(
    client: TestClient,
    library: Library,
    database: Engine,
    document: str,
    missing: tuple[str, ...],
    start: str,
    expected: str,
    event_type: str,
) -> None:
    library.change(document, **dict.fromkeys(missing))
    before = client.get(f"/api/documents/{document}").json()
    body = {"from": start, "force": True, "options": {"language": "fr"}}
    answer = client.post(f"/api/documents/{document}/replay", json=body)
    after = client.get(f"/api/documents/{document}").json()
    assert answer.status_code == 202 and answer.json()["started_at_step"] == expected
    assert answer.json()["runid"] == after["runid"] != before["runid"]
    assert after["status"] == "processing" and after["run_from"] == expected and after["version"] == before["version"]
    states = {step["step"]: step["state"] for step in after["steps"]}
    steps = ["convert", "ocr", "enrich"]
    assert states == {step: "done" if steps.index(step) < steps.index(expected) else "waiting" for step in steps}
    (event,) = queued(database, document)
    assert short(event) == event_type and event.runid == after["runid"]
    assert event.payload["options"]["force"] == start and event.payload["options"]["language"] == "fr"
    assert event.data()


def test_a_replay_does_not_trust_results_of_other_inputs(client: TestClient, library: Library, document: str) -> None:
    with reading(library.engine) as session:
        converted: dict[str, Any] = dict(session.get_one(Document, document).converted or {})
    library.change(document, converted=converted | {"fingerprint": "newer"})
    answer = client.post(f"/api/documents/{document}/replay", json={"from": "enrich"})
    assert answer.json()["started_at_step"] == "ocr"


def test_options_stay_and_force_does_not(client: TestClient, database: Engine, document: str) -> None:
    here = f"/api/documents/{document}/replay"
    client.post(here, json={"from": "ocr", "force": True, "options": {"language": "fr"}})
    client.post(here, json={"from": "ocr"})
    options = queued(database, document)[-1].payload["options"]
    assert options["language"] == "fr" and options["force"] is None


def test_waking_the_index_starts_no_run(client: TestClient, database: Engine, document: str) -> None:
    before = client.get(f"/api/documents/{document}").json()
    for _ in range(2):
        answer = client.post(f"/api/documents/{document}/replay", json={"from": "index"})
        assert answer.status_code == 202 and answer.json()["runid"] == before["runid"]
    assert client.get(f"/api/documents/{document}").json()["status"] == "ready"
    assert [short(event) for event in queued(database, document)] == ["document.updated"] * 2


@pytest.mark.parametrize(
    "body", [{"from": "index2"}, {"from": "ocr", "force": "perhaps"}, {"options": {"unlocked": {}}}, {"step": "ocr"}]
)
def test_wrong_replays_are_refused(client: TestClient, document: str, body: dict[str, Any]) -> None:
    assert client.post(f"/api/documents/{document}/replay", json=body).status_code == 422


@pytest.mark.parametrize(
    ("method", "path"),
    [("PATCH", ""), ("DELETE", ""), ("DELETE", "?purge=true"), ("POST", "/restore"), ("POST", "/replay")],
)
def test_anothers_document_cannot_be_changed(client: TestClient, library: Library, method: str, path: str) -> None:
    theirs = library.received("theirs.txt", owner="somebody")
    for document_id in (theirs, new_document_id()):
        answer = client.request(method, f"/api/documents/{document_id}{path}", json={})
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


def archived(event: Event, document_id: str | None) -> ArchivedEvent:
    return ArchivedEvent(
        source=event.source,
        id=event.id,
        type=event.type,
        subject=event.subject,
        document_id=document_id,
        runid=event.runid,
        time=event.time,
        recorded_at=event.time,
        body=event.to_json(),
    )


def ledger(document_id: str, key: str, etag: str) -> LedgerEntry:
    return LedgerEntry(
        identity="i",
        bucket="docuelevate",
        key=key,
        etag=etag,
        document_id=document_id,
        runid="r",
        state="done",
        created_at=datetime.now(UTC),
    )
