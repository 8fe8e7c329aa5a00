"""Tokens of the API: how they look, how they are kept, whom they stand for. Knows no HTTP.

A token is 256 random bits, so a plain digest of it cannot be guessed back; the digest is all that is kept of it.
"""

import hashlib
import hmac
import secrets
import uuid
from datetime import UTC, datetime
from enum import StrEnum

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from shared.database.tables import ApiToken

MARK = "de_"
"""Tells what the secret is for wherever it turns up, to people and to scanners of leaked secrets."""

PREFIX_CHARACTERS = len(MARK) + 8
MAX_TOKEN_CHARACTERS = 200


class TokenScope(StrEnum):
    """How far a token goes. Each one includes those before it."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"


def issue_token(
    session: Session, owner: str, name: str, scope: TokenScope, expires_at: datetime | None
) -> tuple[ApiToken, str]:
    """A new token: its row, and the token itself, which is not to be had again."""
    token = MARK + secrets.token_urlsafe(32)
    row = ApiToken(
        id=str(uuid.uuid4()),
        owner=owner,
        name=name,
        scope=scope.value,
        prefix=token[:PREFIX_CHARACTERS],
        sha256=_digest(token),
        created_at=datetime.now(UTC),
        expires_at=expires_at,
    )
    session.add(row)
    return row, token


def find_token(session: Session, token: str) -> ApiToken | None:
    """The row of a token that is good now; None for any other."""
    if len(token) > MAX_TOKEN_CHARACTERS or not token.isascii():
        return None
    current = or_(ApiToken.expires_at.is_(None), ApiToken.expires_at > datetime.now(UTC))
    rows = session.scalars(select(ApiToken).where(ApiToken.prefix == token[:PREFIX_CHARACTERS], current)).all()
    digest = _digest(token)
    return next((row for row in rows if hmac.compare_digest(row.sha256, digest)), None)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
