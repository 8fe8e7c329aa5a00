"""Server-sent events: what happens to the documents, as it happens."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from web.access import Guarded, Need, Operation, Parameter, owner_of
from web.changes import Change, ChangeFeed
from web.context import context_of

HEARTBEAT_SECONDS = 15.0
RETRY_MILLISECONDS = 3000


def stream(request: Request) -> Response:
    """Follow the documents: `document` brings a summary, `removed` an id, `reset` asks to read the list again."""
    headers = {"Cache-Control": "no-cache, no-store", "X-Accel-Buffering": "no"}
    if request.method == "HEAD":
        return Response(headers=headers, media_type="text/event-stream")
    lines = _lines(context_of(request).changes, owner_of(request), request.headers.get("last-event-id"))
    return StreamingResponse(lines, headers=headers, media_type="text/event-stream")


async def _lines(feed: ChangeFeed, owner: str, last_id: str | None) -> AsyncIterator[str]:
    async with feed.listen(owner) as listener:
        yield f"retry: {RETRY_MILLISECONDS}\n: connected\n\n"
        for line in await _missed(feed, owner, last_id):
            yield line
        while not feed.closed:
            line = ": heartbeat\n\n"
            with contextlib.suppress(TimeoutError):
                line = _line(await asyncio.wait_for(listener.changes.get(), HEARTBEAT_SECONDS))
            yield line


async def _missed(feed: ChangeFeed, owner: str, last_id: str | None) -> list[str]:
    moment = _moment(last_id)
    if moment is None:
        return []
    missed = await feed.since(owner, moment)
    return [_line(None)] if missed is None else [_line(change) for change in missed]


def _line(change: Change | None) -> str:
    if change is None:
        return "event: reset\ndata: {}\n\n"
    event_id = int(change.moved.changed_at.timestamp() * 1_000_000)
    if change.summary is None:
        return f'id: {event_id}\nevent: removed\ndata: {{"id": "{change.moved.document_id}"}}\n\n'
    return f"id: {event_id}\nevent: document\ndata: {change.summary.model_dump_json()}\n\n"


def _moment(last_id: str | None) -> datetime | None:
    if last_id is None or not last_id.isdigit() or len(last_id) > 17:
        return None
    return datetime.fromtimestamp(int(last_id) / 1_000_000, UTC)


_LAST_EVENT_ID = Parameter("Last-Event-ID", "Where an earlier connection ended.", place="header")

STREAM_ROUTES = [
    Guarded(
        "/api/stream",
        {"GET": Operation(stream, Need.READ, {200: "text/event-stream"}, parameters=(_LAST_EVENT_ID,))},
    ),
]
