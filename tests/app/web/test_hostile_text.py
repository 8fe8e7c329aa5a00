"""Text that databases, headers and pages choke on: NUL, halves of characters, markup; on both databases."""

import json
from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy import Engine
from starlette.testclient import TestClient

from tests.app.web.conftest import Library
from web.api.routes import api_routes

MARKUP = "<img src=x onerror=alert(1)>\"'</script><script>alert(1)</script>{{7*7}}"


@pytest.fixture
def database(engine: Engine) -> Engine:
    return engine


@pytest.mark.parametrize("path", sorted({route.path for route in api_routes() if "{id}" in route.path}))
def test_an_address_with_nul_is_refused_before_it_reaches_the_database(client: TestClient, path: str) -> None:
    for method in ("GET", "POST", "PATCH", "DELETE"):
        answer = client.request(method, path.replace("{id}", "a%00b"), json={})
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_request")


@pytest.mark.parametrize(
    "query",
    [
        "documents?tag=%00",
        "documents?q=%00",
        "documents?sender=a%00",
        "documents?language=%00",
        "events?subject=%00",
        "events?runid=%00&type=%00",
        "facets?tag=%00",
    ],
)
def test_a_question_with_nul_is_refused(client: TestClient, query: str) -> None:
    assert client.get(f"/api/{query}").status_code == 400


@pytest.mark.parametrize("text", ["%FF%FE", "%ED%A0%80", "%F4%90%80%80", "%E2%80%A8"])
def test_bytes_that_are_no_text_find_nothing(client: TestClient, text: str) -> None:
    answer = client.get(f"/api/documents?tag={text}&q={text}&sender={text}")
    assert answer.status_code == 200 and answer.json()["count"] == 0
    assert client.get(f"/api/documents/{text}").status_code == 404


def test_what_a_form_says_is_kept_without_nul(client: TestClient) -> None:
    fields: dict[str, Any] = {"title": "a\0b", "tags": ["c\0d", "\0"]}
    answer = client.post("/api/documents", files={"file": ("n\0ame.txt", b"x")}, data=fields)
    assert answer.status_code == 202
    (document,) = client.get("/api/documents").json()["results"]
    assert (document["title"], document["tags"]) == ("ab", ["cd"]) and "\0" not in document["filename"]


@pytest.mark.parametrize("language", ["../../x", "de\0", "d", "de de", "x" * 200])
def test_a_run_is_started_in_a_language_only(client: TestClient, library: Library, language: str) -> None:
    body = {"from": "ocr", "options": {"language": language}}
    answer = client.post(f"/api/documents/{library.ready()}/replay", json=body)
    assert answer.status_code == 422 and "language" in answer.json()["error"]["message"]


@pytest.mark.parametrize("name", ["a\0b", "a\nb", "a\x1b[2J"])
def test_a_token_has_a_name_of_one_line(client: TestClient, name: str) -> None:
    assert client.post("/api/tokens", json={"name": name}).status_code == 422


def test_markup_goes_through_the_api_unchanged_and_into_one_header_line(client: TestClient, library: Library) -> None:
    document_id = library.ready(MARKUP.replace("/", "_") + "\r\nX-Injected: 1.txt", text=MARKUP)
    values = {"title": MARKUP, "sender": MARKUP, "tags": [MARKUP], "summary": MARKUP}
    client.patch(f"/api/documents/{document_id}", json={"metadata": values})
    answer = client.get(f"/api/documents?tag={quote(MARKUP)}&sender={quote(MARKUP)}")
    assert answer.headers["content-type"] == "application/json"
    assert json.loads(answer.text)["results"][0]["title"] == MARKUP
    for part in ("original", "pdf", "metadata"):
        headers = client.get(f"/api/documents/{document_id}/{part}").headers
        assert len(headers.get_list("content-disposition")) == 1 and "x-injected" not in headers
