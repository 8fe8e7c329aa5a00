"""What is active, and whether it answers, is told by name to programs and people, without secrets or addresses."""

from dataclasses import replace

import pytest
from starlette.testclient import TestClient

from shared.errors import Unavailable
from tests.app.web.conftest import MakeContext
from web import pages
from web.app import context_from_environment, create_app
from web.providers import Provider


def away() -> None:
    raise Unavailable("it does not answer")


@pytest.fixture
def client(make_context: MakeContext) -> TestClient:
    providers = {
        "conversion": Provider("gotenberg", away),
        "database": Provider("postgresql"),
        "ocr": Provider("azure", lambda: None),
        "enrichment": Provider("local"),
    }
    app = create_app(replace(make_context(), providers=providers), pages)
    return TestClient(app, base_url="http://localhost:8000")


def test_each_capability_is_told_with_its_provider_and_how_it_answers(client: TestClient) -> None:
    answer = client.get("/api/ready")
    found = {
        name: (state["provider"], state["ok"], state["message"])
        for name, state in answer.json()["dependencies"].items()
        if name in ("conversion", "database", "ocr", "enrichment")
    }
    assert found == {
        "conversion": ("gotenberg", False, "it does not answer"),
        "database": ("postgresql", True, None),
        "enrichment": ("local", True, None),
        "ocr": ("azure", True, None),
    }
    assert (answer.status_code, answer.json()["status"]) == (200, "degraded"), "uploads work all the same"


def test_the_page_says_the_same_in_words(client: TestClient) -> None:
    text = " ".join(client.get("/settings").text.split())
    for words in ("Gotenberg", "it does not answer", "PostgreSQL", "Azure Document Intelligence"):
        assert words in text
    assert "Built-in rules<span" in text and "part of the function" in text


def test_the_environment_is_told_without_its_secrets(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    given = {
        "DATA_DIR": str(tmp_path),
        "CONVERTER": "gotenberg",
        "GOTENBERG_URL": "http://127.0.0.1:1",
        "GOTENBERG_PASSWORD": "hunter2",
        "OCR_PROVIDER": "azure",
        "AZURE_ENDPOINT": "http://127.0.0.1:1",
        "AZURE_AI_KEY": "hunter2",
        "AI_PROVIDER": "openai",
        "OPENAI_BASE_URL": "http://127.0.0.1:1/v1",
        "OPENAI_API_KEY": "hunter2",
        "ENABLE_SEARCH": "false",
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    context = context_from_environment()
    with TestClient(create_app(context, pages), base_url="http://localhost:8000") as client:
        answer = client.get("/api/ready")
        told = answer.text + client.get("/settings").text
    context.engine.dispose()
    found = {name: state["provider"] for name, state in answer.json()["dependencies"].items()}
    assert found == {
        "broker": None,
        "conversion": "gotenberg",
        "database": "sqlite",
        "enrichment": "openai",
        "object_store": "directory",
        "ocr": "azure",
    }
    assert "hunter2" not in told and "127.0.0.1:1" not in told
