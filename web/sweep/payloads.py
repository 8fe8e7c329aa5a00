"""Whether what a row names is there: a result that is gone is made again, an original that is gone is told.

The person learns of it where the document is: it goes to `attention` with a sentence, and back once all is well again.
"""

from collections.abc import Iterator, Mapping, Sequence

from shared.database.documents import locked_document, touch
from shared.database.engine import reading, writing
from shared.database.projection import MetadataMissing, reproject
from shared.database.tables import Document
from shared.documents import ObjectReference, Status, Step
from shared.errors import FailureCode, ObjectNotFound
from shared.storage.port import ObjectInfo, ObjectStore
from web.api.models import ReplayRequest
from web.runs import start_run
from web.sweep.adoption import sha256_of
from web.sweep.round import Round
from web.sweep.swept import Deed, Kind

MOST_REPAIRS = 5

_PAYLOADS = (
    (Step.CONVERT, "converted", "pdf", "PDF"),
    (Step.OCR, "recognized", "text", "text"),
    (Step.OCR, "recognized", "searchable_pdf", "searchable PDF"),
    (Step.ENRICH, "enriched", "metadata", "metadata"),
)
_WHAT_HAPPENED = {
    Kind.ORIGINAL_MISSING: (FailureCode.SOURCE_GONE, "The original file is no longer in the object store."),
    Kind.ORIGINAL_DAMAGED: (
        FailureCode.CORRUPT,
        "The original file is no longer what was uploaded: its bytes changed.",
    ),
}
_HINT = "Restore it from a backup of the object store, or upload the file again; what was made of it stays readable."


def check_results(round_: Round, row: Document, infos: Sequence[ObjectInfo]) -> None:
    """Compare a row with the listing of its objects."""
    listed = {info.key: info.size for info in infos}
    original = ObjectReference.model_validate(row.original)
    if not _is_there(listed, original):
        if confirmed_missing(round_, row, original):
            tell_of_original(round_, row, Kind.ORIGINAL_MISSING)
        return
    forget_original(round_, row, Kind.ORIGINAL_MISSING)
    _repair_first_missing(round_, row, listed)


def confirmed_missing(round_: Round, row: Document, reference: ObjectReference) -> bool:
    """Look once more, at the row as it is now: both may have moved on since the listing."""
    with reading(round_.engine) as session:
        current = session.get(Document, row.id)
    if current is None or current.revision != row.revision:
        return False
    head = round_.store.head(reference.key)
    return head is None or head.size != reference.size


def tell_of_original(round_: Round, row: Document, kind: Kind) -> None:
    """Note the finding, and say so on the document."""
    code, message = _WHAT_HAPPENED[kind]
    round_.found(kind, str(row.original["key"]), message, row.id)
    if row.status != Status.READY.value or row.accepted_code == code.value:
        return
    if round_.repairs:
        with writing(round_.engine) as session:
            document = locked_document(session, row.id)
            if document is None or document.revision != row.revision:
                return
            document.status, document.code = Status.ATTENTION.value, code.value
            document.message, document.hint = message, _HINT
            touch(document, content=True)
    round_.did(Deed.MARKED, row.id, message)


def forget_original(round_: Round, row: Document, kind: Kind) -> None:
    """Take back what was said on the document, once the original is whole again."""
    _, message = _WHAT_HAPPENED[kind]
    if row.status != Status.ATTENTION.value or row.message != message:
        return
    if round_.repairs:
        try:
            with writing(round_.engine) as session:
                document = locked_document(session, row.id)
                if document is None or document.revision != row.revision:
                    return
                reproject(session, document)
        except MetadataMissing:
            return
    round_.did(Deed.REPAIRED, row.id, "the original is there again")


def repair_first_damaged(round_: Round, row: Document) -> None:
    """Read what was made of a document; what has other bytes than recorded is removed, so that it is made again."""
    for step, reference, name in _payloads(row):
        if _is_damaged(round_.store, reference):
            message = f"The {name} of this document no longer has the bytes that were stored; it is made again."
            round_.found(Kind.PAYLOAD_DAMAGED, reference.key, message, row.id)
            if round_.repairs:
                round_.store.delete(reference.key)
            _make_again(round_, row, step, message)
            return


def size_of_payloads(row: Document) -> int:
    """How many bytes were made of the document."""
    return sum(reference.size for _, reference, _ in _payloads(row))


def _is_damaged(store: ObjectStore, reference: ObjectReference) -> bool:
    """Whether two reads say so: one may have been wrong on its way. What is not there is missing, not damaged."""
    try:
        return all(sha256_of(store, reference.key) != reference.sha256 for _ in range(2))
    except ObjectNotFound:
        return False


def _payloads(row: Document) -> Iterator[tuple[Step, ObjectReference, str]]:
    """What the settled results of the document name, in the order of the steps; nothing while it is being worked on."""
    if row.status not in (Status.READY.value, Status.ATTENTION.value):
        return
    for step, result, payload, name in _PAYLOADS:
        if reference := (getattr(row, result) or {}).get(payload):
            yield step, ObjectReference.model_validate(reference), name


def _repair_first_missing(round_: Round, row: Document, listed: Mapping[str, int]) -> None:
    for step, reference, name in _payloads(row):
        if not _is_there(listed, reference) and confirmed_missing(round_, row, reference):
            message = f"The {name} of this document is not in the object store; it is made again."
            round_.found(Kind.PAYLOAD_MISSING, reference.key, message, row.id)
            _make_again(round_, row, step, message)
            return


def _make_again(round_: Round, row: Document, step: Step, why: str) -> None:
    """A run from that step: its memo notices that the payload is gone, and sets the commit aside (rules 6)."""
    if not round_.may_try(f"repair:{row.id}", most=MOST_REPAIRS):
        return
    if round_.repairs:
        with writing(round_.engine) as session:
            document = locked_document(session, row.id)
            if document is None or document.revision != row.revision or document.trashed_at is not None:
                return
            start_run(session, document, ReplayRequest.model_validate({"from": step.value}))
    round_.did(Deed.REPAIRED, row.id, why)


def _is_there(listed: Mapping[str, int], reference: ObjectReference) -> bool:
    return listed.get(reference.key) == reference.size
