"""The list of documents, one document, and what a person does to it."""

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from shared.database.engine import reading
from web.access import Guarded, Need, Operation, owner_of
from web.api.answers import json_answer, read_json
from web.api.links import with_cursor
from web.api.models import (
    DocumentDetail,
    DocumentList,
    Facets,
    MetadataPatch,
    ReplayAnswer,
    ReplayRequest,
    Timeline,
    UnlockRequest,
    UploadAnswer,
)
from web.api.parameters import CURSOR, DOCUMENT_FILTERS, IDEMPOTENCY_KEY, IF_MATCH, ORDERING, PAGE_SIZE, PURGE
from web.api.upload import replace, upload
from web.context import context_of
from web.engines import require_engines
from web.errors import Forbidden
from web.filters import document_filters, flag, page_size
from web.reads import DEFAULT_ORDERING, document_detail, facets, list_documents, timeline
from web.runs import replay, run_with_copy
from web.writes import patch_metadata, purge, require_owned, restore, trash


def list_(request: Request) -> Response:
    """List documents, newest first unless `ordering` says otherwise."""
    query = request.query_params
    with reading(context_of(request).engine) as session:
        page = list_documents(
            session,
            owner_of(request),
            document_filters(query),
            ordering=query.get("ordering") or DEFAULT_ORDERING,
            cursor=query.get("cursor"),
            page_size=page_size(query),
        )
    following, previous = with_cursor(request, page)
    return json_answer(DocumentList(count=page.count, next=following, previous=previous, results=page.results))


def facets_(request: Request) -> Response:
    """Count the values that the filters of the list can take."""
    with reading(context_of(request).engine) as session:
        return json_answer(facets(session, owner_of(request), document_filters(request.query_params)))


def detail(request: Request) -> Response:
    """Show a document with its steps, metadata and failure; the ETag is its version, for `If-Match`."""
    context = context_of(request)
    several = len(context.settings.engines) > 1
    with reading(context.engine) as session:
        document = document_detail(session, owner_of(request), request.path_params["id"], choice_of_engines=several)
    return json_answer(document, headers={"ETag": f'"{document.version}"'})


def events(request: Request) -> Response:
    """Tell what happened to a document, oldest first."""
    query = request.query_params
    with reading(context_of(request).engine) as session:
        page = timeline(
            session,
            owner_of(request),
            request.path_params["id"],
            cursor=query.get("cursor"),
            page_size=page_size(query, default=200),
        )
    following, previous = with_cursor(request, page)
    return json_answer(Timeline(count=page.count, next=following, previous=previous, results=page.results))


async def patch(request: Request) -> Response:
    """Set metadata (they are then locked) or give fields back to the machine."""
    wanted = await read_json(request, MetadataPatch)
    return await run_in_threadpool(_patch, request, wanted)


def _patch(request: Request, wanted: MetadataPatch) -> Response:
    context, owner, document_id = context_of(request), owner_of(request), request.path_params["id"]
    patch_metadata(context.engine, owner, document_id, wanted, if_match=request.headers.get("if-match"))
    context.relay.wake()
    return detail(request)


def remove(request: Request) -> Response:
    """Move the document to the trash; with `purge=true` remove it for good."""
    context, owner, document_id = context_of(request), owner_of(request), request.path_params["id"]
    if not flag(request.query_params, "purge"):
        trash(context.engine, owner, document_id)
        context.relay.wake()
        return detail(request)
    if not context.settings.allow_file_delete:
        raise Forbidden("Documents are not removed for good on this server.", code="file_delete_disabled")
    purge(context.engine, context.store, owner, document_id)
    context.relay.wake()
    return Response(status_code=204)


def take_back(request: Request) -> Response:
    """Take the document out of the trash."""
    context = context_of(request)
    restore(context.engine, owner_of(request), request.path_params["id"])
    context.relay.wake()
    return detail(request)


async def run_again(request: Request) -> Response:
    """Start a new run from a step; what is unchanged is not worked on again unless `force` says so."""
    wanted = await read_json(request, ReplayRequest)
    context = context_of(request)
    require_engines(context, wanted.options)
    answer = await run_in_threadpool(replay, context.engine, owner_of(request), request.path_params["id"], wanted)
    context.relay.wake()
    return json_answer(answer, 202)


async def unlock(request: Request) -> Response:
    """Open an encrypted original with its password and start a new run on the opened copy."""
    asked = await read_json(request, UnlockRequest)
    context, document_id = context_of(request), request.path_params["id"]
    await run_in_threadpool(require_owned, context.engine, owner_of(request), document_id)
    opened = await context.unlocker.opened(document_id, asked.password.get_secret_value())
    answer = await run_in_threadpool(run_with_copy, context.engine, owner_of(request), document_id, opened)
    context.relay.wake()
    return json_answer(answer, 202)


DOCUMENT_ROUTES = [
    Guarded(
        "/api/documents",
        {
            "GET": Operation(
                list_, Need.READ, {200: DocumentList}, parameters=(*DOCUMENT_FILTERS, ORDERING, CURSOR, PAGE_SIZE)
            ),
            "POST": Operation(
                upload,
                Need.WRITE,
                {202: UploadAnswer, 200: UploadAnswer},
                body="multipart/form-data",
                parameters=(IDEMPOTENCY_KEY,),
            ),
        },
    ),
    Guarded("/api/facets", {"GET": Operation(facets_, Need.READ, {200: Facets}, parameters=DOCUMENT_FILTERS)}),
    Guarded(
        "/api/documents/{id}",
        {
            "GET": Operation(detail, Need.READ, {200: DocumentDetail}),
            "PATCH": Operation(patch, Need.WRITE, {200: DocumentDetail}, body=MetadataPatch, parameters=(IF_MATCH,)),
            "DELETE": Operation(remove, Need.WRITE, {200: DocumentDetail, 204: None}, parameters=(PURGE,)),
        },
    ),
    Guarded(
        "/api/documents/{id}/replace",
        {
            "POST": Operation(
                replace,
                Need.WRITE,
                {202: UploadAnswer, 200: UploadAnswer},
                body="multipart/form-data",
                parameters=(IDEMPOTENCY_KEY,),
            )
        },
    ),
    Guarded("/api/documents/{id}/restore", {"POST": Operation(take_back, Need.WRITE, {200: DocumentDetail})}),
    Guarded(
        "/api/documents/{id}/replay",
        {"POST": Operation(run_again, Need.WRITE, {202: ReplayAnswer}, body=ReplayRequest)},
    ),
    Guarded(
        "/api/documents/{id}/unlock",
        {"POST": Operation(unlock, Need.WRITE, {202: ReplayAnswer}, body=UnlockRequest)},
    ),
    Guarded(
        "/api/documents/{id}/events",
        {"GET": Operation(events, Need.READ, {200: Timeline}, parameters=(CURSOR, PAGE_SIZE))},
    ),
]
