"""The first page: a place to drop files, what needs a person, what is in work, what came last."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import Response

from shared.database.engine import reading
from shared.documents import Status
from web.access import owner_of
from web.api.models import DocumentSummary
from web.context import context_of
from web.filters import DocumentFilters
from web.pages.rendering import Renderer, frame_counts
from web.paging import Page
from web.reads import list_documents

NEEDS_YOU, IN_WORK, RECENT = 3, 5, 10


@dataclass(frozen=True)
class HomePage:
    """GET /"""

    renderer: Renderer

    def __call__(self, request: Request) -> Response:
        """The page, with everything on it read in one transaction."""
        with reading(context_of(request).engine) as session:
            counts = frame_counts(session, request)
            owner = owner_of(request)
            values = overview(
                session, owner, attention=NEEDS_YOU, processing=IN_WORK, recent=RECENT, recent_status=Status.READY
            )
        return self.renderer.page(request, "home.html", values | {"active": "home"}, counts=counts)


def overview(
    session: Session, owner: str, *, attention: int, processing: int, recent: int, recent_status: Status | None = None
) -> dict[str, Any]:
    """The latest documents that need a person, are in work, and of all states (or one), so many of each."""
    return {
        "attention": latest(session, owner, attention, Status.ATTENTION),
        "processing": latest(session, owner, processing, Status.PROCESSING),
        "recent": latest(session, owner, recent, recent_status),
    }


def latest(session: Session, owner: str, most: int, status: Status | None = None) -> Page[DocumentSummary]:
    """The documents that were received last."""
    return list_documents(session, owner, DocumentFilters(status=status), page_size=most)
