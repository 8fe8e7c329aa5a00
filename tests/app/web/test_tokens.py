"""Tokens: what each scope opens, whose documents, how long; and that nothing of a token is kept that opens anything."""

import asyncio
import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import Engine, select, update
from starlette.datastructures import Headers
from starlette.testclient import TestClient

from local.cli import main
from shared.database.engine import open_database, reading, writing
from shared.database.tables import LOCAL_OWNER, ApiToken
from shared.database.tokens import TokenScope, issue_token
from tests.app.web.conftest import Library, MakeContext
from web.access import Guarded, Need
from web.api.routes import api_routes
from web.api.stream import Admission
from web.app import create_app
from web.authentication import identifier

SECRET = "s" * 32
STREAM = "/api/stream"

Bearer = dict[str, str]
MakeToken = Callable[..., Bearer]


@pytest.fixture
def guarded(make_client: Callable[..., TestClient]) -> Iterator[TestClient]:
    """A client of a server that wants a token."""
    with make_client(auth_enabled=True, session_secret=SECRET) as client:
        yield client


@pytest.fixture
def token(database: Engine) -> MakeToken:
    """Makes a token and gives the header that brings it."""

    def make(scope: str = "admin", owner: str = LOCAL_OWNER, expires_at: datetime | None = None) -> Bearer:
        with writing(database) as session:
            _, secret = issue_token(session, owner, "test", TokenScope(scope), expires_at)
        return {"Authorization": f"Bearer {secret}"}

    return make


def operations() -> list[tuple[str, str, Need]]:
    return [
        (route.path, method, operation.need)
        for route in api_routes()
        for method, operation in route.operations.items()
        if isinstance(route, Guarded)
    ]


def without_request_id(answer: Any) -> dict[str, Any]:
    return {name: value for name, value in answer.json()["error"].items() if name != "request_id"}


@pytest.mark.parametrize(("path", "method", "need"), operations())
@pytest.mark.parametrize("scope", ["read", "write", "admin"])
def test_a_token_reaches_what_its_scope_allows_and_no_more(
    guarded: TestClient, token: MakeToken, path: str, method: str, need: Need, scope: str
) -> None:
    method = "HEAD" if path == STREAM else method
    answer = guarded.request(method, path.replace("{id}", "x"), headers=token(scope))
    if Need[scope.upper()] < need or (need is Need.METRICS and scope != "admin"):
        assert answer.status_code == 403 and answer.json()["error"]["code"] == "forbidden"
    else:
        assert answer.status_code not in (401, 403)


@pytest.mark.parametrize(
    "authorization",
    [
        "Bearer de_" + "x" * 43,
        "Bearer",
        "Bearer ",
        "Basic {token}",
        "{token}",
        "Bearer {token}x",
        "Bearer x{token}",
        "Bearer {token} x",
        "Bearer {upper}",
        "Bearer de_",
        "Bearer " + "x" * 10_000,
        "Bearer \xe9\xe9\xe9",
        "Bearer %' OR 1=1 --",
    ],
)
def test_anything_but_the_token_is_refused(guarded: TestClient, token: MakeToken, authorization: str) -> None:
    secret = token()["Authorization"].removeprefix("Bearer ")
    given = authorization.format(token=secret, upper=secret.upper())
    answer = guarded.get("/api/documents", headers={"Authorization": given.encode("latin-1")})
    assert answer.status_code == 401 and answer.json()["error"]["code"] == "unauthenticated"
    assert answer.headers["www-authenticate"] == "Bearer"


def test_a_token_is_read_from_one_header_alone(guarded: TestClient, token: MakeToken) -> None:
    secret = token()["Authorization"].removeprefix("Bearer ")
    twice = [("Authorization", f"Bearer {secret}"), ("Authorization", f"Bearer {secret}")]
    assert guarded.get("/api/documents", headers=twice).status_code == 401
    for place in (f"?token={secret}", f"?access_token={secret}"):
        assert guarded.get(f"/api/documents{place}").status_code == 401
    assert guarded.get("/api/documents", headers={"Cookie": f"session={secret}; token={secret}"}).status_code == 401
    assert guarded.get("/api/documents", headers={"authorization": f"bearer {secret}"}).status_code == 200


