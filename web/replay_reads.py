"""What is read of replays and rebuilds: the list, one of them. The JSON API and the pages both stand on these."""

from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from shared.database.tables import Replay
from web.api.replay_models import ReplayView
from web.errors import NotFound
from web.filters import DEFAULT_PAGE_SIZE
from web.paging import Page, Sort, keyset_page
from web.replays import ReplayKind, ReplayState


def list_replays(
    session: Session,
    state: ReplayState | None = None,
    *,
    cursor: str | None = None,
    page_size: int = DEFAULT_PAGE_SIZE,
) -> Page[ReplayView]:
    """One page of all replays, or of those in one state, newest first. Raises InvalidCursor."""
    conditions = [Replay.state == state.value] if state else []
    count = session.scalar(select(func.count()).select_from(Replay).where(*conditions)) or 0
    sort = Sort("-created_at", datetime, Replay.created_at.expression, Replay.id.expression)
    query = select(Replay).where(*conditions)
    return keyset_page(session, query, sort, cursor=cursor, page_size=page_size, count=count).mapped(replay_view)


def find_replay(session: Session, replay_id: str) -> ReplayView:
    """How far a replay is. Raises NotFound."""
    row = session.get(Replay, replay_id)
    if row is None:
        raise NotFound("There is no such replay.")
    return replay_view(row)


def replay_view(row: Replay) -> ReplayView:
    """A replay as the API and the pages show it."""
    asked: dict[str, Any] = row.request
    return ReplayView.model_validate(
        {
            "id": row.id,
            "kind": row.kind,
            "state": row.state,
            "mode": asked.get("mode"),
            "from": asked.get("from") if asked.get("mode") == ReplayKind.REPROCESS else None,
            "filter": asked.get("filter"),
            "rate": row.rate,
            "count": row.total,
            "done": row.done,
            "skipped": row.skipped,
            "created_at": row.created_at,
            "finished_at": row.finished_at,
            "message": row.message,
            "progress": _progress(row),
            "requested_by": row.owner,
        }
    )


def _progress(row: Replay) -> float:
    if row.state == ReplayState.DONE:
        return 1.0
    return round(min(1.0, (row.done + row.skipped) / row.total), 4) if row.total else 0.0
