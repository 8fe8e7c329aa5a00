"""What pages of the operator share: who is one, the places within Activity, titles of the documents they speak of."""

from collections.abc import Iterable

from sqlalchemy import func, select
from sqlalchemy.orm import Session
from starlette.requests import Request

from shared.database.tables import DeadLetter, Document, Finding
from web.access import Need, identity_of


def is_operator(request: Request) -> bool:
    """Whether the request may see and do what concerns the whole server."""
    return identity_of(request).scope >= Need.ADMIN


def open_letters(session: Session) -> int:
    """How many undelivered events wait for somebody."""
    return session.scalar(select(func.count()).where(DeadLetter.state == "open")) or 0


def open_findings(session: Session) -> int:
    """How many things sweep found that it cannot repair."""
    return session.scalar(select(func.count()).select_from(Finding)) or 0


def titles_of(session: Session, document_ids: Iterable[str | None]) -> dict[str, str]:
    """The titles of documents that are still there."""
    wanted = {each for each in document_ids if each}
    if not wanted:
        return {}
    rows = session.execute(select(Document.id, Document.title).where(Document.id.in_(wanted)))
    return {row.id: row.title for row in rows}
