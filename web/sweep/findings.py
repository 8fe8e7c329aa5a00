"""The findings as a table: each with when it was found first and seen last; what is no longer so goes."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from sqlalchemy import Engine, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from shared.database.engine import reading, writing
from shared.database.tables import Finding
from web.sweep.round import LONGEST_PAUSE, Round
from web.sweep.swept import Found, Kind


def save_findings(round_: Round) -> None:
    """Write down what was found since this was last called."""
    fresh, round_.fresh = round_.fresh, []
    if not fresh or not round_.repairs:
        return
    with writing(round_.engine) as session:
        for found in fresh:
            _save(session, found, round_.now)


def settle(round_: Round, kinds: Iterable[Kind], was_looked_at: Callable[[Finding], bool] = lambda _: True) -> None:
    """Remove the findings of these kinds that were looked at again and not found."""
    if not round_.repairs:
        return
    wanted = [kind.value for kind in kinds]
    with reading(round_.engine) as session:
        rows = session.scalars(select(Finding).where(Finding.kind.in_(wanted))).all()
    gone = [row.id for row in rows if row.id not in round_.found_ids and was_looked_at(row)]
    if gone:
        with writing(round_.engine) as session:
            for start in range(0, len(gone), 500):
                session.execute(delete(Finding).where(Finding.id.in_(gone[start : start + 500])))


def between(first: str, last: str) -> Callable[[Finding], bool]:
    """Whether a finding's key is one that a walk has passed; "" is the end of everything."""
    return lambda found: first < found.key and (not last or found.key <= last)


def forget_unswept(round_: Round) -> None:
    """What could not be swept is tried again within the longest pause; not found since, it is no longer so."""
    settle(round_, (Kind.NOT_SWEPT,), lambda row: row.seen_at < round_.now - 2 * LONGEST_PAUSE)


def all_findings(engine: Engine, most: int) -> tuple[int, Sequence[Finding]]:
    """How many there are, and the newest."""
    with reading(engine) as session:
        count = session.scalar(select(func.count()).select_from(Finding)) or 0
        newest = select(Finding).order_by(Finding.found_at.desc(), Finding.id).limit(most)
        return count, session.scalars(newest).all()


def _save(session: Session, found: Found, now: datetime) -> None:
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    seen = {"message": found.message.replace("\0", ""), "seen_at": now}
    about = {"kind": found.kind.value, "key": found.key.replace("\0", ""), "document_id": found.document_id}
    statement = insert(Finding).values(id=found.id, found_at=now, **about, **seen)
    session.execute(statement.on_conflict_do_update(index_elements=["id"], set_=seen))
