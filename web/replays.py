"""Long work over many events or documents: begun in one transaction, then advanced batch by batch, each a transaction.

What a batch does and how far the work is are committed together, so that a crash neither skips nor repeats an item.
Several web processes share the work: one claims a replay for a while, and a batch counts only while its claim holds and
nobody has moved on. It knows nothing of what is done with an item; that is for a `Worker` of each kind.
"""

import asyncio
import logging
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol

import anyio.to_thread
from sqlalchemy import Engine, func, or_, select, update
from sqlalchemy.orm import Session

from shared.database.engine import reading, writing
from shared.database.tables import Document, OutboxEvent, Replay
from shared.documents import Status
from shared.errors import DocuElevateError, Throttled, Unavailable
from web.errors import Conflict, NotFound

CLAIM = timedelta(seconds=30)
POLL_SECONDS = 2.0
HELD_BACK_SECONDS = 1.0
BATCH = 100
SLOWEST, FASTEST = 0.1, 1000.0
"""Bounds of a rate, in items per second."""

_log = logging.getLogger(__name__)


class ReplayKind(StrEnum):
    """What is done with each item."""

    REDELIVER = "redeliver"
    REPROCESS = "reprocess"
    REBUILD_INDEX = "rebuild_index"
    REBUILD_PROJECTIONS = "rebuild_projections"


class ReplayState(StrEnum):
    """Where a replay stands; all but the first are final."""

    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"
    FAILED = "failed"


@dataclass(frozen=True)
class Job:
    """A replay as its worker sees it. `cursor` is what the last batch left, None before the first."""

    id: str
    request: Mapping[str, Any]
    rate: float
    cursor: str | None
    bound: str | None


@dataclass(frozen=True)
class Extent:
    """How much there is to do: items that will be dealt with, where they end, and those left out by reason."""

    count: int
    bound: str | None = None
    skipped: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Counts:
    """What became of the items of a batch."""

    done: int = 0
    skipped: int = 0


@dataclass(frozen=True)
class Batch:
    """The next items. `apply` deals with them in the transaction that moves the cursor; it makes no outside call."""

    cursor: str
    apply: Callable[[Session], Counts]


class Stale(Exception):
    """What was read for a batch is no longer so: raised by `apply`, after which the batch is read anew."""


class Worker(Protocol):
    """How one kind of replay goes on."""

    @property
    def sends_events(self) -> bool:
        """Whether its items go to the broker: such work waits while much is queued or being processed."""
        ...

    def extent(self, session: Session, request: Mapping[str, Any]) -> Extent:
        """How much there is to do. Also asked for a dry run: nothing is written."""
        ...

    def next_batch(self, job: Job, most: int) -> Batch | None:
        """Up to `most` items after the cursor, in a fixed order; None where there is none up to the bound.

        Called outside of any transaction, so that objects and the index may be read here.
        """
        ...


@dataclass
class Pace:
    """So many items per second over the wall clock; what was not used is kept for one second, and one item at least."""

    rate: float
    clock: Callable[[], float] = time.monotonic
    _saved: float = field(default=1.0, init=False)
    _seen: float = field(init=False)

    def __post_init__(self) -> None:
        self._seen = self.clock()

    def available(self) -> int:
        """How many items may be dealt with now."""
        now = self.clock()
        self._saved = min(max(1.0, self.rate), self._saved + (now - self._seen) * self.rate)
        self._seen = now
        return int(self._saved)

    def take(self, count: int) -> None:
        """Note that so many were dealt with."""
        self._saved -= count

    @property
    def wait_seconds(self) -> float:
        """How long until the next item."""
        return max(0.0, (1.0 - self._saved) / self.rate)


@dataclass(frozen=True)
class Limits:
    """When work that sends events waits: so many events queued, or so many documents on their way."""

    queued: int = 500
    processing: int = 200


