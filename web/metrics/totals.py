"""Sums over tables that only grow, kept from one reading to the next: no reading goes through all rows again.

Whoever writes a row commits it soon after; rows older than `SETTLED_AFTER` are added up once and for all.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Numeric, cast, func, select
from sqlalchemy.orm import Session

from shared.database.tables import ArchivedEvent, Charge

SETTLED_AFTER = timedelta(minutes=10)
"""Far longer than a statement may take, clocks that differ included."""


@dataclass(frozen=True)
class Spent:
    """Pages recognized from images, tokens of language models, and US dollars."""

    pages: int = 0
    tokens: int = 0
    cost: float = 0.0

    def __add__(self, other: "Spent") -> "Spent":
        return Spent(self.pages + other.pages, self.tokens + other.tokens, self.cost + other.cost)


@dataclass
class Charges:
    """All that was ever spent: charges outlive their documents, so this never falls, and all replicas say the same."""

    _settled: Spent = field(default=Spent(), init=False)
    _until: datetime | None = field(default=None, init=False)

    def read(self, session: Session, now: datetime) -> Spent:
        """The sum up to now."""
        until = now - SETTLED_AFTER
        since = [Charge.booked_at >= self._until] if self._until else []
        settled = self._settled + _spent(session, *since, Charge.booked_at < until)
        recent = _spent(session, Charge.booked_at >= until)
        self._settled, self._until = settled, until
        return settled + recent


@dataclass
class ArchivedEvents:
    """How many events of each type were archived since this was first asked: the archive itself may be thinned out."""

    _settled: dict[str, int] = field(default_factory=dict, init=False)
    _number: int | None = field(default=None, init=False)

    def read(self, session: Session, now: datetime) -> dict[str, int]:
        """The counts by full type."""
        if self._number is None:
            self._number = session.scalar(select(func.max(ArchivedEvent.number))) or 0
        since = ArchivedEvent.number > self._number
        old = since & (ArchivedEvent.recorded_at < now - SETTLED_AFTER)
        number = session.scalar(select(func.max(ArchivedEvent.number)).where(old)) or self._number
        settled = _sum(self._settled, _counts(session, since & (ArchivedEvent.number <= number)))
        recent = _counts(session, ArchivedEvent.number > number)
        self._settled, self._number = settled, number
        return _sum(settled, recent)


def _spent(session: Session, *conditions: ColumnElement[bool]) -> Spent:
    money = func.sum(cast(Charge.cost, Numeric(30, 10)))
    query = select(func.sum(Charge.pages), func.sum(Charge.tokens), money).where(*conditions)
    pages, tokens, cost = session.execute(query).one()
    return Spent(int(pages or 0), int(tokens or 0), float(cost or 0))


def _counts(session: Session, condition: ColumnElement[bool]) -> dict[str, int]:
    query = select(ArchivedEvent.type, func.count()).where(condition).group_by(ArchivedEvent.type)
    return dict(session.execute(query).all())


def _sum(first: dict[str, int], second: dict[str, int]) -> dict[str, int]:
    return {name: first.get(name, 0) + second.get(name, 0) for name in first.keys() | second.keys()}
