"""Replays: no item is skipped or done twice, whoever crashes or joins; pace, back-pressure, cancel, failure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from shared.database.engine import reading, writing
from shared.database.tables import Finding, OutboxEvent, Replay
from shared.errors import Unavailable
from web.errors import Conflict, NotFound
from web.replays import CLAIM, Batch, Counts, Extent, Job, Limits, Pace, ReplayKind, Replays, Stale

ITEMS = 30


class Crash(BaseException):
    """The process is gone."""


@dataclass
class Numbering:
    """Writes one row for each number up to the bound: a second row for a number would break the table's key."""

    count: int = ITEMS
    sends_events: bool = False
    crash_at: int | None = None
    error: Exception | None = None
    asked: list[int] = field(default_factory=list)

    def extent(self, session: Session, request: Mapping[str, Any]) -> Extent:
        return Extent(self.count, str(self.count))

    def next_batch(self, job: Job, most: int) -> Batch | None:
        self.asked.append(most)
        if self.error is not None:
            raise self.error
        first, last = int(job.cursor or 0) + 1, int(job.bound or 0)
        numbers = list(range(first, last + 1))[:most]
        return Batch(str(numbers[-1]), lambda session: self._note(session, numbers)) if numbers else None

    def _note(self, session: Session, numbers: list[int]) -> Counts:
        now = datetime.now(UTC)
        for number in numbers:
            session.add(Finding(id=str(number), kind="item", key="", message="", found_at=now, seen_at=now))
            session.flush()
            if number == self.crash_at:
                raise Crash
        return Counts(len(numbers))


@dataclass
class Clock:
    """Stands still, or goes on by `step` each time somebody looks."""

    now: float = 100.0
    step: float = 0.0

    def __call__(self) -> float:
        self.now += self.step
        return self.now


def replays(engine: Engine, worker: Numbering | None = None, **more: Any) -> Replays:
    more = {"batch": 7, "clock": Clock(step=1.0)} | more
    return Replays(engine, {ReplayKind.REDELIVER: worker or Numbering()}, **more)


def begun(work: Replays, rate: float = 1000.0) -> str:
    return work.begin(ReplayKind.REDELIVER, {}, rate=rate, by="someone").id


def state(engine: Engine, replay_id: str) -> Replay:
    with reading(engine) as session:
        return session.get_one(Replay, replay_id)


def noted(engine: Engine) -> list[int]:
    with reading(engine) as session:
        return sorted(int(row.id) for row in session.query(Finding))


def finish(work: Replays, engine: Engine, replay_id: str) -> Replay:
    for _ in range(10_000):
        work.advance()
        if (row := state(engine, replay_id)).state != "running":
            return row
    raise AssertionError("the replay does not end")


def expire(engine: Engine, replay_id: str) -> None:
    """As time passes after its process was killed."""
    with writing(engine) as session:
        session.get_one(Replay, replay_id).claimed_until = datetime.now(UTC) - timedelta(seconds=1)


def test_every_item_is_done_once_and_counted(engine: Engine) -> None:
    work = replays(engine)
    row = finish(work, engine, begun(work))
    assert (row.state, row.total, row.done, row.skipped) == ("done", ITEMS, ITEMS, 0)
    assert row.finished_at is not None
    assert noted(engine) == list(range(1, ITEMS + 1))


@pytest.mark.parametrize("crash_at", [1, 7, 8, 15, ITEMS])
def test_a_crash_at_any_item_neither_skips_nor_repeats_one(engine: Engine, crash_at: int) -> None:
    first = replays(engine, Numbering(crash_at=crash_at))
    replay_id = begun(first)
    with pytest.raises(Crash):
        finish(first, engine, replay_id)
    expire(engine, replay_id)
    row = finish(replays(engine), engine, replay_id)
    assert (row.state, row.done) == ("done", ITEMS)
    assert noted(engine) == list(range(1, ITEMS + 1))


def test_one_process_works_on_a_replay_at_a_time(engine: Engine) -> None:
    first, second = replays(engine), replays(engine)
    replay_id = begun(first)
    first.advance()
    before = state(engine, replay_id).cursor
    second.advance()
    assert state(engine, replay_id).cursor == before
    expire(engine, replay_id)
    second.advance()
    assert state(engine, replay_id).cursor != before


def test_a_process_that_was_stopped_for_longer_than_its_claim_commits_nothing(engine: Engine) -> None:
    """SIGSTOP between reading a batch and committing it."""
    other = replays(engine)

    class Stopped(Numbering):
        def next_batch(self, job: Job, most: int) -> Batch | None:
            batch = super().next_batch(job, most)
            if job.cursor is None:
                expire(engine, job.id)
                other.advance()
            return batch

    work = replays(engine, Stopped())
    replay_id = begun(work)
    work.advance()
    work.advance()
    assert noted(engine) == list(range(1, 8))
    finish(other, engine, replay_id)
    assert noted(engine) == list(range(1, ITEMS + 1))


