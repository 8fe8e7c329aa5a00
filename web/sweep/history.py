"""When there was a sweep last, what it did, and what all have done, for who wants to know whether there are any."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from shared.database.engine import reading
from shared.database.tables import SweepMark
from web.sweep.marks import move_mark, read_mark
from web.sweep.round import Round

_MARK = "last"
_MOST_LINES = 50
_TOTALS = "totals"


@dataclass(frozen=True)
class SweepHistory:
    """When the last sweep began, how many of its parts were kept from their work, and how often all have done what."""

    swept_at: datetime | None = None
    failures: int = 0
    totals: Mapping[str, int] = field(default_factory=dict)


def remember_sweep(round_: Round) -> None:
    """Write down this sweep; of two that end together, either."""
    if not round_.repairs:
        return
    swept = round_.swept
    lines = [{"deed": line.deed, "subject": line.subject, "detail": line.detail} for line in swept.lines[:_MOST_LINES]]
    told = {
        "report": False,
        "complete": True,
        "did": swept.counts,
        "lines": lines,
        "findings": [],
        "checked": swept.checked,
        "failures": swept.failures,
    }
    mark = read_mark(round_.engine, _MARK, round_.now)
    before = _told(mark.position).get(_TOTALS, {})
    told[_TOTALS] = {deed: before.get(deed, 0) + count for deed, count in swept.counts.items()}
    move_mark(round_.engine, mark, due_at=round_.now, position=json.dumps(told))


def last_sweep(engine: Engine) -> tuple[datetime | None, dict[str, Any] | None]:
    """When it was and what it did; None where there was none yet."""
    with reading(engine) as session:
        row = session.get(SweepMark, _MARK)
    if row is None:
        return None, None
    return row.due_at, {name: value for name, value in _told(row.position).items() if name != _TOTALS} or None


def sweep_history(session: Session) -> SweepHistory:
    """The last sweep and the sums of all, as numbers."""
    row = session.get(SweepMark, _MARK)
    if row is None:
        return SweepHistory()
    told = _told(row.position)
    return SweepHistory(row.due_at, len(told.get("failures", ())), told.get(_TOTALS, {}))


def _told(position: str | None) -> dict[str, Any]:
    return json.loads(position) if position else {}
