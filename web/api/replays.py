"""Replays of many events or documents, and rebuilds: begun, watched and cancelled by an administrator."""

from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from shared.database.engine import reading
from web.access import Guarded, Need, Operation, Parameter, owner_of
from web.api.answers import json_answer, read_json
from web.api.links import with_cursor
from web.api.parameters import CURSOR, PAGE_SIZE
from web.api.replay_models import DryRun, RebuildRequest, ReplayList, ReplayOfMany, ReplayView
from web.context import context_of
from web.engines import require_engines
from web.errors import Conflict, InvalidParameter
from web.filters import page_size
from web.replay_reads import find_replay, list_replays, replay_view
from web.replays import ReplayKind, ReplayState


async def replay_many(request: Request) -> Response:
    """Send archived events again, or start new runs of the documents that a filter selects; `dry_run` only counts."""
    wanted = await read_json(request, ReplayOfMany)
    context, kind = context_of(request), ReplayKind(wanted.mode)
    require_engines(context, wanted.options)
    replays = context.replays
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
    query = request.query_params
    state = query.get("state") or None
    if state is not None and state not in tuple(ReplayState):
        raise InvalidParameter(f"state must be one of {', '.join(ReplayState)}")
    wanted = ReplayState(state) if state else None
    with reading(context_of(request).engine) as session:
        page = list_replays(session, wanted, cursor=query.get("cursor"), page_size=page_size(query))
    following, previous = with_cursor(request, page)
    return json_answer(ReplayList(count=page.count, next=following, previous=previous, results=page.results))


def show(request: Request) -> Response:
    """Show how far a replay is."""
    with reading(context_of(request).engine) as session:
        return json_answer(find_replay(session, request.path_params["id"]))


def cancel(request: Request) -> Response:
    """End a replay after the batch that is under way; what it has begun goes on."""
    replays, who = context_of(request).replays, owner_of(request)
    return json_answer(replay_view(replays.cancel(request.path_params["id"], by=who)))


async def _begun(request: Request, kind: ReplayKind, content: dict[str, Any], rate: float) -> Response:
    replays, who = context_of(request).replays, owner_of(request)
    row = await run_in_threadpool(lambda: replays.begin(kind, content, rate=rate, by=who))
    return json_answer(replay_view(row), 202, {"Location": f"/api/replays/{row.id}"})


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
