"""What sweep found in storage that it cannot repair, and the buttons to look again."""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import select
from starlette.requests import Request
from starlette.responses import Response

from shared.database.engine import reading
from shared.database.tables import Finding
from web.context import context_of
from web.pages.operators import titles_of
from web.pages.rendering import Renderer, frame_counts
from web.sweep.history import last_sweep

MOST: Final = 200


@dataclass(frozen=True)
class ChecksPage:
    """GET /activity/checks"""

    renderer: Renderer

    def __call__(self, request: Request) -> Response:
        """The page: the latest findings, those of one document together."""
        engine = context_of(request).engine
        with reading(engine) as session:
            counts = frame_counts(session, request)
            query = select(Finding).order_by(Finding.found_at.desc(), Finding.id).limit(MOST)
            found = session.scalars(query).all()
            titles = titles_of(session, [finding.document_id for finding in found])
        values = {
            "active": "activity",
            "findings": found,
            "swept_at": last_sweep(engine)[0],
            "titles": titles,
        }
        return self.renderer.page(request, "checks.html", values, counts=counts)
