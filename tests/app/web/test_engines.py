"""Choosing who recognizes a document's text and reads its metadata."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from starlette.testclient import TestClient

from shared.documents import Notice
from shared.errors import EXPLANATIONS, FailureCode
from tests.app.web.conftest import Library, MakeContext
from web import pages
from web.app import create_app
from web.providers import Provider

MakeClient = Callable[..., TestClient]


@pytest.fixture
def choice(make_client: MakeClient) -> TestClient:
    return make_client(ocr_engines="tesseract, azure")


def test_the_engine_is_offered_where_there_is_a_choice(
    choice: TestClient, client: TestClient, library: Library
) -> None:
    document = library.ready()
    assert "engine" in choice.get(f"/api/documents/{document}").json()["actions"]
    assert "engine" not in client.get(f"/api/documents/{document}").json()["actions"]


def test_a_failed_recognition_shows_the_choice(make_context: MakeContext, library: Library) -> None:
    document = library.ready()
    library.change(document, status="attention", code="ocr_failed")
    context = make_context(ocr_engines="tesseract,azure")
    page = TestClient(create_app(context, pages), base_url="http://localhost:8000").get(f"/documents/{document}").text
    assert "Azure Document Intelligence" in page and 'data-act="other-engine"' in page


def test_what_asks_for_attention_is_said_once(make_context: MakeContext, library: Library) -> None:
    document = library.ready()
    code = FailureCode.OCR_LANGUAGE_MISSING
    sentence = EXPLANATIONS[code].message
    notice = Notice(code=code.value, message=sentence)
    library.change(document, status="attention", code=code.value, warnings=[notice.model_dump(mode="json")])
    context = make_context()
    page = TestClient(create_app(context, pages), base_url="http://localhost:8000").get(f"/documents/{document}").text
    assert page.count(sentence) == 1


def test_the_engine_goes_into_the_run(choice: TestClient, library: Library) -> None:
    here = f"/api/documents/{library.ready()}"
    assert choice.post(f"{here}/replay", json=asked("azure")).status_code == 202
    assert choice.get(here).json()["options"]["ocr_engine"] == "azure"


@pytest.mark.parametrize("path", ["/api/documents/{}/replay", "/api/events/replay"])
def test_an_engine_that_is_not_set_up_is_refused(choice: TestClient, library: Library, path: str) -> None:
    body = asked("crystal-ball") | ({"mode": "reprocess"} if "events" in path else {})
    answer = choice.post(path.format(library.ready()), json=body)
    assert answer.status_code == 422
    assert "tesseract, azure" in answer.json()["error"]["message"]


@pytest.mark.parametrize(("engine", "status"), [("local", 202), ("openai", 202), ("crystal-ball", 422)])
def test_who_reads_the_metadata_is_one_that_is_set_up(
    make_context: MakeContext, library: Library, engine: str, status: int
) -> None:
    context = replace(make_context(), providers={"enrichment": Provider("openai")})
    client = TestClient(create_app(context), base_url="http://localhost:8000")
    body = {"from": "enrich", "options": {"enrich_engine": engine}}
    answer = client.post(f"/api/documents/{library.ready()}/replay", json=body)
    assert answer.status_code == status
    assert status == 202 or "local, openai" in answer.json()["error"]["message"]


def asked(engine: str) -> dict[str, Any]:
    return {"from": "ocr", "options": {"ocr_engine": engine}}
