"""Server-sent events: what happens to the documents, as it happens."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from shared.errors import Unavailable
from web.access import Guarded, Need, Operation, Parameter, owner_of
from web.authentication import Identify, identifier
from web.changes import Change, ChangeFeed
from web.context import context_of

HEARTBEAT_SECONDS = 15.0
RETRY_MILLISECONDS = 3000


def stream(request: Request) -> Response:
    """Follow the documents: `document` brings a summary, `removed` an id, `reset` asks to read the list again."""
    headers = {"Cache-Control": "no-cache, no-store", "X-Accel-Buffering": "no"}
    if request.method == "HEAD":
        return Response(headers=headers, media_type="text/event-stream")
    context = context_of(request)
    admission = Admission(request.headers, identifier(context.engine, auth_enabled=context.settings.auth_enabled))
    lines = _lines(context.changes, owner_of(request), request.headers.get("last-event-id"), admission)
    return StreamingResponse(lines, headers=headers, media_type="text/event-stream")


@dataclass
class Admission:
    """Whether who was let in would be let in still: a token may be removed or expire while its stream goes on."""

    headers: Headers
    identify: Identify
    check_seconds: float = HEARTBEAT_SECONDS
    _checked: float = field(default_factory=time.monotonic, init=False)

    async def holds(self) -> bool:
        """Ask again, now and then."""
        if time.monotonic() < self._checked + self.check_seconds:
            return True
        self._checked = time.monotonic()
        try:
            return await self.identify(self.headers) is not None
        except Unavailable:
            # Nothing can be read from the database either, so nothing is told.
            return True


async def _lines(feed: ChangeFeed, owner: str, last_id: str | None, admission: Admission) -> AsyncIterator[str]:
    async with feed.listen(owner) as listener:
        yield f"retry: {RETRY_MILLISECONDS}\n: connected\n\n"
        for line in await _missed(feed, owner, last_id):
            yield line
        while not feed.closed:
            line = ": heartbeat\n\n"
            with contextlib.suppress(TimeoutError):
                line = _line(await asyncio.wait_for(listener.changes.get(), HEARTBEAT_SECONDS))
            if not await admission.holds():
                return
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
