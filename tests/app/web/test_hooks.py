"""POST /hooks/s3: who may tell, what comes of it, and that nothing told is believed (contract §5; rules 16)."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from httpx import Response
from sqlalchemy import Engine, select
from starlette.testclient import TestClient

from functions.ingest.handler import Ingester
from shared.database.engine import reading
from shared.database.tables import Document, LedgerEntry, OutboxEvent
from shared.documents import Step
from shared.errors import Unavailable
from shared.events import Event, from_json
from shared.step import Deadline, StepContext
from shared.storage.directory import DirectoryObjectStore
from shared.storage.port import ObjectInfo
from tests.unit.web.hooks.test_notifications import ENCODED, KEY, MINIO, S3, TEST_EVENT, record, sqs

TOKEN = "a-token/of+the=store"
Client = Callable[..., TestClient]


class Store:
    """The bucket that the notifications are about, and the server that takes them."""

    def __init__(self, engine: Engine, objects: DirectoryObjectStore, client: TestClient, root: Path) -> None:
        self.engine, self.objects, self.client, self.root = engine, objects, client, root

    def drop(self, key: str = KEY, body: bytes = b"to pay") -> None:
        path = self.root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)

    def tell(self, content: object, token: str | None = TOKEN, **headers: str) -> Response:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        known = {"Authorization": f"Bearer {token}"} if token is not None else {}
        answer: Response = self.client.post("/hooks/s3", content=body, headers=known | headers)
        return answer

    def queued(self) -> list[Event]:
        with reading(self.engine) as session:
            rows = session.scalars(select(OutboxEvent).order_by(OutboxEvent.number))
            events = [from_json(row.body) for row in rows]
        return [event for event in events if event.type.endswith("object.created.v1")]

    def ingest(self, event: Event, *, keep_incoming: bool = False) -> Event | None:
        context = StepContext(Step.INGEST, "1", event, self.objects, Deadline.after(60))
        return Ingester(self.engine, self.objects, keep_incoming=keep_incoming).ingest(context, event.data())

    def rows(self, table: type[Any]) -> list[Any]:
        with reading(self.engine) as session:
            return list(session.scalars(select(table)))


@pytest.fixture
def database(engine: Engine) -> Engine:
    """Both kinds."""
    return engine


@pytest.fixture
def told(database: Engine, store: DirectoryObjectStore, make_client: Client, tmp_path: Path) -> Store:
    return Store(database, store, make_client(s3_webhook_token=TOKEN), tmp_path / "objects")


def test_a_dropped_object_that_was_told_of_becomes_a_document(told: Store) -> None:
    told.drop()
    answer = told.tell(MINIO)
    assert (answer.status_code, answer.json()) == (202, {"accepted": 1, "ignored": 0})
    [event] = told.queued()
    head = told.objects.head(KEY)
    assert head is not None
    assert (event.source, event.type) == ("/docuelevate/web", "org.docuelevate.object.created.v1")
    assert event.subject == "incoming/a%20b%2B%C3%BC.pdf"
    assert (event.payload["key"], event.payload["etag"], event.payload["size"]) == (KEY, head.etag, 6)
    assert told.ingest(event) is not None
    assert [row.filename for row in told.rows(Document)] == ["a b+ü.pdf"]


def test_one_object_told_of_many_times_is_one_event_and_one_document(told: Store) -> None:
    """rules 16"""
    told.drop()
    for content in (S3, S3, MINIO, sqs(S3), {"Records": [record()] * 5}):
        assert told.tell(content).status_code == 202
    [event] = told.queued()
    first = told.ingest(event, keep_incoming=True)
    assert told.ingest(event) == first
    assert told.tell(S3).status_code == 202
    assert len(told.rows(Document)) == 1


def test_what_ingest_has_taken_over_already_is_not_announced_again(told: Store) -> None:
    told.drop()
    told.tell(S3)
    told.ingest(told.queued()[0], keep_incoming=True)
    before = len(told.queued())
    with told.engine.begin() as connection:
        connection.execute(OutboxEvent.__table__.delete())  # type: ignore[attr-defined]
    assert before == 1
    assert told.tell(S3).status_code == 202
    assert told.queued() == []


def test_new_bytes_under_the_same_name_are_another_event(told: Store) -> None:
    told.drop(body=b"one")
    told.tell(S3)
    told.drop(body=b"two!")
    told.tell(S3)
    first, second = told.queued()
    assert first.id != second.id
    told.ingest(first)
    told.ingest(second)
    assert [row.size for row in told.rows(Document)] == [4], "only what was there is taken over"


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": f"Bearer {TOKEN}x"},
        {"Authorization": "Bearer "},
        {"Authorization": TOKEN},
        {"Authorization": f"Digest {TOKEN}"},
        {"Authorization": "Basic !!!"},
        {"Authorization": "Basic " + base64.b64encode(f"{TOKEN}:".encode()).decode()},
        {"Authorization": "Bearer \xff\xfe"},
    ],
)
def test_a_wrong_token_is_refused_whatever_the_body(told: Store, given: dict[str, str]) -> None:
    headers = {name: value.encode("latin-1") for name, value in given.items()}
    for body in (json.dumps(S3).encode(), b"no json", b"x" * 3_000_000):
        answer = told.client.post("/hooks/s3", content=body, headers=headers)  # type: ignore[arg-type]
        assert answer.status_code == 401
        assert answer.json()["error"]["code"] == "unauthenticated"
    assert told.queued() == []


def test_two_tokens_are_none(told: Store) -> None:
    headers = [("Authorization", f"Bearer {TOKEN}"), ("Authorization", f"Bearer {TOKEN}")]
    assert told.client.post("/hooks/s3", content=b"{}", headers=headers).status_code == 401


def test_the_token_may_be_a_password(told: Store) -> None:
    told.drop()
    basic = base64.b64encode(f"ceph:{TOKEN}".encode()).decode()
    assert told.tell(S3, token=None, Authorization=f"Basic {basic}").status_code == 202


def test_without_a_configured_token_nobody_has_the_right_one(make_client: Client) -> None:
    for given in ({}, {"Authorization": "Bearer "}, {"Authorization": "Basic Og=="}):
        answer = make_client().post("/hooks/s3", content=b"{}", headers=given)
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "hook_not_configured")


def test_the_hook_knows_no_other_token_and_its_own_opens_nothing_else(make_client: Client) -> None:
    client = make_client(s3_webhook_token=TOKEN, auth_enabled=True, session_secret="s" * 32)
    with client:
        assert client.get("/api/documents", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 401
        answer = client.post("/hooks/s3", json={"Records": []}, headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 202


def test_the_store_may_call_the_server_by_any_name(told: Store) -> None:
    assert told.tell({"Records": []}, Host="docuelevate-web.docuelevate.svc").status_code == 202


def test_other_methods_are_none(told: Store) -> None:
    assert told.client.get("/hooks/s3").status_code == 405


@pytest.mark.parametrize("content", [TEST_EVENT, sqs(TEST_EVENT)])
def test_a_test_event_is_answered_well(told: Store, content: object) -> None:
    assert told.tell(content).status_code == 200


@pytest.mark.parametrize(
    "content",
    [
        {"Records": [record(name="ObjectRemoved:Delete")]},
        {"Records": [record(key="documents%2Fx%2Foriginal")]},
        {"Records": [record(key="incomingx%2Fa.pdf")]},
        {"Records": [record(key="incoming%2Ffolder%2F")]},
        {"Records": [record(key="incoming%2F..%2Fdocuments%2Fx")]},
        {"Records": [record(key="incoming%2Fa%00b")]},
        {"Records": [record(key="incoming%2F" + "x" * 2000)]},
        {"Records": [record(key="")]},
        {"Records": [record() | {"s3": {"bucket": {"name": "another"}, "object": {"key": ENCODED}}}]},
        {"Records": [{}]},
        {"Records": []},
    ],
)
def test_what_will_never_be_taken_in_is_accepted_and_left(told: Store, content: object) -> None:
    """A sender with a queue repeats everything else for ever; and no loop can come to be."""
    answer = told.tell(content)
    assert answer.status_code == 202
    assert answer.json()["accepted"] == 0
    assert told.queued() == []


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "invalid_json"),
        (b"<xml/>", 400, "invalid_json"),
        (b"[" * 900_000, 400, "invalid_json"),
        (b"{}", 422, "unknown_notification"),
        (b'{"Records": ' + b"[" * 150 + b"]" * 150 + b"}", 202, None),
        (b" " * (1024 * 1024 + 1), 413, "too_large"),
    ],
)
def test_a_body_that_is_no_notification_is_told_so(told: Store, body: bytes, status: int, code: str | None) -> None:
    answer = told.tell(body)
    assert answer.status_code == status
    assert answer.json().get("error", {}).get("code") == code


def test_a_key_that_the_sender_did_not_encode_is_found(told: Store) -> None:
    told.drop("incoming/1+1.pdf")
    told.tell({"Records": [record(key="incoming/1+1.pdf")]})
    assert [event.payload["key"] for event in told.queued()] == ["incoming/1+1.pdf"]


def test_an_object_that_is_not_to_be_seen_yet_is_announced_as_it_was_told(told: Store) -> None:
    """The failure matrix's F13: whether it is there is looked at by ingest, and then by sweep."""
    assert told.tell(S3).json()["accepted"] == 1
    told.tell(S3)
    [event] = told.queued()
    assert (event.payload["key"], event.payload["version_id"], event.payload["etag"]) == (KEY, "v1", "e1")
    assert told.ingest(event) is None
    assert [entry.state for entry in told.rows(LedgerEntry)] == ["rejected"]
    told.drop()
    told.tell(S3)
    assert told.ingest(told.queued()[-1]) is not None, "it is taken in once it is there"