def test_a_token_is_shown_once_and_kept_as_a_digest(
    guarded: TestClient, token: MakeToken, database: Engine, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    caplog.set_level(logging.DEBUG)
    admin = token()
    made = guarded.post("/api/tokens", json={"name": "scanner", "scope": "write"}, headers=admin)
    assert made.status_code == 201 and made.headers["cache-control"] == "private, no-store"
    content = made.json()
    secret = content["token"]
    assert secret.startswith(content["prefix"]) and len(secret) >= 43 and content["scope"] == "write"
    assert guarded.get("/api/documents", headers={"Authorization": f"Bearer {secret}"}).status_code == 200
    listed = guarded.get("/api/tokens", headers=admin)
    assert secret not in listed.text and listed.json()["count"] == 2
    shown = listed.json()["results"][0]
    assert (shown["name"], shown["id"]) == ("scanner", content["id"]) and "token" not in shown
    for file in tmp_path.rglob("*.db*"):
        assert secret.encode() not in file.read_bytes()
    assert secret not in caplog.text


def test_an_expired_token_opens_nothing(guarded: TestClient, token: MakeToken, database: Engine) -> None:
    assert guarded.get("/api/documents", headers=token(expires_at=datetime.now(UTC))).status_code == 401
    good = token(expires_at=datetime.now(UTC) + timedelta(days=1))
    assert guarded.get("/api/documents", headers=good).status_code == 200
    with writing(database) as session:
        session.execute(update(ApiToken).values(expires_at=datetime.now(UTC) - timedelta(seconds=1)))
    assert guarded.get("/api/documents", headers=good).status_code == 401


def test_a_removed_token_opens_nothing_from_then_on(guarded: TestClient, token: MakeToken) -> None:
    admin = token()
    made = guarded.post("/api/tokens", json={"name": "x", "scope": "read"}, headers=admin).json()
    bearer = {"Authorization": f"Bearer {made['token']}"}
    assert guarded.get("/api/documents", headers=bearer).status_code == 200
    assert guarded.delete(f"/api/tokens/{made['id']}", headers=admin).status_code == 204
    assert guarded.get("/api/documents", headers=bearer).status_code == 401
    assert guarded.delete(f"/api/tokens/{made['id']}", headers=admin).status_code == 404


def test_a_stream_ends_soon_after_its_token_was_removed(token: MakeToken, database: Engine) -> None:
    identify = identifier(database, auth_enabled=True)
    admission = Admission(Headers(token("read")), identify, check_seconds=0)
    assert asyncio.run(admission.holds())
    with writing(database) as session:
        session.delete(session.scalars(select(ApiToken)).one())
    assert not asyncio.run(admission.holds())


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({}, "name"),
        ({"name": "  "}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"name": "x", "scope": "root"}, "scope"),
        ({"name": "x", "owner": "somebody"}, "owner"),
        ({"name": "x", "token": "de_mine"}, "token"),
        ({"name": "x", "expires_at": "2001-01-01T00:00:00Z"}, "expires_at"),
        ({"name": "x", "expires_in_days": 0}, "expires_in_days"),
        ({"name": "x", "expires_in_days": 1, "expires_at": "2101-01-01T00:00:00Z"}, "expires_in_days"),
    ],
)
def test_what_makes_no_token_is_named(client: TestClient, wanted: dict[str, Any], message: str) -> None:
    answer = client.post("/api/tokens", json=wanted)
    assert answer.status_code == 422 and message in answer.json()["error"]["message"]


def test_a_token_reads_unless_more_is_asked_for_and_may_end(client: TestClient) -> None:
    made = client.post("/api/tokens", json={"name": "x", "expires_in_days": 30}).json()
    assert made["scope"] == "read" and made["last_used_at"] is None
    left = datetime.fromisoformat(made["expires_at"]) - datetime.now(UTC)
    assert timedelta(days=29) < left <= timedelta(days=30)
    zoned = client.post("/api/tokens", json={"name": "y", "expires_at": "2101-01-01T02:00:00+02:00"}).json()
    assert zoned["expires_at"] == "2101-01-01T00:00:00Z"


def test_use_is_noted_to_the_minute(guarded: TestClient, token: MakeToken, database: Engine) -> None:
    bearer = token()

    def last_used() -> datetime | None:
        with reading(database) as session:
            return session.scalars(select(ApiToken.last_used_at)).one()

    guarded.get("/api/documents", headers=bearer)
    first = last_used()
    assert first is not None
    guarded.get("/api/documents", headers=bearer)
    assert last_used() == first
    with writing(database) as session:
        session.execute(update(ApiToken).values(last_used_at=first - timedelta(minutes=2)))
    guarded.get("/api/documents", headers=bearer)
    assert first <= (last_used() or first - timedelta(days=1))


