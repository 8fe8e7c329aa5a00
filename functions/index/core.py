"""How a row and its text become a search entry. Pure."""

from datetime import date

from shared.database.documents import shown_metadata
from shared.database.tables import Document
from shared.documents import DocumentText, Status
from shared.search.port import SearchEntry


def entry(document: Document, text: DocumentText | None) -> SearchEntry:
    """What is to be found of this document at its present version."""
    metadata = shown_metadata(document)
    return SearchEntry(
        document_id=document.id,
        version=document.version,
        received_at=document.received_at,
        owner=document.owner,
        status=Status(document.status),
        title=document.title,
        filename=document.filename,
        sender=document.sender,
        recipient=metadata.recipient.value if metadata.recipient else None,
        reference_number=metadata.reference_number.value if metadata.reference_number else None,
        document_type=document.document_type,
        document_date=date.fromisoformat(document.document_date) if document.document_date else None,
        language=document.language,
        tags=tuple(tag.value for tag in metadata.tags),
        summary=metadata.summary.value if metadata.summary else None,
        pages=tuple((page.number, page.text) for page in text.pages) if text else (),
    )