@dataclass
class Replays:
    """Begins, advances and ends replays. `on_events` hears when a batch may have queued events."""

    engine: Engine
    workers: Mapping[ReplayKind, Worker]
    on_events: Callable[[], None] = lambda: None
    limits: Limits = Limits()
    batch: int = BATCH
    clock: Callable[[], float] = time.monotonic
    name: str = field(default_factory=lambda: str(uuid.uuid4()))
    _paces: dict[str, Pace] = field(default_factory=dict, init=False)
    _loop: asyncio.AbstractEventLoop | None = field(default=None, init=False)
    _woken: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    def extent(self, kind: ReplayKind, request: Mapping[str, Any]) -> Extent:
        """What a replay would do; nothing is begun."""
        with reading(self.engine) as session:
            return self.workers[kind].extent(session, request)

    def begin(self, kind: ReplayKind, request: Mapping[str, Any], *, rate: float, by: str) -> Replay:
        """Begin a replay: from now on it goes on by itself, whatever crashes."""
        with writing(self.engine) as session:
            extent = self.workers[kind].extent(session, request)
            replay = Replay(
                id=str(uuid.uuid4()),
                owner=by,
                kind=kind.value,
                state=ReplayState.RUNNING.value,
                request=dict(request),
                rate=rate,
                total=extent.count,
                bound=extent.bound,
                created_at=datetime.now(UTC),
            )
            session.add(replay)
        _log.info("%s began replay %s: %s of %d items, %s", by, replay.id, kind, extent.count, replay.request)
        self.wake()
        return replay

    def cancel(self, replay_id: str, *, by: str) -> Replay:
        """End a replay after the batch that is under way. Raises NotFound, Conflict where it has ended already."""
        with writing(self.engine) as session:
            replay = session.get(Replay, replay_id, with_for_update=True)
            if replay is None:
                raise NotFound("There is no such replay.")
            if replay.state not in (ReplayState.RUNNING, ReplayState.CANCELLED):
                raise Conflict(f"The replay is {replay.state} already.")
            _end(replay, ReplayState.CANCELLED, f"Cancelled by {by}.")
        _log.info("%s cancelled replay %s after %d items", by, replay_id, replay.done)
        return replay

    def wake(self) -> None:
        """Say that there is something to do; from any thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._woken.set)

    async def run(self) -> None:
        """Advance replays until cancelled."""
        self._loop = asyncio.get_running_loop()
        while True:
            self._woken.clear()
            pause = await anyio.to_thread.run_sync(self._advance_safely)
            if pause > 0:
                await self._rest(pause)

    def advance(self) -> float:
        """One batch of every replay that this process may work on; the seconds until there may be more to do."""
        with reading(self.engine) as session:
            query = select(Replay.id).where(Replay.state == ReplayState.RUNNING.value).order_by(Replay.created_at)
            running = session.scalars(query).all()
        self._paces = {one: pace for one, pace in self._paces.items() if one in running}
        return min((self._advance(one) for one in running), default=POLL_SECONDS)

    async def _rest(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._woken.wait(), min(seconds, POLL_SECONDS))
        except TimeoutError:
            return

    def _advance_safely(self) -> float:
        try:
            return self.advance()
        except Unavailable as error:
            _log.warning("replays wait: %s", error)
            return POLL_SECONDS

    def _advance(self, replay_id: str) -> float:
        claimed = self._claim(replay_id)
        if claimed is None:
            return POLL_SECONDS
        worker = self.workers[ReplayKind(claimed.kind)]
        pace = self._paces.setdefault(replay_id, Pace(claimed.rate, self.clock))
        if not (available := pace.available()):
            return pace.wait_seconds
        if worker.sends_events and (reason := self._held_back_by()):
            self._say(claimed, reason)
            return HELD_BACK_SECONDS
        try:
            pace.take(self._do_batch(claimed, worker, min(available, self.batch)).done)
        except (Unavailable, Throttled) as error:
            self._say(claimed, f"Waits: {error}.")
            return POLL_SECONDS
        except (DocuElevateError, ValueError, LookupError) as error:
            # Not to be tried for ever: a person reads why, and begins another once it is mended.
            _log.error("replay %s failed", replay_id, exc_info=error)
            self._finish(claimed, ReplayState.FAILED, f"{type(error).__name__}: {error}"[:1000])
        return 0.0

    def _claim(self, replay_id: str) -> Replay | None:
        """The replay, where nobody else is at it: by compare-and-set, and renewed before it expires."""
        now = datetime.now(UTC)
        with reading(self.engine) as session:
            seen = session.get(Replay, replay_id)
        if seen is None or seen.state != ReplayState.RUNNING:
            return None
        until = seen.claimed_until or now
        if seen.claimed_by == self.name and until > now + CLAIM / 2:
            return seen
        free = or_(Replay.claimed_by.is_(None), Replay.claimed_by == self.name, Replay.claimed_until < now)
        mine = {"claimed_by": self.name, "claimed_until": now + CLAIM}
        with writing(self.engine) as session:
            session.execute(update(Replay).where(Replay.id == replay_id, free).values(mine))
            found = session.get(Replay, replay_id)
        return found if found is not None and found.claimed_by == self.name else None

    def _held_back_by(self) -> str | None:
        with reading(self.engine) as session:
            in_outbox = select(func.count()).select_from(OutboxEvent).where(OutboxEvent.problem.is_(None))
            queued = session.scalar(in_outbox) or 0
            on_their_way = select(func.count()).select_from(Document)
            on_their_way = on_their_way.where(Document.status == Status.PROCESSING.value)
            processing = session.scalar(on_their_way) or 0
        if queued >= self.limits.queued:
            return f"Waits: {queued} events are still to be sent."
        if processing >= self.limits.processing:
            return f"Waits: {processing} documents are being processed."
        return None

    def _do_batch(self, claimed: Replay, worker: Worker, most: int) -> Counts:
        job = Job(claimed.id, claimed.request, claimed.rate, claimed.cursor, claimed.bound)
        batch = worker.next_batch(job, most)
        if batch is None:
            self._finish(claimed, ReplayState.DONE, None)
            return Counts()
        counts = self._commit(claimed, batch)
        if counts.done and worker.sends_events:
            self.on_events()
        return counts

    def _commit(self, claimed: Replay, batch: Batch) -> Counts:
        try:
            with writing(self.engine) as session:
                replay = self._still_ours(session, claimed)
                if replay is None:
                    return Counts()
                counts = batch.apply(session)
                replay.cursor, replay.message = batch.cursor, None
                replay.done += counts.done
                replay.skipped += counts.skipped
                return counts
        except Stale:
            return Counts()

    def _finish(self, claimed: Replay, state: ReplayState, message: str | None) -> None:
        with writing(self.engine) as session:
            replay = self._still_ours(session, claimed)
            if replay is not None:
                _end(replay, state, message)
                _log.info("replay %s is %s: %d done, %d skipped", replay.id, state, replay.done, replay.skipped)

    def _say(self, claimed: Replay, message: str) -> None:
        if claimed.message is not None:
            return
        with writing(self.engine) as session:
            replay = self._still_ours(session, claimed)
            if replay is not None:
                replay.message = message

    def _still_ours(self, session: Session, claimed: Replay) -> Replay | None:
        """The row, locked, unless it was cancelled, claimed by another process, or moved on meanwhile."""
        replay = session.get(Replay, claimed.id, with_for_update=True)
        if replay is None or replay.state != ReplayState.RUNNING:
            return None
        same = replay.claimed_by == self.name and replay.cursor == claimed.cursor
        return replay if same else None


def _end(replay: Replay, state: ReplayState, message: str | None) -> None:
    if replay.finished_at is None:
        replay.state, replay.message, replay.finished_at = state.value, message, datetime.now(UTC)
    replay.claimed_by = replay.claimed_until = None
