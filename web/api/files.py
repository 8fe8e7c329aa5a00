"""The bytes of a document: as uploaded, as PDF, as text, as picture; and its metadata as a file beside them."""

import json

from starlette.requests import Request
from starlette.responses import Response

from shared.database.documents import shown_metadata
from shared.database.engine import reading
from shared.database.tables import Document
from shared.documents import ObjectReference, Status
from shared.events import DocumentConverted, DocumentRecognized
from shared.storage import keys
from web.access import Guarded, Need, Operation, Parameter, owner_of
from web.api.answers import json_answer
from web.api.models import MetadataSidecar
from web.api.objects import object_answer
from web.context import context_of
from web.embedding import with_metadata
from web.errors import InvalidParameter, NotReady
from web.filenames import content_disposition, with_suffix
from web.protection import BYTES_POLICY, PDF_POLICY
from web.reads import find_document

THUMBNAIL = "thumbnail.webp"


def original(request: Request) -> Response:
    """Download the bytes as they were uploaded."""
    document = _document(request)
    reference = ObjectReference.model_validate(document.original)
    headers = {
        "Content-Disposition": content_disposition(document.filename),
        "Content-Security-Policy": BYTES_POLICY,
    }
    return _object(request, reference, document.media_type, headers)


def pdf(request: Request) -> Response:
    """Fetch the searchable PDF, or the converted one until there is one (and with `kind=converted`)."""
    embed = request.query_params.get("embed")
    if embed not in (None, "metadata"):
        raise InvalidParameter("embed must be metadata")
    document = _document(request)
    if document.converted is None:
        raise _not_ready(document, "The PDF")
    reference = DocumentConverted.model_validate(document.converted).pdf
    if document.recognized is not None and request.query_params.get("kind") != "converted":
        reference = DocumentRecognized.model_validate(document.recognized).searchable_pdf
    if embed:
        context = context_of(request)
        reference = with_metadata(context.settings.convert_url, context.store, document, reference)
    name = with_suffix(document.filename, ".pdf")
    kind = "attachment" if "download" in request.query_params else "inline"
    headers = {
        "Content-Disposition": content_disposition(name, kind=kind),
        "Content-Security-Policy": PDF_POLICY,
        "X-Frame-Options": "SAMEORIGIN",
    }
    return _object(request, reference, "application/pdf", headers)


def text(request: Request) -> Response:
    """Fetch the text page by page with words and boxes, or with `format=plain` the text alone."""
    document = _document(request)
    chosen = request.query_params.get("format") or "json"
    if chosen not in ("json", "plain"):
        raise InvalidParameter("format must be json or plain")
    if document.recognized is None:
        raise _not_ready(document, "The text")
    reference = DocumentRecognized.model_validate(document.recognized).text
    if chosen == "json":
        return _object(request, reference, "application/json", {})
    pages = json.loads(context_of(request).store.get(reference.key))["pages"]
    headers = {"Content-Security-Policy": BYTES_POLICY}
    return Response("\f".join(page["text"] for page in pages), 200, headers, "text/plain; charset=utf-8")


def thumbnail(request: Request) -> Response:
    """Fetch a picture of the first page."""
    document, store = _document(request), context_of(request).store
    info = store.head(keys.derived(document.id, THUMBNAIL))
    if info is None:
        raise _not_ready(document, "The picture")
    # Asked for again on every list: the browser may keep it, and asks whether it is still the same.
    headers = {"Cache-Control": "private, no-cache", "Content-Security-Policy": BYTES_POLICY}
    tag = info.sha256 or info.etag
    return object_answer(request, store, info.key, size=info.size, tag=tag, media_type="image/webp", headers=headers)


def metadata(request: Request) -> Response:
    """Fetch the metadata as a JSON file to be kept beside the document."""
    document = _document(request)
    sidecar = MetadataSidecar.model_validate(
        shown_metadata(document).model_dump()
        | {
            "document_id": document.id,
            "version": document.version,
            "filename": document.filename,
            "media_type": document.media_type,
            "size": document.size,
            "sha256": document.sha256,
            "received_at": document.received_at,
            "pages": document.pages,
        }
    )
    headers = {"Content-Disposition": content_disposition(with_suffix(document.filename, ".json"))}
    return json_answer(sidecar, headers=headers | {"ETag": f'"{document.version}"'})


def _document(request: Request) -> Document:
    with reading(context_of(request).engine) as session:
        return find_document(session, owner_of(request), request.path_params["id"])


def _object(request: Request, reference: ObjectReference, media_type: str, headers: dict[str, str]) -> Response:
    return object_answer(
        request,
        context_of(request).store,
        reference.key,
        size=reference.size,
        tag=reference.sha256,
        media_type=media_type,
        headers=headers,
    )


def _not_ready(document: Document, what: str) -> NotReady:
    if document.status == Status.PROCESSING:
        return NotReady(f"{what} is still being made.")
    return NotReady(f"{what} could not be made; the document says why.")


_RANGE = Parameter("Range", "One range of bytes.", place="header")
_KIND = Parameter("kind", "`converted` for the PDF without the recognized text.", values=("converted",))
_DOWNLOAD = Parameter("download", "Ask the browser to save the file.", kind="boolean")
_EMBED = Parameter("embed", "`metadata` for a copy that holds the current metadata; a signed PDF stays as it is.")
_FORMAT = Parameter("format", "`plain` for text alone, pages separated by form feeds.", values=("json", "plain"))

FILE_ROUTES = [
    Guarded(
        "/api/documents/{id}/original",
        {"GET": Operation(original, Need.READ, {200: "application/octet-stream"}, parameters=(_RANGE,))},
    ),
    Guarded(
        "/api/documents/{id}/pdf",
        {"GET": Operation(pdf, Need.READ, {200: "application/pdf"}, parameters=(_RANGE, _KIND, _DOWNLOAD, _EMBED))},
    ),
    Guarded(
        "/api/documents/{id}/text",
        {"GET": Operation(text, Need.READ, {200: "application/json"}, parameters=(_FORMAT,))},
    ),
    Guarded("/api/documents/{id}/thumbnail", {"GET": Operation(thumbnail, Need.READ, {200: "image/webp"})}),
    Guarded("/api/documents/{id}/metadata", {"GET": Operation(metadata, Need.READ, {200: MetadataSidecar})}),
]
