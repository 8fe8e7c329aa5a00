"""Dead letters for operators: what exhausted its deliveries, whole, with cause; sent again or set aside."""

from collections.abc import Sequence

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from shared.database.engine import reading
from shared.letters import LetterState
from web.access import Guarded, Need, Operation, Parameter, owner_of
from web.api.answers import json_answer, read_json
from web.api.letter_models import (
    DeadLetterDetail,
    DeadLetterList,
    DeadLetterView,
    DiscardRequest,
    LettersAnswer,
    LettersDiscard,
    LettersRequest,
)
from web.api.links import with_cursor
from web.api.parameters import CURSOR, PAGE_SIZE
from web.context import context_of
from web.errors import InvalidParameter
from web.filters import moment, page_size
from web.letter_reads import LetterFilters, find_letters, letter_view, list_letters, show_letter
from web.letters import Dealt, discard_letters, replay_letters, require_done

ANY_STATE = "all"
AT_ONCE = 200
"""Letters of a filter in one request: each is an object to read and a transaction of its own."""


def list_(request: Request) -> Response:
    """List dead letters, latest arrival first; those that are open unless `state` says otherwise."""
    query = request.query_params
    with reading(context_of(request).engine) as session:
        page = list_letters(session, _filters(query), cursor=query.get("cursor"), page_size=page_size(query))
    following, previous = with_cursor(request, page)
    return json_answer(DeadLetterList(count=page.count, next=following, previous=previous, results=page.results))


def show(request: Request) -> Response:
    """Show a dead letter with its event whole, error attributes and all."""
    context = context_of(request)
    return json_answer(show_letter(context.engine, context.store, request.path_params["id"]))


def replay(request: Request) -> Response:
    """Send the event of a dead letter again."""
    context, letter_id = context_of(request), request.path_params["id"]
    require_done(replay_letters(context.engine, context.store, [letter_id], by=owner_of(request)))
    context.relay.wake()
    return json_answer(letter_view(context.engine, letter_id), 202)


async def discard(request: Request) -> Response:
    """Set a dead letter aside, with the reason."""
    wanted = await read_json(request, DiscardRequest)
    return await run_in_threadpool(_discard, request, wanted.reason)


def _discard(request: Request, reason: str) -> Response:
    context, letter_id = context_of(request), request.path_params["id"]
    require_done(discard_letters(context.engine, context.store, [letter_id], reason, by=owner_of(request)))
    return json_answer(letter_view(context.engine, letter_id))


async def replay_many(request: Request) -> Response:
    """Send the events of many dead letters again; with `dry_run` only say what would be sent."""
    wanted = await read_json(request, LettersRequest)
    return await run_in_threadpool(_replay_many, request, wanted)


def _replay_many(request: Request, wanted: LettersRequest) -> Response:
    context = context_of(request)
    ids, following = _chosen(request, wanted)
    dealt = replay_letters(context.engine, context.store, ids, by=owner_of(request), dry_run=wanted.dry_run)
    context.relay.wake()
    return _answer(dealt, following, 200 if wanted.dry_run else 202, dry_run=wanted.dry_run)


async def discard_many(request: Request) -> Response:
    """Set many dead letters aside; with `dry_run` only say which."""
    wanted = await read_json(request, LettersDiscard)
    return await run_in_threadpool(_discard_many, request, wanted)


def _discard_many(request: Request, wanted: LettersDiscard) -> Response:
    context, by = context_of(request), owner_of(request)
    ids, following = _chosen(request, wanted)
    dealt = discard_letters(context.engine, context.store, ids, wanted.reason, by=by, dry_run=wanted.dry_run)
    return _answer(dealt, following, 200, dry_run=wanted.dry_run)


def _chosen(request: Request, wanted: LettersRequest) -> tuple[Sequence[str], str | None]:
    """The ids, and the cursor for the rest of what a filter chooses."""
    if wanted.filter is None:
        return wanted.ids or (), None
    filters = LetterFilters(**wanted.filter.model_dump())
    with reading(context_of(request).engine) as session:
        return find_letters(session, filters, cursor=wanted.cursor, most=AT_ONCE)


def _answer(dealt: Dealt, following: str | None, status: int, *, dry_run: bool) -> Response:
    told = tuple(dealt.told)
    answer = LettersAnswer(dry_run=dry_run, count=dealt.count, skipped=dealt.skipped, letters=told, next=following)
    return json_answer(answer, status)


def _filters(query: QueryParams) -> LetterFilters:
    return LetterFilters(
        state=_state(query.get("state")),
        trigger=query.get("trigger"),
        code=query.get("code"),
        type=query.get("type"),
        document=query.get("document"),
        since=moment(query, "since"),
        until=moment(query, "until", end_of_day=True),
    )


def _state(text: str | None) -> LetterState | None:
    if text == ANY_STATE:
        return None
    try:
        return LetterState(text) if text else LetterState.OPEN
    except ValueError as error:
        known = ", ".join((*LetterState, ANY_STATE))
        raise InvalidParameter(f"state must be one of {known}") from error


_FILTERS = (
    Parameter("state", "What became of it; `open` unless named.", values=(*(s.value for s in LetterState), ANY_STATE)),
    Parameter("trigger", "Who gave it up, as `ocr`."),
    Parameter("code", "The code of the last answer, as `unavailable`."),
    Parameter("type", "Event type, as `document.received` or in full."),
    Parameter("document", "The document's id."),
    Parameter("since", "Earliest last arrival, ISO 8601."),
    Parameter("until", "Latest last arrival."),
)

DEAD_LETTER_ROUTES = [
    Guarded(
        "/api/dead-letters",
        {"GET": Operation(list_, Need.ADMIN, {200: DeadLetterList}, parameters=(*_FILTERS, CURSOR, PAGE_SIZE))},
    ),
    Guarded(
        "/api/dead-letters/replay",
        {"POST": Operation(replay_many, Need.ADMIN, {202: LettersAnswer, 200: LettersAnswer}, body=LettersRequest)},
    ),
    Guarded(
        "/api/dead-letters/discard",
        {"POST": Operation(discard_many, Need.ADMIN, {200: LettersAnswer}, body=LettersDiscard)},
    ),
    Guarded("/api/dead-letters/{id}", {"GET": Operation(show, Need.ADMIN, {200: DeadLetterDetail})}),
    Guarded("/api/dead-letters/{id}/replay", {"POST": Operation(replay, Need.ADMIN, {202: DeadLetterView})}),
    Guarded(
        "/api/dead-letters/{id}/discard",
        {"POST": Operation(discard, Need.ADMIN, {200: DeadLetterView}, body=DiscardRequest)},
    ),
]
