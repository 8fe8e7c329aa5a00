"""Who gets at the metrics, and what web counts of its own requests."""

from collections.abc import Callable

import pytest
from prometheus_client.parser import text_string_to_metric_families
from pydantic import ValidationError
from sqlalchemy import Engine
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient

from shared.database.engine import writing
from shared.database.tables import LOCAL_OWNER
from shared.database.tokens import TokenScope, issue_token
from tests.app.web.conftest import Library, MakeContext
from tests.app.web.test_protection import SECRET, Broken
from web.access import Guarded, Need, Operation
from web.app import create_app
from web.settings import WebSettings

TOKEN = "m" * 32


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture
def guarded(make_client: Callable[..., TestClient]) -> TestClient:
    return make_client(
        auth_enabled=True, session_secret=SECRET, metrics_token=TOKEN, external_hostname="docs.example.org"
    )


def requests(client: TestClient, **labels: str) -> float:
    """How many requests with these labels were counted."""
    families = text_string_to_metric_families(client.get("/metrics").text)
    return sum(
        each.value
        for family in families
        for each in family.samples
        if each.name == "docuelevate_http_requests_total" and labels.items() <= each.labels.items()
    )


def test_without_authentication_they_are_as_open_as_all_else(client: TestClient) -> None:
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert client.get("/metrics", headers={"host": "evil.example"}).status_code == 403
    assert "docuelevate_documents" in answer.text


def test_their_token_opens_the_metrics_and_nothing_else(guarded: TestClient) -> None:
    # Prometheus asks the pod by its address, which is not the external name.
    headers = bearer(TOKEN) | {"host": "10.1.2.3:8000"}
    assert guarded.get("/metrics", headers=headers).status_code == 200
    headers = bearer(TOKEN) | {"host": "docs.example.org"}
    for path in ("/api/documents", "/api/status", "/api/sweep", "/api/tokens", "/docs"):
        assert guarded.get(path, headers=headers).status_code == 403, path
    assert guarded.post("/api/documents", headers=headers).status_code == 403


@pytest.mark.parametrize("given", ["", TOKEN[:-1], TOKEN + "m", TOKEN.upper(), "\xe9" * 32])
def test_nobody_else_reads_them(guarded: TestClient, given: str) -> None:
    headers = {"Authorization": f"Bearer {given}".encode("latin-1")} if given else {}
    assert guarded.get("/metrics", headers=headers).status_code == 401


@pytest.mark.parametrize(("scope", "status"), [("read", 403), ("write", 403), ("admin", 200)])
def test_of_the_tokens_of_people_an_administrators_will_do(
    guarded: TestClient, database: Engine, scope: str, status: int
) -> None:
    with writing(database) as session:
        _, token = issue_token(session, LOCAL_OWNER, "test", TokenScope(scope), None)
    assert guarded.get("/metrics", headers=bearer(token)).status_code == status


@pytest.mark.parametrize("token", ["short", "\xe9" * 32])
def test_a_token_that_can_be_guessed_or_not_be_sent_does_not_start(token: str) -> None:
    with pytest.raises(ValidationError, match="METRICS_TOKEN"):
        WebSettings.model_validate({"metrics_token": token})


def test_requests_are_counted_by_route_and_not_by_path(client: TestClient, library: Library) -> None:
    document_id = library.ready()
    for name in (document_id, "x", "y"):
        client.get(f"/api/documents/{name}")
    client.get("/api/nothing/at/all")
    client.request("BREW", "/api/documents")
    client.get("/api/documents", headers={"host": "evil.example"})
    assert requests(client, route="/api/documents/{id}", status="2xx") == 1
    assert requests(client, route="/api/documents/{id}", status="4xx", method="GET") == 2
    assert requests(client, route="none", status="4xx", method="GET") == 2
    assert requests(client, method="other") == 1
    text = client.get("/metrics").text
    assert document_id not in text and "BREW" not in text and "/nothing" not in text
    assert 'docuelevate_http_request_duration_seconds_count{method="GET",route="/api/documents/{id}"} 3.0' in text


def test_a_bug_is_counted_as_one(make_context: MakeContext) -> None:
    def broken(request: object) -> PlainTextResponse:
        raise ZeroDivisionError

    app = create_app(make_context(), Broken(Guarded("/api/broken", {"GET": Operation(broken, Need.READ)})))
    with TestClient(app, base_url="http://localhost", raise_server_exceptions=False) as client:
        client.get("/api/broken")
        assert requests(client, route="/api/broken", status="5xx") == 1


def test_the_api_describes_them(client: TestClient) -> None:
    described = client.get("/api/openapi.json").json()["paths"]["/metrics"]["get"]
    assert described["x-scope"] == "metrics" and "text/plain" in described["responses"]["200"]["content"]
