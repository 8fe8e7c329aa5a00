"""One document: its pages, its facts with their evidence, its text, its way through the steps."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import Response

from shared.database.engine import reading
from shared.database.tables import Document
from shared.documents import Step
from shared.metadata import DocumentType
from web.access import owner_of
from web.actions import Possible
from web.api.models import DocumentDetail, DocumentSummary
from web.context import context_of
from web.pages import words
from web.pages.facts import facts_of
from web.pages.rendering import Renderer, frame_counts
from web.reads import document_detail, facets, summaries_of

TABS = ("facts", "text", "timeline")
_ELSEWHERE = frozenset({Possible.REVIEW, Possible.RESTORE})
"""Actions that have a place of their own on the page."""

_RESTARTS = {
    Step.CONVERT.value: "From the original file",
    Step.OCR.value: "Recognize the text again",
    Step.ENRICH.value: "Extract the facts again",
}


@dataclass(frozen=True)
class DocumentPage:
    """GET /documents/{id}"""

    renderer: Renderer

    def __call__(self, request: Request) -> Response:
        """The page. Raises NotFound."""
        owner = owner_of(request)
        context = context_of(request)
        several = len(context.settings.engines) > 1
        with reading(context.engine) as session:
            document = document_detail(session, owner, request.path_params["id"], choice_of_engines=several)
            counts = frame_counts(session, request)
            known = facets(session, owner)
            others = replacements(session, owner, document)
        values = _values(request, document) | {
            "replaces": others.get(document.replaces or ""),
            "replaced_by": others.get(document.replaced_by or ""),
            "known_tags": [each.value for each in known.tag],
            "known_senders": [each.value for each in known.sender],
        }
        return self.renderer.page(request, "document.html", values, counts=counts)


def _values(request: Request, document: DocumentDetail) -> dict[str, Any]:
    tab = request.query_params.get("tab", "facts")
    return {
        "active": "documents",
        "document": document,
        "facts": facts_of(document),
        "tab": tab if tab in TABS else "facts",
        "query": request.query_params.get("q", "").strip(),
        "failed": words.is_failed(document),
        "actions": failure_actions(document),
        "replay_step": words.replay_step(document),
        "restarts": _RESTARTS,
        "channel": words.CHANNEL_NAMES.get(document.channel, document.channel),
        "languages": words.LANGUAGE_NAMES,
        "engines": {name: words.ENGINE_NAMES.get(name, name) for name in context_of(request).settings.engines},
        "may_purge": context_of(request).settings.allow_file_delete,
        "document_types": [each.value for each in DocumentType],
    }


def failure_actions(document: DocumentDetail) -> list[str]:
    """What the failure's panel offers, the best first; the original can be downloaded in any case."""
    return [*(each.value for each in document.actions if each not in _ELSEWHERE), "download"]


def replacements(session: Session, owner: str, document: DocumentDetail) -> dict[str, DocumentSummary]:
    """The documents that took this one's place, or whose place it took, as far as they are there, by their ids."""
    wanted = [each for each in (document.replaces, document.replaced_by) if each]
    mine = session.scalars(select(Document.id).where(Document.id.in_(wanted), Document.owner == owner)).all()
    return summaries_of(session, mine) if wanted else {}