def test_of_what_belongs_to_others_nothing_is_told(guarded: TestClient, token: MakeToken, library: Library) -> None:
    theirs = library.ready("secret.txt", text="unheard of")
    mine, unknown = token(owner="me"), "01900000-0000-7000-8000-000000000000"
    bodies = {"PATCH": {"metadata": {"title": "x"}}, "POST": {"from": "ocr", "password": "x"}}
    for path, method, _need in operations():
        if "documents/{id}" not in path:
            continue
        body = {"password": "x"} if path.endswith("unlock") else bodies.get(method) and dict(bodies[method])
        if path.endswith("replay"):
            body = {"from": "ocr"}
        answers = [
            guarded.request(method, path.replace("{id}", each), headers=mine, json=body) for each in (theirs, unknown)
        ]
        assert [answer.status_code for answer in answers] == [404, 404], (method, path)
        assert without_request_id(answers[0]) == without_request_id(answers[1])
    for path in ("/api/documents", "/api/documents?trashed=true", "/api/events", "/api/facets", "/api/status"):
        assert theirs not in guarded.get(path, headers=mine).text and "secret" not in guarded.get(path).text
    assert guarded.get("/api/documents", headers=mine).json()["count"] == 0
    assert guarded.get("/api/facets", headers=mine).json()["status"] == []
    assert guarded.get(f"/api/documents/{theirs}", headers=token()).status_code == 200


def test_equal_files_of_two_people_are_two_documents(guarded: TestClient, token: MakeToken) -> None:
    ids = set()
    for owner in ("ann", "ben"):
        answer = guarded.post("/api/documents", files={"file": ("a.txt", b"same")}, headers=token(owner=owner))
        (document,) = answer.json()["documents"]
        assert answer.status_code == 202 and document["duplicate_of"] is None
        ids.add(document["id"])
    assert len(ids) == 2


def test_tokens_of_others_are_neither_listed_nor_removed(guarded: TestClient, token: MakeToken) -> None:
    ann, ben = token(owner="ann"), token(owner="ben")
    made = guarded.post("/api/tokens", json={"name": "ann's"}, headers=ann).json()
    assert guarded.get("/api/tokens", headers=ben).json()["count"] == 1
    assert guarded.delete(f"/api/tokens/{made['id']}", headers=ben).status_code == 404
    assert guarded.get("/api/tokens", headers=ann).json()["count"] == 2


def test_while_the_database_is_away_nobody_is_told_that_a_token_is_wrong(
    make_context: MakeContext, token: MakeToken
) -> None:
    away = open_database("postgresql://nobody@127.0.0.1:1/none")
    context = replace(make_context(auth_enabled=True, session_secret=SECRET), engine=away)
    with TestClient(create_app(context), base_url="http://localhost") as client:
        answer = client.get("/api/documents", headers=token())
        assert answer.status_code == 503 and answer.json()["error"]["code"] == "unavailable"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert client.get("/api/health", headers=token()).status_code == 200
        assert client.get("/api/documents").status_code == 401


def test_without_authentication_a_token_is_not_asked_for_nor_looked_at(client: TestClient) -> None:
    assert client.get("/api/documents", headers={"Authorization": "Bearer nonsense"}).status_code == 200


def test_the_command_line_makes_the_first_token(tmp_path: Path) -> None:
    environment = {"DATA_DIR": str(tmp_path / "data"), "DATABASE_URL": None}
    run = CliRunner()
    early = run.invoke(main, ["token", "create", "first"], env=environment)
    assert early.exit_code == 1 and "docuelevate migrate" in early.stderr
    run.invoke(main, ["migrate"], env=environment, catch_exceptions=False)
    plain = run.invoke(main, ["token", "create", "first", "--scope", "admin"], env=environment)
    assert plain.exit_code == 0 and plain.stdout.startswith("de_") and len(plain.stdout.split()) == 1
    made = run.invoke(main, ["token", "create", "second", "--expires-days", "3", "--json"], env=environment)
    content = json.loads(made.stdout)
    assert content["scope"] == "read" and content["expires_at"]
    identify = identifier(open_database(f"sqlite:///{tmp_path / 'data' / 'docuelevate.db'}"), auth_enabled=True)
    first = asyncio.run(identify(Headers({"Authorization": f"Bearer {plain.stdout.strip()}"})))
    second = asyncio.run(identify(Headers({"Authorization": f"Bearer {content['token']}"})))
    assert first and second and (first.owner, first.scope, second.scope) == (LOCAL_OWNER, Need.ADMIN, Need.READ)
