"""The shell around every step: what the broker reads in each case."""

import errno
import json
import os
from collections.abc import Callable

import httpx
import pytest
from starlette.applications import Starlette

from shared.documents import ObjectReference, new_document_id
from shared.errors import (
    DocumentGone,
    EventTooLarge,
    FailureCode,
    InvalidEvent,
    LeaseHeld,
    NotACloudEvent,
    StepFailed,
    Throttled,
    Unavailable,
)
from shared.events import (
    AnyData,
    DocumentConverted,
    DocumentFailed,
    DocumentReceived,
    DocumentUpdated,
    Event,
    RunOptions,
    decode,
    new_event,
)
from shared.step import MAX_ERROR_BYTES, Handler, StepContext
from shared.storage import keys
from shared.storage.directory import DirectoryObjectStore

DOCUMENT = new_document_id()


def reference(key: str, bucket: str = "docuelevate") -> ObjectReference:
    return ObjectReference(bucket=bucket, key=key, size=1, sha256="0" * 64, etag="e", media_type="application/pdf")


def received(document_id: str = DOCUMENT, original: ObjectReference | None = None) -> DocumentReceived:
    return DocumentReceived(
        document_id=document_id,
        original=original or reference(keys.original(document_id)),
        filename="a.pdf",
        media_type="application/pdf",
        size=1,
        sha256="0" * 64,
        channel="api",
    )


def arriving(data: DocumentReceived | None = None, **more: object) -> Event:
    return new_event(data or received(), source="/docuelevate/web", runid="run-1").model_copy(update=more)


Call = Callable[..., httpx.Response]


async def post(app: Starlette, event: Event | None = None, **request: object) -> httpx.Response:
    headers, body = (event or arriving()).to_http()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://step") as client:
        return await client.request("POST", "/", **({"headers": headers, "content": body} | request))  # type: ignore[arg-type]


def converted(context: StepContext, data: AnyData) -> Event:
    assert isinstance(data, DocumentReceived)
    result = DocumentConverted(
        document_id=data.document_id,
        fingerprint="f1",
        pdf=reference(keys.document_prefix(data.document_id) + "convert/f1/a/document.pdf"),
        pages=1,
        converter="test",
    )
    return context.reply(result)


def nothing(context: StepContext, data: AnyData) -> None:
    return None


def raising(error: Exception) -> Handler:
    def handler(context: StepContext, data: AnyData) -> Event | None:
        raise error

    return handler


@pytest.mark.anyio
async def test_a_result_is_the_reply(serve: Callable[[Handler], Starlette]) -> None:
    response = await post(serve(converted))
    assert response.status_code == 200
    reply = decode(response.headers, response.content)
    assert (reply.type, reply.subject, reply.runid) == (DocumentConverted.type, DOCUMENT, "run-1")
    assert reply.source == "/docuelevate/functions/convert"


@pytest.mark.anyio
async def test_the_same_event_twice_is_answered_with_the_same_id(serve: Callable[[Handler], Starlette]) -> None:
    event = arriving()
    first, second = [await post(serve(converted), event) for _ in range(2)]
    assert first.json()["id"] == second.json()["id"]
    assert first.json()["causationid"] == event.id


@pytest.mark.anyio
async def test_binary_mode_is_read_too(serve: Callable[[Handler], Starlette]) -> None:
    event = arriving()
    headers = {f"ce-{k}": v for k, v in event.attributes().items() if k != "datacontenttype"}
    headers["content-type"] = "application/json"
    response = await post(serve(converted), headers=headers, content=json.dumps(event.payload))
    assert response.status_code == 200


@pytest.mark.anyio
async def test_no_result_is_an_empty_acknowledgement(serve: Callable[[Handler], Starlette]) -> None:
    response = await post(serve(nothing))
    assert (response.status_code, response.content) == (202, b"")


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("error", "status"),
    [
        (NotACloudEvent("x"), 400),
        (LeaseHeld("x"), 409),
        (EventTooLarge("x"), 413),
        (InvalidEvent("x"), 422),
        (Throttled("x"), 429),
        (Unavailable("x"), 503),
        (ValueError("secret /path/of/ours"), 500),
        (DocumentGone("x"), 202),
        (Unavailable("é" * 5000), 503),
    ],
)
async def test_errors_become_statuses_with_short_bodies(
    serve: Callable[[Handler], Starlette], error: Exception, status: int
) -> None:
    response = await post(serve(raising(error)))
    assert response.status_code == status
    assert len(response.content) <= MAX_ERROR_BYTES
    assert b"secret" not in response.content
    if status != 202:
        assert set(response.json()) == {"code", "message"}


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({}, b"", 400),
        ({"content-type": "application/json"}, b"{}", 400),
        ({"content-type": "application/cloudevents-batch+json"}, b"[]", 400),
        ({"content-type": "application/cloudevents+json"}, b"not json", 400),
        ({"content-type": "application/cloudevents+json"}, b'{"specversion": "9.9", "id": "1"}', 400),
        ({"content-type": "application/cloudevents+json"}, b"x" * 1_000_000, 413),
        ({"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/s", "ce-type": DocumentReceived.type}, b"{", 422),
        ({"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/s", "ce-type": DocumentReceived.type}, b"{}", 422),
    ],
)
async def test_what_is_no_event_of_ours_is_refused(
    serve: Callable[[Handler], Starlette], headers: dict[str, str], body: bytes, status: int
) -> None:
    response = await post(serve(converted), headers=headers, content=body)
    assert response.status_code == status
    assert len(response.content) <= MAX_ERROR_BYTES


