"""One sweep under way: what its parts work with, and how they tell what they did. It decides nothing."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine

from shared.errors import InvalidEvent, NotACloudEvent, Throttled, Unavailable
from shared.events import Event
from shared.publisher import EventPublisher
from shared.storage import keys
from shared.storage.port import ObjectInfo, ObjectStore
from web.sweep.marks import Mark, grown, move_mark, read_mark, take_turn
from web.sweep.swept import Deed, Found, Kind, Swept

SOURCE = "/docuelevate/web"
SWEEP_SOURCE = "/docuelevate/sweep"
"""Of `object.created` only; all else is a stored event again, or one that web would send (contract §1)."""

PATIENCE = timedelta(minutes=5)
LONGEST_PAUSE = timedelta(hours=6)
STILL_WRITING = timedelta(minutes=30)
"""Longer than any request and the life of its lease, so that nobody can still be at work on what is as old."""

BATCH = 200
PART_SECONDS = 30.0
"""How long each part of a sweep may go on; the next sweep continues where it stopped."""

BROKEN = (InvalidEvent, NotACloudEvent, ValueError, KeyError, TypeError, AttributeError)
"""What rows, events and objects that are not as they should be lead to."""


@dataclass
class Round:
    """One sweep. `now` may be ahead of the clock: then everything counts as older by as much."""

    engine: Engine
    store: ObjectStore
    publisher: EventPublisher
    now: datetime
    swept: Swept
    part_seconds: float = PART_SECONDS
    patience: timedelta = PATIENCE
    search_enabled: bool = True
    generation: Callable[[], str] | None = None
    is_settled: Callable[[ObjectInfo], bool] = lambda _info: True
    event_retention_days: int = 0
    offers_vocabulary: bool = False
    ahead_seconds: float = field(init=False)
    fresh: list[Found] = field(default_factory=list, init=False)
    found_ids: set[str] = field(default_factory=set, init=False)
    _until: float = field(default=0.0, init=False)
    _broker_is_down: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self.ahead_seconds = max(0.0, (self.now - datetime.now(UTC)).total_seconds())

    @property
    def repairs(self) -> bool:
        """Whether anything may be changed; a report only looks."""
        return not self.swept.report

    def begin_part(self) -> None:
        """Start the time that the next part has."""
        self._until = time.monotonic() + self.part_seconds

    def has_time(self) -> bool:
        """Whether the part may go on."""
        return time.monotonic() < self._until

    def age(self, info: ObjectInfo) -> timedelta:
        """How old the object is at `now`, by the store's clock."""
        return timedelta(seconds=info.age_seconds + self.ahead_seconds)

    def publish(self, event: Event) -> None:
        """Send an event; after the first refusal nothing more is tried in this sweep."""
        if self._broker_is_down:
            raise Unavailable("the broker did not take an event before")
        try:
            self.publisher.publish(event)
        except (Unavailable, Throttled):
            self._broker_is_down = True
            raise

    def did(self, deed: Deed, subject: str, detail: str = "", *, times: int = 1) -> None:
        """Count something done, or that would be."""
        self.swept.did(deed, subject, detail, times=times)

    def found(self, kind: Kind, key: str, message: str, document_id: str | None = None) -> None:
        """Note a finding."""
        finding = Found(kind, key, message, document_id)
        self.swept.found(finding)
        self.fresh.append(finding)
        self.found_ids.add(finding.id)

    def turn(self, name: str) -> Mark | None:
        """The turn at a walk, as `take_turn`; a report always has it, from the beginning."""
        return take_turn(self.engine, name, self.now) if self.repairs else Mark(name, 0, self.now, "")

    def end_turn(self, mark: Mark, position: str, *, pause: timedelta = timedelta(0)) -> None:
        """Leave the walk at a position; "" is its end, after which it pauses."""
        if self.repairs:
            due_at = self.now if position else self.now + pause
            move_mark(self.engine, mark, due_at=due_at, position=position)
        elif position:
            self.swept.complete = False

    def may_try(self, name: str, *, most: int | None = None, first: timedelta | None = None) -> bool:
        """Whether this is to be tried (again) now: claimed by whoever is told so, with pauses that grow."""
        mark = read_mark(self.engine, name, self.now)
        if mark.due_at > self.now or (most is not None and mark.tries >= most):
            return False
        due_at = self.now + grown(first or self.patience, LONGEST_PAUSE, mark.tries)
        return not self.repairs or move_mark(self.engine, mark, due_at=due_at, position="")

    @contextmanager
    def alone(self, document_id: str) -> Iterator[None]:
        """Keep what is wrong with one document from the others: it becomes a finding."""
        try:
            yield
        except BROKEN as error:
            message = f"The sweep cannot work on this document: {type(error).__name__}: {error}"
            self.found(Kind.NOT_SWEPT, f"{keys.DOCUMENTS}{document_id}/", message[:500], document_id)
