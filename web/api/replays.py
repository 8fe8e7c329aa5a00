"""Replays of many events or documents, and rebuilds: begun, watched and cancelled by an administrator."""

from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from shared.database.engine import reading
from shared.database.tables import Replay
from web.access import Guarded, Need, Operation, Parameter, owner_of
from web.api.answers import json_answer, read_json
from web.api.links import with_cursor
from web.api.parameters import CURSOR, PAGE_SIZE
from web.api.replay_models import DryRun, RebuildRequest, ReplayList, ReplayOfMany, ReplayView
from web.context import context_of
from web.errors import Conflict, InvalidParameter, NotFound
from web.filters import page_size
from web.paging import Sort, keyset_page
from web.replays import ReplayKind, ReplayState


async def replay_many(request: Request) -> Response:
    """Send archived events again, or start new runs of the documents that a filter selects; `dry_run` only counts."""
    wanted = await read_json(request, ReplayOfMany)
    replays, kind = context_of(request).replays, ReplayKind(wanted.mode)
    content = wanted.model_dump(mode="json", by_alias=True, exclude={"dry_run", "rate"})
    if wanted.dry_run:
        extent = await run_in_threadpool(replays.extent, kind, content)
        return json_answer(DryRun(count=extent.count, skipped=dict(extent.skipped)))
    return await _begun(request, kind, content, wanted.rate)


async def rebuild(request: Request) -> Response:
    """Make the search index or the projections anew, while everything goes on serving."""
    wanted = await read_json(request, RebuildRequest)
    context, kind = context_of(request), ReplayKind(f"rebuild_{wanted.what}")
    if kind is ReplayKind.REBUILD_INDEX and context.search is None:
        raise Conflict("There is no search index on this server (ENABLE_SEARCH=false).", code="search_disabled")
    return await _begun(request, kind, {}, wanted.rate)


def list_(request: Request) -> Response:
    """List replays and rebuilds, newest first."""
    state = request.query_params.get("state")
    if state and state not in tuple(ReplayState):
        raise InvalidParameter(f"state must be one of {', '.join(ReplayState)}")
    conditions = [Replay.state == state] if state else []
    sort = Sort("-created_at", datetime, Replay.created_at.expression, Replay.id.expression)
    with reading(context_of(request).engine) as session:
        count = session.scalar(select(func.count()).select_from(Replay).where(*conditions)) or 0
        cursor, size = request.query_params.get("cursor"), page_size(request.query_params)
        query = select(Replay).where(*conditions)
        page = keyset_page(session, query, sort, cursor=cursor, page_size=size, count=count)
    following, previous = with_cursor(request, page)
    shown = tuple(replay_view(row) for row in page.results)
    return json_answer(ReplayList(count=page.count, next=following, previous=previous, results=shown))


def show(request: Request) -> Response:
    """Show how far a replay is."""
    with reading(context_of(request).engine) as session:
        row = session.get(Replay, request.path_params["id"])
    if row is None:
        raise NotFound("There is no such replay.")
    return json_answer(replay_view(row))


def cancel(request: Request) -> Response:
    """End a replay after the batch that is under way; what it has begun goes on."""
    replays, who = context_of(request).replays, owner_of(request)
    return json_answer(replay_view(replays.cancel(request.path_params["id"], by=who)))


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


async def _begun(request: Request, kind: ReplayKind, content: dict[str, Any], rate: float) -> Response:
    replays, who = context_of(request).replays, owner_of(request)
    row = await run_in_threadpool(lambda: replays.begin(kind, content, rate=rate, by=who))
    return json_answer(replay_view(row), 202, {"Location": f"/api/replays/{row.id}"})


def _progress(row: Replay) -> float:
    if row.state == ReplayState.DONE:
        return 1.0
    return round(min(1.0, row.done / row.total), 4) if row.total else 0.0


_STATE = Parameter("state", "Where they stand.", values=tuple(ReplayState))

REPLAY_ROUTES = [
    Guarded(
        "/api/events/replay",
        {"POST": Operation(replay_many, Need.ADMIN, {202: ReplayView, 200: DryRun}, body=ReplayOfMany)},
    ),
    Guarded("/api/rebuild", {"POST": Operation(rebuild, Need.ADMIN, {202: ReplayView}, body=RebuildRequest)}),
    Guarded(
        "/api/replays",
        {"GET": Operation(list_, Need.ADMIN, {200: ReplayList}, parameters=(_STATE, CURSOR, PAGE_SIZE))},
    ),
    Guarded("/api/replays/{id}", {"GET": Operation(show, Need.ADMIN, {200: ReplayView})}),
    Guarded("/api/replays/{id}/cancel", {"POST": Operation(cancel, Need.ADMIN, {200: ReplayView})}),
]
