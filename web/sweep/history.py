"""When there was a sweep last, and what it did, for whoever wants to know whether there still are any."""

import json
from datetime import datetime
from typing import Any

from sqlalchemy import Engine

from shared.database.engine import reading
from shared.database.tables import SweepMark
from web.sweep.marks import move_mark, read_mark
from web.sweep.round import Round

_MARK = "last"
_MOST_LINES = 50


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
    move_mark(round_.engine, mark, due_at=round_.now, position=json.dumps(told))


def last_sweep(engine: Engine) -> tuple[datetime | None, dict[str, Any] | None]:
    """When it was and what it did; None where there was none yet."""
    with reading(engine) as session:
        row = session.get(SweepMark, _MARK)
    return (row.due_at, json.loads(row.position or "null")) if row else (None, None)
