"""One document: its pages, its facts with their evidence, its text, its way through the steps."""

from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from shared.database.engine import reading
from shared.documents import Step
from shared.errors import Action
from shared.metadata import DocumentType
from web.access import owner_of
from web.api.models import DocumentDetail
from web.context import context_of
from web.pages import words
from web.pages.facts import facts_of
from web.pages.rendering import Renderer, frame_counts
from web.reads import document_detail, facets

TABS = ("facts", "text", "timeline")
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
        with reading(context_of(request).engine) as session:
            document = document_detail(session, owner, request.path_params["id"])
            counts = frame_counts(session, request)
            known = facets(session, owner)
        values = _values(request, document) | {
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
        "actions": failure_actions(document, offered_actions(request)),
        "replay_step": words.replay_step(document),
        "restarts": _RESTARTS,
        "channel": words.CHANNEL_NAMES.get(document.channel, document.channel),
        "languages": words.LANGUAGE_NAMES,
        "may_purge": context_of(request).settings.allow_file_delete,
        "document_types": [each.value for each in DocumentType],
    }


_ALWAYS = frozenset({Action.RETRY, Action.REPLACE, Action.DOWNLOAD, Action.OTHER_LANGUAGE})
_BY_ROUTE = {Action.UNLOCK: "/api/documents/{id}/unlock", Action.ACCEPT: "/api/documents/{id}/accept"}


def offered_actions(request: Request) -> frozenset[Action]:
    """The actions that this server can carry out; others are left out rather than shown dead."""
    paths = {getattr(route, "path", None) for route in request.app.routes}
    return _ALWAYS | {action for action, path in _BY_ROUTE.items() if path in paths}


def failure_actions(document: DocumentDetail, offered: frozenset[Action]) -> list[str]:
    """What a person can do about the failure, the best first. Who cannot open a file here can bring an open one."""
    wanted = document.failure.actions if document.failure else ()
    possible = [Action.REPLACE if each is Action.UNLOCK and each not in offered else each for each in wanted]
    return [each.value for each in dict.fromkeys(possible) if each in offered]
