"""The parameters that several operations share, as the description of the API shows them."""

from shared.documents import Status
from shared.metadata import DocumentType
from web.access import Parameter
from web.filters import Review

DOCUMENT_FILTERS = (
    Parameter("q", "Words in title, file name or sender (in `/api/search`: anywhere in the document)."),
    Parameter("status", "Where the document stands.", values=tuple(Status)),
    Parameter("document_type", "Kind of document.", values=tuple(DocumentType)),
    Parameter("tag", "A tag; with several the document has all of them.", repeatable=True),
    Parameter("sender", "The sender, exactly."),
    Parameter("language", "Language of the text, BCP-47."),
    Parameter("date_from", "Earliest date of the document, as 2026-01-31."),
    Parameter("date_to", "Latest date of the document."),
    Parameter("received_from", "Earliest receipt: a date, or a time in ISO 8601."),
    Parameter("received_to", "Latest receipt."),
    Parameter("review", "`pending`: a new run's results wait for a decision (lists only).", values=tuple(Review)),
    Parameter("trashed", "What is in the trash instead of what is not.", kind="boolean"),
)
ORDERING = Parameter(
    "ordering",
    "`received`, `document_date`, `title`, `filename`, `size`, `pages` or `changed_at`; with - descending. "
    "Default: `-received`.",
)
CURSOR = Parameter("cursor", "Where the page begins: taken from `next` or `previous`.")
PAGE_SIZE = Parameter("page_size", "Results on a page, at most 200.", kind="integer")
PAGE = Parameter("page", "Page number, from 1.", kind="integer")
IDEMPOTENCY_KEY = Parameter(
    "Idempotency-Key", "Names this request: sent again with the same key, it gets the same answer.", place="header"
)
IF_MATCH = Parameter("If-Match", "The version that the change was made on (`ETag`); 412 if it moved.", place="header")
PURGE = Parameter("purge", "Remove for good instead of moving to the trash.", kind="boolean")
