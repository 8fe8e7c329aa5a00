"""Answers that are objects of the store: streamed as they are read, whole or in part, never held in memory."""

from contextlib import ExitStack

from anyio import CancelScope, to_thread
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Send

from shared.storage.port import ObjectStore
from web.ranges import ByteRange, is_unchanged, requested_range

PIECE_BYTES = 512 * 1024


class ObjectResponse(StreamingResponse):
    """An object, or a range of it. It is opened before the status is sent, so that a missing one is still a 404."""

    def __init__(
        self, store: ObjectStore, key: str, *, size: int, part: ByteRange | None, headers: dict[str, str], method: str
    ) -> None:
        super().__init__(iter(()), status_code=206 if part else 200, headers=headers)
        self._store = store
        self._key = key
        self._start, self._length = (part.first, part.length) if part else (0, size)
        self._has_body = method != "HEAD"

    async def stream_response(self, send: Send) -> None:
        """Send the status, then piece by piece."""
        with ExitStack() as stack:
            opening = self._store.open(self._key, start=self._start, length=self._length)
            source = await to_thread.run_sync(stack.enter_context, opening)
            closing = stack.pop_all()
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            left = self._length if self._has_body else 0
            while left > 0 and (piece := await to_thread.run_sync(source.read, min(PIECE_BYTES, left))):
                left -= len(piece)
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            with CancelScope(shield=True):
                await to_thread.run_sync(closing.close)


def object_answer(
    request: Request, store: ObjectStore, key: str, *, size: int, tag: str, media_type: str, headers: dict[str, str]
) -> Response:
    """The object as the request wants it: 200, 206, 304. Raises RangeNotSatisfiable, later ObjectNotFound."""
    etag = f'"{tag}"'
    common = headers | {"ETag": etag, "Accept-Ranges": "bytes"}
    if is_unchanged(request.headers.get("if-none-match"), etag):
        return Response(status_code=304, headers=common)
    part = requested_range(request.headers.get("range"), request.headers.get("if-range"), etag, size)
    common |= {"Content-Type": media_type, "Content-Length": str(part.length if part else size)}
    if part:
        common["Content-Range"] = part.content_range
    return ObjectResponse(store, key, size=size, part=part, headers=common, method=request.method)
