"""POST /api/documents: brings the bytes of the request to the upload, in pieces large enough to be worth a thread."""

import asyncio
from collections.abc import AsyncIterator

from anyio import CancelScope
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from web.access import owner_of
from web.api.answers import json_answer
from web.context import context_of
from web.errors import InvalidParameter, RequestError, UnsupportedMediaType
from web.idempotency import FileDigests, require_same_files
from web.multipart import FileReceiver, FormReader
from web.replacing import Replacement, replacement_key, require_known
from web.uploads import Outcome, Upload, earlier_answer, upload_options

PIECE_BYTES = 1024 * 1024
MAX_KEY_CHARACTERS = 255
MAX_DRAINED_BYTES = 256 * 1024 * 1024
MAX_DRAINING_SECONDS = 10.0
MAX_SILENT_SECONDS = 60.0


class UploadAborted(RequestError):
    """The body did not come to its end; mostly nobody reads this answer."""

    status_code = 408
    code = "upload_aborted"


class RequestBody:
    """The body as it arrives, in pieces; `drain` reads what is left of it and forgets it."""

    def __init__(self, request: Request) -> None:
        self._receive = request.receive
        self._complete = False

    async def pieces(self) -> AsyncIterator[bytes]:
        """The whole body. Raises UploadAborted where it breaks off or nothing comes for a minute."""
        pending = bytearray()
        while not self._complete:
            pending += await self._next()
            if len(pending) >= PIECE_BYTES or (self._complete and pending):
                yield bytes(pending)
                pending.clear()

    async def drain(self) -> None:
        """An answer that comes before the body was read is lost on many clients; so read on, within bounds."""
        drained = 0
        try:
            async with asyncio.timeout(MAX_DRAINING_SECONDS):
                while not self._complete and drained < MAX_DRAINED_BYTES:
                    drained += len(await self._next())
        except (TimeoutError, UploadAborted):
            return

    async def _next(self) -> bytes:
        try:
            async with asyncio.timeout(MAX_SILENT_SECONDS):
                message = await self._receive()
        except TimeoutError as error:
            raise UploadAborted("Nothing came for a minute.", code="too_slow") from error
        if message["type"] != "http.request":
            self._complete = True
            raise UploadAborted("The upload was broken off.")
        self._complete = not message.get("more_body", False)
        body: bytes = message.get("body", b"")
        return body


async def upload(request: Request) -> Response:
    """Take files in: 202 with the new documents, 200 where all of them were there already."""
    context, key = context_of(request), _idempotency_key(request)
    receiver = Upload(
        engine=context.engine,
        store=context.store,
        owner=owner_of(request),
        channel=_channel(request),
        max_size=context.settings.max_upload_size,
        max_files=context.settings.max_upload_files,
    )
    return await _take_in(request, receiver, key)


async def replace(request: Request) -> Response:
    """Take a file in that stands in for the document's, which goes to the trash; what the person has set is kept."""
    context, document_id = context_of(request), request.path_params["id"]
    await run_in_threadpool(require_known, context.engine, owner_of(request), document_id)
    receiver = Replacement(
        engine=context.engine,
        store=context.store,
        owner=owner_of(request),
        channel=_channel(request),
        max_size=context.settings.max_upload_size,
        max_files=1,
        replaces=document_id,
    )
    return await _take_in(request, receiver, replacement_key(document_id, _idempotency_key(request)))


async def _take_in(request: Request, receiver: Upload, key: str | None) -> Response:
    body = RequestBody(request)
    try:
        outcome = await _outcome(request, body, receiver, key)
    except RequestError:
        await body.drain()
        raise
    context_of(request).relay.wake()
    headers = {"Idempotency-Replayed": "true"} if outcome.replayed else None
    return json_answer(outcome.answer, outcome.status_code, headers)


async def _outcome(request: Request, body: RequestBody, receiver: Upload, key: str | None) -> Outcome:
    context, owner = context_of(request), owner_of(request)
    if request.headers.get("content-encoding", "identity") != "identity":
        raise UnsupportedMediaType("Send the form without Content-Encoding.")
    if key is not None and (earlier := await run_in_threadpool(earlier_answer, context.engine, owner, key)):
        digests = FileDigests(context.settings.max_upload_size)
        await _read(request, body, digests)
        require_same_files(earlier.answer, digests.sha256)
        return earlier
    try:
        form = await _read(request, body, receiver)
        return await run_in_threadpool(receiver.register_all, upload_options(form.fields), key)
    finally:
        # Also when this task is cancelled: what is half written must go.
        with CancelScope(shield=True):
            await run_in_threadpool(receiver.close)


async def _read(request: Request, body: RequestBody, receiver: FileReceiver) -> FormReader:
    form = FormReader(request.headers.get("content-type", ""), receiver)
    async for piece in body.pieces():
        await run_in_threadpool(form.feed, piece)
    form.finish()
    return form


def _idempotency_key(request: Request) -> str | None:
    key = request.headers.get("idempotency-key")
    if key is not None and not 1 <= len(key) <= MAX_KEY_CHARACTERS:
        raise InvalidParameter(f"Idempotency-Key must have 1 to {MAX_KEY_CHARACTERS} characters.")
    return key


def _channel(request: Request) -> str:
    if request.headers.get("user-agent", "").startswith("docuelevate-cli"):
        return "cli"
    return "web" if "sec-fetch-site" in request.headers else "api"
