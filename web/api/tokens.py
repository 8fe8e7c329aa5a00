"""The tokens of the owner: made, listed, removed. A token itself is shown in one answer and never again."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from shared.database.engine import reading, writing
from shared.database.tables import ApiToken
from shared.database.tokens import issue_token
from web.access import Guarded, Need, Operation, owner_of
from web.api.answers import json_answer, read_json
from web.api.links import with_cursor
from web.api.models import CreatedToken, TokenList, TokenRequest, TokenView
from web.api.parameters import CURSOR, PAGE_SIZE
from web.context import context_of
from web.errors import InvalidParameter, NotFound
from web.filters import page_size
from web.paging import Sort, keyset_page


async def create(request: Request) -> Response:
    """Make a token. It is shown in this answer only."""
    return await run_in_threadpool(_create, request, await read_json(request, TokenRequest))


def _create(request: Request, wanted: TokenRequest) -> Response:
    with writing(context_of(request).engine) as session:
        row, token = issue_token(session, owner_of(request), wanted.name, wanted.scope, _expiry(wanted))
    answer = CreatedToken(token=token, **_view(row).model_dump())
    return json_answer(answer, 201, {"Location": f"/api/tokens/{row.id}"})


def list_(request: Request) -> Response:
    """List the tokens, newest first."""
    query = request.query_params
    mine = ApiToken.owner == owner_of(request)
    newest_first = Sort("-created_at", datetime, ApiToken.created_at.expression, ApiToken.id.expression)
    with reading(context_of(request).engine) as session:
        count = session.scalar(select(func.count()).select_from(ApiToken).where(mine)) or 0
        rows = keyset_page(
            session,
            select(ApiToken).where(mine),
            newest_first,
            cursor=query.get("cursor"),
            page_size=page_size(query),
            count=count,
        )
    page = rows.mapped(_view)
    following, previous = with_cursor(request, page)
    return json_answer(TokenList(count=page.count, next=following, previous=previous, results=page.results))


def remove(request: Request) -> Response:
    """Remove a token; from now on it opens nothing."""
    with writing(context_of(request).engine) as session:
        row = session.get(ApiToken, request.path_params["id"])
        if row is None or row.owner != owner_of(request):
            raise NotFound("There is no such token.")
        session.delete(row)
    return Response(status_code=204)


def _expiry(wanted: TokenRequest) -> datetime | None:
    now = datetime.now(UTC)
    if wanted.expires_at is not None and wanted.expires_in_days is not None:
        raise InvalidParameter("expires_at and expires_in_days: give one of them")
    if wanted.expires_in_days is not None:
        return now + timedelta(days=wanted.expires_in_days)
    if wanted.expires_at is None:
        return None
    given = wanted.expires_at
    expires_at = given if given.tzinfo else given.replace(tzinfo=UTC)
    if expires_at <= now:
        raise InvalidParameter("expires_at: must lie in the future")
    return expires_at.astimezone(UTC)


def _view(row: ApiToken) -> TokenView:
    return TokenView.model_validate(row, from_attributes=True)


TOKEN_ROUTES = [
    Guarded(
        "/api/tokens",
        {
            "GET": Operation(list_, Need.ADMIN, {200: TokenList}, parameters=(CURSOR, PAGE_SIZE)),
            "POST": Operation(create, Need.ADMIN, {201: CreatedToken}, body=TokenRequest),
        },
    ),
    Guarded("/api/tokens/{id}", {"DELETE": Operation(remove, Need.ADMIN, {204: None})}),
]
