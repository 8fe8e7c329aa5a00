"""What sweep remembers between one time and the next, in the database: turns at long walks, and pauses that grow.

Every claim is a compare-and-set on one row, so that sweeps in several processes at once share the work.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import CursorResult, Engine, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from shared.database.engine import reading, writing
from shared.database.tables import SweepMark

TURN = timedelta(minutes=10)
"""How long a walk is left to whoever took it up; after a crash another one goes on then."""

MOST_DOUBLINGS = 10
"""More would not fit into a time span; every longest pause is reached before."""


@dataclass(frozen=True)
class Mark:
    """A mark as it stands."""

    name: str
    tries: int
    due_at: datetime
    position: str


def read_mark(engine: Engine, name: str, now: datetime) -> Mark:
    """The mark, or the one of something that was never tried: due at once."""
    with reading(engine) as session:
        row = session.get(SweepMark, name)
    return Mark(name, row.tries, row.due_at, row.position or "") if row else Mark(name, 0, now, "")


def move_mark(engine: Engine, mark: Mark, *, due_at: datetime, position: str) -> bool:
    """Set the mark anew, unless somebody else has since it was read; whether it was ours to set."""
    values = {"tries": mark.tries + 1, "due_at": due_at, "position": position}
    with writing(engine) as session:
        moved = update(SweepMark).where(SweepMark.name == mark.name, SweepMark.tries == mark.tries).values(values)
        if cast("CursorResult[Any]", session.execute(moved)).rowcount == 1:
            return True
        if mark.tries > 0:
            return False
        insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
        made = insert(SweepMark).values(name=mark.name, **values).on_conflict_do_nothing().returning(SweepMark.name)
        return session.execute(made).scalar_one_or_none() is not None


def take_turn(engine: Engine, name: str, now: datetime) -> Mark | None:
    """The mark for whoever may go on with this walk now; None while somebody else does, or while it pauses."""
    mark = read_mark(engine, name, now)
    if mark.due_at > now or not move_mark(engine, mark, due_at=now + TURN, position=mark.position):
        return None
    return Mark(name, mark.tries + 1, now + TURN, mark.position)


def grown(first: timedelta, longest: timedelta, tries: int) -> timedelta:
    """The pause after so many tries."""
    doublings: int = 2 ** min(tries, MOST_DOUBLINGS)
    return min(longest, first * doublings)


def forget_marks(engine: Engine, before: datetime) -> None:
    """Remove marks that were due long ago and were not needed since."""
    with writing(engine) as session:
        session.execute(delete(SweepMark).where(SweepMark.due_at < before))


def forget_mark(engine: Engine, name: str) -> None:
    """Begin anew with what was tried in vain before."""
    with reading(engine) as session:
        if session.get(SweepMark, name) is None:
            return
    with writing(engine) as session:
        session.execute(delete(SweepMark).where(SweepMark.name == name))


def marks_named(engine: Engine, prefix: str) -> list[str]:
    """The names of the marks that begin so."""
    with reading(engine) as session:
        return list(session.scalars(select(SweepMark.name).where(SweepMark.name.startswith(prefix, autoescape=True))))
