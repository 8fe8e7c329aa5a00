"""The outbox relay: publishes what transactions have queued, in order per document, at least once.

A row is claimed by moving its `not_before` into the future, so that no transaction is open while the broker is asked,
and several relays share the work. What a crash leaves claimed becomes due again; the duplicate is recognised by its id.
A row that cannot be read is set aside: it holds up nothing, and sweep tells of it and sends its document on.
"""

import asyncio
import logging
import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import anyio.to_thread
from sqlalchemy import Engine, delete, select, update
from sqlalchemy.orm import Session, aliased

from shared.database.engine import reading, writing
from shared.database.tables import OutboxEvent
from shared.errors import InvalidEvent, NotACloudEvent, Throttled, Unavailable
from shared.events import Event, from_json
from shared.publisher import EventPublisher

BATCH = 64
CLAIM = timedelta(seconds=30)
POLL_SECONDS = 2.0
MAX_PAUSE_SECONDS = 60.0
SET_ASIDE = timedelta(hours=6)
"""How long a row that cannot be read is left alone: a later release may know how to."""

_UNREADABLE = (InvalidEvent, NotACloudEvent, ValueError, TypeError, AttributeError, RecursionError)

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Claimed:
    """A row that this relay may publish now."""

    number: int
    body: str
    attempts: int


@dataclass
class Relay:
    """Publishes due rows whenever it is woken, and looks by itself every two seconds. Without a publisher all wait."""

    engine: Engine
    publisher: EventPublisher | None
    batch: int = BATCH
    poll_seconds: float = POLL_SECONDS
    _loop: asyncio.AbstractEventLoop | None = field(default=None, init=False)
    _woken: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    def wake(self) -> None:
        """Say that something was queued; from any thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._woken.set)

    async def run(self) -> None:
        """Relay until cancelled."""
        if self.publisher is None:
            return
        self._loop = asyncio.get_running_loop()
        failures = 0
        while True:
            self._woken.clear()
            sent = await anyio.to_thread.run_sync(self.send_due)
            failures = 0 if sent is not None else failures + 1
            if not sent:
                await self._rest(failures)

    def send_due(self) -> int | None:
        """Publish one batch; how many were sent, or None where the broker or the database did not take it."""
        if self.publisher is None:
            return 0
        try:
            claimed = self._claim()
            return self._publish(self.publisher, claimed) if claimed else 0
        except Unavailable as error:
            _log.warning("the outbox waits: %s", error)
            return None

    async def _rest(self, failures: int) -> None:
        # After a failure a wake-up does not shorten the pause: the broker is not asked more often because of uploads.
        if failures:
            await asyncio.sleep(pause_seconds(failures))
            return
        try:
            await asyncio.wait_for(self._woken.wait(), self.poll_seconds)
        except TimeoutError:
            return

    def _claim(self) -> list[Claimed]:
        with reading(self.engine) as session:
            if not _due(session, 1):
                return []
        with writing(self.engine) as session:
            rows = _due(session, self.batch, lock=True)
            until = datetime.now(UTC) + CLAIM
            numbers = [row.number for row in rows]
            session.execute(update(OutboxEvent).where(OutboxEvent.number.in_(numbers)).values(not_before=until))
            return [Claimed(row.number, row.body, row.attempts) for row in rows]

    def _publish(self, publisher: EventPublisher, claimed: list[Claimed]) -> int | None:
        readable = [(row, event) for row in claimed if (event := self._read(row)) is not None]
        sent: list[int] = []
        try:
            for row, event in readable:
                publisher.publish(event)
                sent.append(row.number)
        except (Unavailable, Throttled) as error:
            _log.warning("the broker did not take an event: %s", error)
        self._settle(sent, [row for row, _ in readable[len(sent) :]])
        return len(sent) if len(sent) == len(readable) else None

    def _read(self, row: Claimed) -> Event | None:
        """The event; None where nobody can read it: then the row is set aside."""
        try:
            return from_json(row.body)
        except _UNREADABLE as error:
            _log.error("an event in the outbox (number %d) cannot be read and is set aside: %s", row.number, error)
            values = {
                "problem": f"{type(error).__name__}: {error}"[:500],
                "not_before": datetime.now(UTC) + SET_ASIDE,
                "attempts": row.attempts + 1,
            }
        with writing(self.engine) as session:
            session.execute(update(OutboxEvent).where(OutboxEvent.number == row.number).values(values))
        return None

    def _settle(self, sent: list[int], unsent: list[Claimed]) -> None:
        with writing(self.engine) as session:
            session.execute(delete(OutboxEvent).where(OutboxEvent.number.in_(sent)))
            for place, row in enumerate(unsent):
                failed = place == 0
                pause = timedelta(seconds=pause_seconds(row.attempts + 1) if failed else 0)
                later = datetime.now(UTC) + pause
                values = {"not_before": later, "attempts": row.attempts + failed}
                session.execute(update(OutboxEvent).where(OutboxEvent.number == row.number).values(values))


def pause_seconds(failures: int) -> float:
    """How long to wait after so many failures in a row: doubling up to a minute, with jitter."""
    longest = min(MAX_PAUSE_SECONDS, 0.5 * 2 ** min(failures, 10))
    return float(longest * random.uniform(0.5, 1.0))  # noqa: S311 -- spreads replicas, guards nothing


def _due(session: Session, most: int, *, lock: bool = False) -> list[OutboxEvent]:
    """Due rows, oldest first, of each document only the first that is still queued and not set aside."""
    earlier = aliased(OutboxEvent)
    blocked = select(earlier.number).where(
        earlier.document_id == OutboxEvent.document_id,
        earlier.number < OutboxEvent.number,
        earlier.problem.is_(None),
    )
    query = (
        select(OutboxEvent)
        .where(OutboxEvent.not_before <= datetime.now(UTC), ~blocked.exists())
        .order_by(OutboxEvent.number)
        .limit(most)
    )
    return list(session.scalars(query.with_for_update(skip_locked=True, of=OutboxEvent) if lock else query))
