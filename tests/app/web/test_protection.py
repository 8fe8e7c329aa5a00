"""Who reaches what: hosts, origins, needs of routes, headers, and errors that tell nothing of the inside."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from pydantic import ValidationError
from starlette.responses import PlainTextResponse
from starlette.routing import BaseRoute, Route
from starlette.testclient import TestClient

from shared.database.engine import open_database
from tests.app.web.conftest import Library, MakeContext
from web.access import Guarded, GuardedMount, Need, Operation, page
from web.api.routes import api_routes
from web.app import UnguardedRoute, create_app
from web.context import Context
from web.errors import RequestError
from web.pages import routes as page_routes
from web.settings import WebSettings

SECRET = "s" * 32
PUBLIC = {"/api/health", "/api/ready", "/static"}


class Broken:
    """Pages with one that fails, and one that nobody guarded."""

    def __init__(self, *routes: BaseRoute) -> None:
        self._routes = list(routes)

    def routes(self, context: Context) -> list[BaseRoute]:
        return self._routes

    def error_page(self, request: object, error: RequestError) -> PlainTextResponse:
        return PlainTextResponse(f"page: {error.code}", error.status_code)


def every_route(context: Context) -> list[BaseRoute]:
    return [*api_routes(), *page_routes(context)]


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("localhost:8000", 200),
        ("LOCALHOST:1234", 200),
        ("127.0.0.1:8000", 200),
        ("[::1]:8000", 200),
        ("localhost.:8000", 200),
        ("evil.example", 403),
        ("localhost.evil.example", 403),
        ("evil.example:8000", 403),
        ("127.0.0.1.nip.io", 403),
        ("user@evil.example", 403),
        ("", 403),
        ("[::1", 403),
    ],
)
def test_only_our_own_names_are_answered(client: TestClient, host: str, status: int) -> None:
    assert client.get("/api/documents", headers={"host": host}).status_code == status
    assert client.get("/api/health", headers={"host": host}).status_code == 200


def test_the_external_name_is_ours(make_client: Callable[..., TestClient]) -> None:
    with make_client(external_hostname="docs.example.org") as client:
        assert client.get("/api/documents", headers={"host": "docs.example.org"}).status_code == 200


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({}, True),
        ({"Origin": "http://localhost:8000"}, True),
        ({"Origin": "http://localhost:8000", "Sec-Fetch-Site": "same-origin"}, True),
        ({"Origin": "http://localhost:3000"}, False),
        ({"Origin": "http://127.0.0.1:8000"}, False),
        ({"Origin": "http://evil.example"}, False),
        ({"Origin": "null"}, False),
        ({"Origin": ""}, False),
        ({"Origin": "http://["}, False),
        ({"Sec-Fetch-Site": "none"}, True),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}, False),
        ({"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors"}, False),
    ],
)
@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/api/documents"), ("DELETE", "/api/documents/x"), ("GET", "/api/documents"), ("HEAD", "/api/stream")],
)
def test_other_sites_cannot_use_the_browser(
    client: TestClient, headers: dict[str, str], allowed: bool, method: str, path: str
) -> None:
    answer = client.request(method, path, headers=headers)
    assert (answer.status_code != 403) == allowed


def test_a_link_from_another_site_may_lead_here(client: TestClient) -> None:
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert client.get("/api/documents", headers=link).status_code == 200
    assert client.post("/api/documents", headers=link).status_code == 403
    assert client.get("/api/documents", headers=link | {"Sec-Fetch-Dest": "iframe"}).status_code == 403


def test_every_route_declares_its_need(make_context: MakeContext) -> None:
    for route in every_route(make_context()):
        assert isinstance(route, Guarded | GuardedMount)
        needs = (
            [operation.need for operation in route.operations.values()] if isinstance(route, Guarded) else [route.need]
        )
        assert (Need.PUBLIC in needs) == (route.path in PUBLIC), route.path


def test_whatever_changes_something_needs_more_than_reading(make_context: MakeContext) -> None:
    for route in every_route(make_context()):
        for method, operation in route.operations.items() if isinstance(route, Guarded) else ():
            assert method == "GET" or operation.need >= Need.WRITE, (method, route.path)


def test_with_authentication_nothing_but_probes_answers_strangers(make_context: MakeContext, library: Library) -> None:
    document_id = library.ready()
    context = make_context(auth_enabled=True, session_secret=SECRET)
    with TestClient(create_app(context), base_url="http://localhost", raise_server_exceptions=False) as client:
        for route in api_routes():
            path = route.path.replace("{id}", document_id)
            for method in sorted(route.methods or ()):
                is_probe = route.path in PUBLIC and method in ("GET", "HEAD")
                answer = client.request(method, path, headers={"Authorization": "Bearer x"})
                assert answer.status_code == (200 if is_probe else 401), (method, path)
                for spelling in (path.upper(), f"{path}%2e", f"{path};x", f"{path}//", f"/.{path}"):
                    assert client.request(method, spelling).status_code in ({200, 401} if is_probe else {401}), spelling
        for path in ("/", "/nothing", "/api/nothing"):
            assert client.get(path).status_code == 401


def test_a_route_without_a_need_does_not_start(make_context: MakeContext) -> None:
    with pytest.raises(UnguardedRoute):
        create_app(make_context(), Broken(Route("/open", lambda request: PlainTextResponse("x"))))


@pytest.mark.parametrize(
    "settings",
    [
        {"auth_enabled": True},
        {"auth_enabled": True, "session_secret": "short"},
        {"session_secret": "short"},
        {"host": "0.0.0.0"},
        {"host": "192.168.1.5"},
        {"host": "::"},
        {"host": "docs.example.org"},
        {"max_upload_size": "big"},
        {"max_upload_size": 0},
    ],
)
def test_unsafe_settings_do_not_start(settings: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        WebSettings.model_validate(settings)


@pytest.mark.parametrize(
    "settings",
    [
        {"host": "127.0.0.1"},
        {"host": "::1"},
        {"host": "localhost"},
        {"host": "127.8.8.8"},
        {"host": "0.0.0.0", "auth_enabled": True, "session_secret": SECRET},
    ],
)
def test_safe_settings_start(settings: dict[str, object]) -> None:
    assert WebSettings.model_validate(settings).port == 8000


@pytest.mark.parametrize(
    "path", ["/api/documents", "/api/health", "/api/nothing", "/docs", "/api/documents/x/original"]
)
def test_every_answer_is_protected(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    policy = headers["content-security-policy"]
    assert "unsafe-inline" not in policy and "object-src 'none'" in policy and "frame-ancestors" in policy
    assert headers["x-content-type-options"] == "nosniff" and headers["referrer-policy"]
    assert "no-store" in headers["cache-control"] and headers["x-request-id"]
    assert "server" not in headers and "access-control-allow-origin" not in headers


def test_a_request_id_of_the_client_is_kept_if_it_is_one(client: TestClient) -> None:
    assert client.get("/api/health", headers={"X-Request-ID": "abc-12345"}).headers["x-request-id"] == "abc-12345"
    assert "<" not in client.get("/api/health", headers={"X-Request-ID": "<script>xx"}).headers["x-request-id"]


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/api/nothing", 404, "not_found"),
        ("GET", "/api/documents/x", 404, "not_found"),
        ("PUT", "/api/documents", 405, "method_not_allowed"),
        ("OPTIONS", "/api/documents", 405, "method_not_allowed"),
        ("POST", "/api/documents", 415, "unsupported_media_type"),
        ("GET", "/api/documents?page_size=x", 422, "invalid_parameter"),
        ("GET", "/api/search?q=x", 503, "search_disabled"),
    ],
)
def test_every_error_has_the_same_shape(client: TestClient, method: str, path: str, status: int, code: str) -> None:
    answer = client.request(method, path)
    error = answer.json()["error"]
    assert answer.status_code == status and error["code"] == code
    assert set(error) == {"code", "message", "request_id"} and error["request_id"] == answer.headers["x-request-id"]


def test_a_bug_tells_nothing_of_the_inside(make_context: MakeContext) -> None:
    def broken(request: object) -> PlainTextResponse:
        raise ZeroDivisionError("password=hunter2 /srv/secret.py")

    api = Guarded("/api/broken", {"GET": Operation(broken, Need.READ)})
    app = create_app(make_context(), Broken(api, page("/broken", broken)))
    with TestClient(app, base_url="http://localhost", raise_server_exceptions=False) as client:
        answer = client.get("/api/broken")
        assert answer.status_code == 500 and answer.json()["error"]["code"] == "internal"
        assert "hunter2" not in answer.text and "Zero" not in answer.text
        assert answer.headers["x-request-id"] == answer.json()["error"]["request_id"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert client.get("/broken").text == "page: internal"


def test_a_database_that_is_away_is_503(make_context: MakeContext) -> None:
    context = make_context()
    away = open_database("postgresql://nobody@127.0.0.1:1/none")
    with TestClient(create_app(replace(context, engine=away)), base_url="http://localhost") as client:
        answer = client.get("/api/documents")
        assert answer.status_code == 503 and answer.headers["retry-after"]
        assert client.get("/api/health").status_code == 200
        ready = client.get("/api/ready")
        assert ready.status_code == 503 and not ready.json()["dependencies"]["database"]["ok"]