def test_a_claim_is_renewed_before_it_expires(engine: Engine) -> None:
    work = replays(engine)
    replay_id = begun(work)
    work.advance()
    soon = datetime.now(UTC) + CLAIM / 4
    with writing(engine) as session:
        session.get_one(Replay, replay_id).claimed_until = soon
    work.advance()
    renewed = state(engine, replay_id).claimed_until
    assert renewed is not None
    assert renewed > soon


def test_a_cancelled_replay_does_no_more(engine: Engine) -> None:
    work = replays(engine)
    replay_id = begun(work)
    work.advance()
    row = work.cancel(replay_id, by="someone")
    assert (row.state, row.done, row.message) == ("cancelled", 7, "Cancelled by someone.")
    work.advance()
    assert len(noted(engine)) == 7
    assert work.cancel(replay_id, by="another").message == "Cancelled by someone."


def test_what_has_ended_cannot_be_cancelled(engine: Engine) -> None:
    work = replays(engine)
    replay_id = begun(work)
    finish(work, engine, replay_id)
    with pytest.raises(Conflict):
        work.cancel(replay_id, by="someone")
    with pytest.raises(NotFound):
        work.cancel("none", by="someone")


def test_a_replay_that_cannot_go_on_says_why(engine: Engine) -> None:
    work = replays(engine, Numbering(error=ValueError("the row is unreadable")))
    replay_id = begun(work)
    work.advance()
    row = state(engine, replay_id)
    assert row.state == "failed"
    assert row.message == "ValueError: the row is unreadable"


def test_what_is_out_of_reach_is_waited_for(engine: Engine) -> None:
    worker = Numbering(error=Unavailable("the search index does not answer"))
    work = replays(engine, worker)
    replay_id = begun(work)
    work.advance()
    assert state(engine, replay_id).message == "Waits: the search index does not answer."
    worker.error = None
    row = finish(work, engine, replay_id)
    assert (row.state, row.message) == ("done", None)


def test_a_batch_that_is_stale_is_read_anew(engine: Engine) -> None:
    class Once(Numbering):
        refused = False

        def _note(self, session: Session, numbers: list[int]) -> Counts:
            if not self.refused:
                self.refused = True
                raise Stale
            return super()._note(session, numbers)

    work = replays(engine, Once())
    assert finish(work, engine, begun(work)).done == ITEMS


def test_events_wait_while_the_outbox_is_long(engine: Engine) -> None:
    work = replays(engine, Numbering(sends_events=True), limits=Limits(queued=2))
    replay_id = begun(work)
    now = datetime.now(UTC)
    with writing(engine) as session:
        for number in range(2):
            session.add(OutboxEvent(source="/s", id=str(number), body="{}", created_at=now, not_before=now, attempts=0))
    work.advance()
    assert noted(engine) == []
    assert state(engine, replay_id).message == "Waits: 2 events are still to be sent."
    with writing(engine) as session:
        session.query(OutboxEvent).delete()
    assert finish(work, engine, replay_id).message is None


def test_two_replays_share_the_time(engine: Engine) -> None:
    work = replays(engine, Numbering(count=0))
    one, two = begun(work), begun(work)
    work.advance()
    assert {state(engine, one).state, state(engine, two).state} == {"done"}


@pytest.mark.parametrize("rate", [0.1, 1.0, 10.0, 1000.0])
def test_the_pace_holds_over_time_whatever_is_asked(rate: float) -> None:
    clock = Clock()
    pace, dealt_with = Pace(rate, clock), 0
    for _ in range(2000):
        clock.now += 0.05
        count = pace.available()
        pace.take(count)
        dealt_with += count
    assert rate * 100 - 1 <= dealt_with <= rate * 100 + 1


def test_what_a_pause_saved_is_one_second_of_items_at_most() -> None:
    clock = Clock()
    pace = Pace(10.0, clock)
    clock.now += 3600
    assert pace.available() == 10


def test_the_rate_bounds_what_a_batch_may_hold(engine: Engine) -> None:
    clock, worker = Clock(), Numbering()
    work = replays(engine, worker, clock=clock)
    replay_id = begun(work, rate=2.0)
    for _ in range(3):
        clock.now += 1.0
        work.advance()
        work.advance()
    assert state(engine, replay_id).done == 1 + 2 + 2
    assert max(worker.asked) <= 2
