"""Who makes a request: the local owner while authentication is off, else whoever holds the token it brings.

Nothing is remembered between requests, so that a token that was removed opens nothing more, on any replica.
"""

import hmac
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine, or_, update
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers

from shared.database.engine import reading, writing
from shared.database.tables import LOCAL_OWNER, ApiToken
from shared.database.tokens import find_token
from shared.errors import Unavailable
from web.access import Identity, Need

NOTE_USE_AFTER = timedelta(minutes=1)
"""How exact "last used" is; a write for every request would be too many."""

Identify = Callable[[Headers], Awaitable[Identity | None]]

_log = logging.getLogger(__name__)


def identifier(engine: Engine, *, auth_enabled: bool, metrics_token: str | None = None) -> Identify:
    """What tells who makes a request, by its headers; None for nobody we know. It raises Unavailable.

    Who brings `metrics_token` may read the metrics and nothing else, whatever the database is doing.
    """

    async def local_owner(_headers: Headers) -> Identity | None:
        return Identity(LOCAL_OWNER, Need.ADMIN)

    async def holder_of_token(headers: Headers) -> Identity | None:
        token = bearer_token(headers)
        if token and metrics_token and hmac.compare_digest(token.encode(), metrics_token.encode()):
            return Identity("", Need.METRICS)
        return await run_in_threadpool(_holder, engine, token) if token else None

    return holder_of_token if auth_enabled else local_owner


def bearer_token(headers: Headers) -> str | None:
    """The token of an `Authorization: Bearer …` header; None without one, or with several."""
    given = headers.getlist("authorization")
    if len(given) != 1:
        return None
    scheme, _, token = given[0].partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def _holder(engine: Engine, token: str) -> Identity | None:
    now = datetime.now(UTC)
    with reading(engine) as session:
        row = find_token(session, token)
    if row is None:
        return None
    if row.last_used_at is None or row.last_used_at <= now - NOTE_USE_AFTER:
        _note_use(engine, row.id, now)
    return Identity(row.owner, Need[row.scope.upper()])


def _note_use(engine: Engine, token_id: str, now: datetime) -> None:
    not_noted = or_(ApiToken.last_used_at.is_(None), ApiToken.last_used_at <= now - NOTE_USE_AFTER)
    try:
        with writing(engine) as session:
            session.execute(update(ApiToken).where(ApiToken.id == token_id, not_noted).values(last_used_at=now))
    except Unavailable as error:
        # The request itself needs no write, and may well succeed.
        _log.warning("the use of a token was not noted: %s", error)
