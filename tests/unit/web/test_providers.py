"""Who serves what is told by name, and whether it answers by asking the address, rarely and without a key."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from pydantic import ValidationError

from shared.errors import Unavailable
from web.providers import FUNCTION_CAPABILITIES, Address, ProviderSettings, function_providers


class Server:
    """An address that answers with `status`."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.status = 200
        self.asked: list[tuple[str, str]] = []


@pytest.fixture
def server() -> Iterator[Server]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            scripted.asked.append((self.path, self.headers.get("authorization", "")))
            self.send_response(scripted.status)
            self.send_header("Location", "http://127.0.0.1:1/")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            return

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    scripted = Server(http.server_port)
    thread = threading.Thread(target=http.serve_forever, args=(0.02,))
    thread.start()
    yield scripted
    http.shutdown()
    http.server_close()
    thread.join()


def settings(**given: str) -> ProviderSettings:
    return ProviderSettings.model_validate(given)


def test_by_default_everything_is_part_of_the_functions() -> None:
    found = function_providers(settings())
    assert {name: provider.name for name, provider in found.items()} == {
        "conversion": "local",
        "ocr": "tesseract",
        "enrichment": "local",
    }
    assert found.keys() == FUNCTION_CAPABILITIES
    assert all(provider.check is None for provider in found.values())


def test_what_is_chosen_is_asked_where_it_is_documented_to_answer_and_without_a_key(server: Server) -> None:
    chosen = {"converter": "gotenberg", "ocr_provider": "azure", "ai_provider": "openai"}
    places = {"gotenberg_url": server.url, "azure_endpoint": f"{server.url}/", "openai_base_url": f"{server.url}/v1"}
    for provider in function_providers(settings(**chosen, **places)).values():
        assert provider.check is not None
        provider.check()
    assert server.asked == [("/health", ""), ("/", ""), ("/v1/models", "")]


@pytest.mark.parametrize("status", [200, 302, 401, 404, 429])
def test_any_answer_but_an_error_of_the_server_is_one(server: Server, status: int) -> None:
    server.status = status
    Address(server.url).check()
    assert len(server.asked) == 1


def test_a_server_in_trouble_is_told(server: Server) -> None:
    server.status = 503
    with pytest.raises(Unavailable, match="503"):
        Address(server.url).check()


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "http://nowhere.invalid/", "http://[::1", "ftp://host/"])
def test_an_address_where_nobody_answers_is_told_without_naming_it(url: str) -> None:
    with pytest.raises(Unavailable) as told:
        Address(url).check()
    assert str(told.value) == "it does not answer"


def test_an_answer_stands_for_a_while(server: Server) -> None:
    kept, fresh = Address(server.url), Address(server.url, kept_seconds=0)
    for _ in range(3):
        kept.check()
    assert len(server.asked) == 1
    fresh.check()
    server.status = 500
    with pytest.raises(Unavailable):
        fresh.check()
    kept.check()


def test_a_wrong_choice_stops_the_process_and_repeats_no_password() -> None:
    with pytest.raises(ValidationError, match="GOTENBERG_URL"):
        settings(converter="gotenberg")
    with pytest.raises(ValidationError) as refused:
        settings(openai_base_url="https://user:hunter2@example.org/v1")
    assert "hunter2" not in str(refused.value)
