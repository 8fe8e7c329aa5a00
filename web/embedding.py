"""The cached copy of a PDF with the current metadata inside. Convert makes it: web parses nothing itself."""

import httpx

from shared.database.documents import shown_metadata
from shared.database.tables import Document
from shared.documents import ObjectReference
from shared.errors import Unavailable
from shared.storage import keys
from shared.storage.port import ObjectStore

TIMEOUT = httpx.Timeout(120.0, connect=10.0)


def with_metadata(
    convert_url: str | None, store: ObjectStore, document: Document, pdf: ObjectReference
) -> ObjectReference:
    """The copy for this version of the document; the PDF itself where it is signed. Raises Unavailable."""
    name = f"embedded-{document.version}-{pdf.sha256[:16]}.pdf"
    key = keys.derived(document.id, name)
    info = store.head(key)
    if info is not None and info.sha256 is not None:
        return pdf.model_copy(update={"key": key, "size": info.size, "etag": info.etag, "sha256": info.sha256})
    return _made(convert_url, document, pdf, name)


def _made(convert_url: str | None, document: Document, pdf: ObjectReference, name: str) -> ObjectReference:
    if convert_url is None:
        raise Unavailable("CONVERT_URL is not set, so metadata cannot be written into PDFs")
    body = {
        "document_id": document.id,
        "pdf": pdf.model_dump(mode="json"),
        "name": name,
        "facts": _facts(document),
    }
    try:
        response = httpx.post(f"{convert_url.rstrip('/')}/embed", json=body, timeout=TIMEOUT)
    except httpx.TransportError as error:
        raise Unavailable("the converter does not answer") from error
    if response.status_code != httpx.codes.OK:
        raise Unavailable(f"the converter answered {response.status_code}")
    answer = response.json()
    return ObjectReference.model_validate(answer["pdf"]) if answer["pdf"] else pdf


def _facts(document: Document) -> dict[str, object]:
    metadata = shown_metadata(document)
    return {
        "title": document.title,
        "author": document.sender,
        "subject": metadata.summary.value if metadata.summary else document.document_type,
        "keywords": [tag.value for tag in metadata.tags],
    }
