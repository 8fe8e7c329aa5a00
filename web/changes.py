"""The live stream's source: asks the database what changed, once per process, while anybody listens.

Changes are found by time and not pushed, so that those of other replicas and functions are seen as well. A transaction
may commit later than the time it wrote, so each question reaches back over the last seconds and repeats are dropped.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import anyio.to_thread
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from shared.database.engine import reading
from shared.errors import Unavailable
from web.api.models import DocumentSummary
from web.reads import Moved, moved_since, summaries_of

POLL_SECONDS = 0.5
OVERLAP = timedelta(seconds=15)
MAX_BEHIND = 500
"""A listener that is further behind is told to read the list again."""

_MOST_MOVED = 20_000
_CHUNK = 500

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Change:
    """A document that changed, and how it looks now: None when it was removed for good."""

    moved: Moved
    summary: DocumentSummary | None


@dataclass(eq=False)
class Listener:
    """One client of the stream. `changes` holds None where changes were lost: the client reads the list again."""

    owner: str
    changes: asyncio.Queue[Change | None] = field(default_factory=lambda: asyncio.Queue(MAX_BEHIND))

    def tell(self, change: Change | None) -> None:
        """Queue a change; when the queue is full, drop it all and say so."""
        if self.changes.full():
            while not self.changes.empty():
                self.changes.get_nowait()
            self.changes.put_nowait(None)
        self.changes.put_nowait(change)


class ChangeFeed:
    """Spreads the changes to everybody who listens."""

    def __init__(self, engine: Engine, poll_seconds: float = POLL_SECONDS) -> None:
        self._engine = engine
        self._poll_seconds = poll_seconds
        self._listeners: set[Listener] = set()
        self._seen: dict[str, Moved] = {}
        self._task: asyncio.Task[None] | None = None
        self.closed = False

    @asynccontextmanager
    async def listen(self, owner: str) -> AsyncIterator[Listener]:
        """Receive the owner's changes from now on."""
        if self._task is None or self._task.done():
            await anyio.to_thread.run_sync(self._start)
            self._task = asyncio.create_task(self._watch())
        listener = Listener(owner)
        self._listeners.add(listener)
        try:
            yield listener
        finally:
            self._listeners.discard(listener)

    async def since(self, owner: str, moment: datetime) -> list[Change] | None:
        """What changed since a moment; None where that is more than a client should be told one by one."""
        return await anyio.to_thread.run_sync(self._load_since, owner, moment - OVERLAP)

    async def close(self) -> None:
        """Let every listener go: each gets a last None."""
        self.closed = True
        for listener in self._listeners:
            listener.tell(None)
        if self._task is not None:
            self._task.cancel()

    async def _watch(self) -> None:
        while self._listeners:
            await asyncio.sleep(self._poll_seconds)
            try:
                changes = await anyio.to_thread.run_sync(self._look)
            except Unavailable as error:
                _log.warning("the live stream waits: %s", error)
                continue
            for change in changes:
                self._spread(change)

    def _spread(self, change: Change) -> None:
        for listener in self._listeners:
            if listener.owner == change.moved.owner:
                listener.tell(change)

    def _start(self) -> None:
        with reading(self._engine) as session:
            found = moved_since(session, datetime.now(UTC) - OVERLAP, most=_MOST_MOVED)
        self._seen = {moved.document_id: moved for moved in found}

    def _look(self) -> list[Change]:
        newest = max((moved.changed_at for moved in self._seen.values()), default=datetime.now(UTC))
        horizon = newest - OVERLAP
        with reading(self._engine) as session:
            found = moved_since(session, horizon, most=_MOST_MOVED)
            fresh = [moved for moved in found if self._seen.get(moved.document_id) != moved]
            self._seen = {moved.document_id: moved for moved in found}
            return _changes(session, fresh)

    def _load_since(self, owner: str, moment: datetime) -> list[Change] | None:
        with reading(self._engine) as session:
            found = moved_since(session, moment, most=_MOST_MOVED)
            mine = [moved for moved in found if moved.owner == owner]
            return _changes(session, mine) if len(mine) <= MAX_BEHIND else None


def _changes(session: Session, moved: list[Moved]) -> list[Change]:
    shown: dict[str, DocumentSummary] = {}
    for start in range(0, len(moved), _CHUNK):
        shown |= summaries_of(session, [each.document_id for each in moved[start : start + _CHUNK]])
    return [Change(each, shown.get(each.document_id)) for each in moved if each.gone or each.document_id in shown]
