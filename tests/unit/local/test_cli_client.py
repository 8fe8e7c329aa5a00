"""The API client: what the server says becomes one sentence, what passes is tried again with the same key."""

from pathlib import Path

import httpx
import pytest

from local import client as module
from local.client import ApiClient, ServerError


def client(*answers: httpx.Response | Exception, seen: list[httpx.Request] | None = None) -> ApiClient:
    script = iter(answers)

    def answer(request: httpx.Request) -> httpx.Response:
        request.read()
        if seen is not None:
            seen.append(request)
        step = next(script)
        if isinstance(step, Exception):
            raise step
        return step

    return ApiClient("http://server", "secret", transport=httpx.MockTransport(answer))


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (
            httpx.Response(404, json={"error": {"code": "not_found", "message": "No such document."}}),
            "No such document.",
        ),
        (httpx.Response(502, text="<html>"), "The server answered 502."),
        (httpx.Response(200, text="<html>"), "not a DocuElevate server"),
        (httpx.ReadTimeout("slow"), "did not answer in time"),
        (httpx.ReadError(""), "broke off (ReadError)"),
        (httpx.ConnectError("refused"), "Nothing answers at http://server"),
    ],
)
def test_problems_are_sentences(answer: httpx.Response | Exception, message: str) -> None:
    with pytest.raises(ServerError, match=message.replace("(", r"\(").replace(")", r"\)")):
        client(answer).get("/api/documents")


def test_the_token_is_sent() -> None:
    seen: list[httpx.Request] = []
    client(httpx.Response(200, json={}), seen=seen).get("/api/documents", q=None, tag=["a", "b"])
    assert seen[0].headers["authorization"] == "Bearer secret" and seen[0].url.query == b"tag=a&tag=b"


def test_an_upload_is_tried_again_with_the_same_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY_PAUSES_SECONDS", (0.0, 0.0))
    (tmp_path / "a.txt").write_bytes(b"x" * 1000)
    seen: list[httpx.Request] = []
    moved: list[int] = []
    answers = (httpx.Response(503), httpx.ReadError("cut"), httpx.Response(202, json={"documents": []}))
    assert client(*answers, seen=seen).upload(tmp_path / "a.txt", {}, moved.append) == {"documents": []}
    assert len({request.headers["idempotency-key"] for request in seen}) == 1 and len(seen) == 3
    assert sum(moved) == 1000


def test_a_refusal_is_not_tried_again(tmp_path: Path) -> None:
    (tmp_path / "a.txt").touch()
    with pytest.raises(ServerError, match="422"):
        client(httpx.Response(422)).upload(tmp_path / "a.txt", {}, lambda count: None)