@pytest.mark.anyio
async def test_a_failure_of_the_document_is_a_reply(serve: Callable[[Handler], Starlette]) -> None:
    response = await post(serve(raising(StepFailed(FailureCode.ENCRYPTED))))
    assert response.status_code == 200
    reply = decode(response.headers, response.content)
    assert reply.type == DocumentFailed.type
    assert reply.payload["code"] == "encrypted"
    assert reply.payload["step"] == "convert"
    assert reply.payload["hint"]


@pytest.mark.anyio
async def test_an_event_of_another_type_is_acknowledged(serve: Callable[[Handler], Starlette]) -> None:
    event = new_event(DocumentUpdated(document_id=DOCUMENT, version=1), source="/s")
    assert (await post(serve(raising(AssertionError())), event)).status_code == 202


@pytest.mark.anyio
@pytest.mark.parametrize(
    "key",
    ["documents/../secrets", "documents/" + new_document_id() + "/original", "incoming/x", "/etc/passwd"],
)
async def test_objects_of_others_are_refused(serve: Callable[[Handler], Starlette], key: str) -> None:
    event = arriving(received(original=reference(key)))
    assert (await post(serve(converted), event)).status_code == 422


@pytest.mark.anyio
async def test_another_bucket_is_refused(serve: Callable[[Handler], Starlette]) -> None:
    event = arriving(received(original=reference(keys.original(DOCUMENT), bucket="other")))
    assert (await post(serve(converted), event)).status_code == 422


@pytest.mark.anyio
async def test_an_unlocked_copy_of_another_document_is_refused(serve: Callable[[Handler], Starlette]) -> None:
    stolen = reference(keys.unlocked(new_document_id(), "0" * 64))
    data = received().model_copy(update={"options": RunOptions(unlocked=stolen)})
    assert (await post(serve(converted), arriving(data))).status_code == 422


@pytest.mark.anyio
async def test_subject_and_document_must_agree(serve: Callable[[Handler], Starlette]) -> None:
    assert (await post(serve(converted), arriving(subject=new_document_id()))).status_code == 422


@pytest.mark.anyio
async def test_a_purged_document_is_left_alone(
    serve: Callable[[Handler], Starlette], store: DirectoryObjectStore
) -> None:
    store.put(keys.tombstone(DOCUMENT), b"{}", media_type="application/json")
    response = await post(serve(raising(AssertionError("must not run"))))
    assert (response.status_code, response.content) == (202, b"")


@pytest.mark.anyio
async def test_health_is_answered_and_nothing_else_by_get(serve: Callable[[Handler], Starlette]) -> None:
    transport = httpx.ASGITransport(serve(nothing))
    async with httpx.AsyncClient(transport=transport, base_url="http://step") as client:
        assert (await client.get("/health")).status_code == 200
        assert (await client.get("/")).status_code == 405


@pytest.mark.anyio
async def test_a_step_that_needs_nothing_is_ready_as_soon_as_it_lives(serve: Callable[[Handler], Starlette]) -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(serve(nothing)), base_url="http://step") as client:
        assert [(await client.request(method, "/ready")).status_code for method in ("GET", "HEAD")] == [200, 200]


@pytest.mark.anyio
@pytest.mark.parametrize("nasty", ["\x01", '"', "\\", "\U0001f600", "\ud800", "é\x7f"])
async def test_no_message_makes_an_error_body_too_long(serve: Callable[[Handler], Starlette], nasty: str) -> None:
    response = await post(serve(raising(InvalidEvent(nasty * 400))))
    assert response.status_code == 422
    assert len(response.content) <= MAX_ERROR_BYTES
    assert response.json()["code"] == "invalid_event"


@pytest.mark.anyio
@pytest.mark.parametrize("mode", ["structured", "binary"])
async def test_data_nested_too_deep_are_no_event(serve: Callable[[Handler], Starlette], mode: str) -> None:
    deep = b"[" * 50_000 + b"]" * 50_000
    if mode == "structured":
        headers = {"content-type": "application/cloudevents+json"}
        deep = b'{"specversion":"1.0","id":"a","source":"s","type":"t","data":' + deep + b"}"
    else:
        headers = {"content-type": "application/json", "ce-specversion": "1.0"}
        headers |= {"ce-id": "a", "ce-source": "s", "ce-type": "t"}
    assert (await post(serve(nothing), headers=headers, content=deep)).status_code == 400


@pytest.mark.anyio
async def test_a_time_without_its_zone_is_refused(serve: Callable[[Handler], Starlette]) -> None:
    headers, body = arriving().to_http()
    content = json.loads(body) | {"time": "2026-01-31T12:00:00"}
    assert (await post(serve(nothing), headers=headers, content=json.dumps(content))).status_code == 400


@pytest.mark.anyio
@pytest.mark.parametrize("number,status", [(errno.ENOSPC, 503), (errno.EDQUOT, 503), (errno.EIO, 500)])
async def test_a_full_disk_is_something_that_passes(
    serve: Callable[[Handler], Starlette], number: int, status: int
) -> None:
    response = await post(serve(raising(OSError(number, os.strerror(number)))))
    assert response.status_code == status
