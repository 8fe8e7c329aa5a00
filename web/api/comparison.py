"""What a new run would change, and a person's decision on it; a document accepted although its run failed."""

import logging

from starlette.requests import Request
from starlette.responses import Response

from web.access import Guarded, Need, Operation, Parameter, owner_of
from web.api.answers import json_answer
from web.api.documents import detail
from web.api.models import Comparison, DocumentDetail
from web.context import context_of
from web.reviews import accept_as_it_is, comparison, leave, take

_log = logging.getLogger(__name__)
_RUN = Parameter("runid", "The run that was looked at: 409 where another has begun since.")


def compare(request: Request) -> Response:
    """Show what the latest run would change, field by field and in the text, while that waits for a decision."""
    context = context_of(request)
    return json_answer(comparison(context.engine, context.store, owner_of(request), request.path_params["id"]))


def take_new(request: Request) -> Response:
    """Take what the run has made; what a person has set stays."""
    context, owner, document_id = context_of(request), owner_of(request), request.path_params["id"]
    take(context.engine, context.store, owner, document_id, runid=request.query_params.get("runid"))
    return _decided(request, "took what a run has made of")


def keep_old(request: Request) -> Response:
    """Keep what stands; what the run has made is left."""
    owner, document_id = owner_of(request), request.path_params["id"]
    leave(context_of(request).engine, owner, document_id, runid=request.query_params.get("runid"))
    return _decided(request, "left what a run has made of")


def accept(request: Request) -> Response:
    """Accept the document as it is, although a step failed; the failure stays as a notice."""
    context = context_of(request)
    accept_as_it_is(context.engine, context.store, owner_of(request), request.path_params["id"])
    return _decided(request, "accepted as it is")


def _decided(request: Request, what: str) -> Response:
    _log.info("%s %s document %s", owner_of(request), what, request.path_params["id"])
    context_of(request).relay.wake()
    return detail(request)


COMPARISON_ROUTES = [
    Guarded("/api/documents/{id}/comparison", {"GET": Operation(compare, Need.READ, {200: Comparison})}),
    Guarded(
        "/api/documents/{id}/comparison/accept",
        {"POST": Operation(take_new, Need.WRITE, {200: DocumentDetail}, parameters=(_RUN,))},
    ),
    Guarded(
        "/api/documents/{id}/comparison/reject",
        {"POST": Operation(keep_old, Need.WRITE, {200: DocumentDetail}, parameters=(_RUN,))},
    ),
    Guarded("/api/documents/{id}/accept", {"POST": Operation(accept, Need.WRITE, {200: DocumentDetail})}),
]