class Away(DirectoryObjectStore):
    """A store that does not answer."""

    def head(self, key: str) -> ObjectInfo | None:
        raise Unavailable("the object store does not answer")


@pytest.fixture
def away(tmp_path: Path) -> DirectoryObjectStore:
    return Away(tmp_path / "objects")


def test_a_store_that_does_not_answer_loses_no_notification(
    database: Engine, away: DirectoryObjectStore, make_context: Any, tmp_path: Path
) -> None:
    from dataclasses import replace

    from web.app import create_app

    context = replace(make_context(s3_webhook_token=TOKEN), store=away)
    told = Store(database, away, TestClient(create_app(context), base_url="http://localhost"), tmp_path)
    assert told.tell(S3).json() == {"accepted": 1, "ignored": 0}
    assert [event.payload["key"] for event in told.queued()] == [KEY]


def test_a_database_that_is_away_is_an_error_that_passes(told: Store, tmp_path: Path, make_context: Any) -> None:
    from dataclasses import replace

    from shared.database.engine import open_database
    from web.app import create_app

    gone = open_database(f"sqlite:///{tmp_path / 'missing' / 'db'}")
    client = TestClient(create_app(replace(make_context(s3_webhook_token=TOKEN), engine=gone)), base_url="http://h")
    told.drop()
    answer = client.post("/hooks/s3", json=S3, headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 503
