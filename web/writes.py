"""What people do to a document: set metadata, trash, restore, purge. Each one is one transaction.

A change and the event that tells of it are committed together; the relay publishes the event afterwards.
"""

from datetime import UTC, date, datetime
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Engine, Text, cast, delete, select
from sqlalchemy.orm import Session

from shared.database.documents import apply_metadata, enqueue, locked_document, touch
from shared.database.engine import reading, writing
from shared.database.forgetting import became, redact
from shared.database.tables import (
    ContentClaim,
    DeadLetter,
    Document,
    DocumentStep,
    Finding,
    IdempotencyKey,
    LedgerEntry,
    OutboxEvent,
    Tombstone,
)
from shared.documents import Status, StepState
from shared.events import (
    DocumentDeleted,
    DocumentPurged,
    DocumentRestored,
    DocumentUpdated,
    EventData,
    new_event,
    version_id,
)
from shared.metadata import LIST_FIELDS, Metadata
from shared.storage import keys
from shared.storage.port import ObjectStore
from web.api.models import MetadataPatch
from web.errors import Conflict, InvalidParameter, NotFound, VersionConflict

SOURCE = "/docuelevate/web"
MAX_TEXT_CHARACTERS = 10_000
MAX_VALUES = 200
_DATES = ("document_date", "due_date")


def patch_metadata(
    engine: Engine, owner: str, document_id: str, patch: MetadataPatch, *, if_match: str | None = None
) -> None:
    """Set and unlock fields. Raises NotFound, InvalidParameter, Conflict (trashed), VersionConflict."""
    values, unlocked = _user_values(patch), _unlocked(patch)
    with writing(engine) as session:
        document = owned(session, owner, document_id)
        _require_version(document, if_match)
        require_not_trashed(document)
        locked = (set(document.locked) | set(values)) - unlocked
        user = {name: value for name, value in document.user_metadata.items() if name in locked} | values
        before = (document.user_metadata, document.locked)
        document.user_metadata, document.locked = _dumped(user), sorted(locked)
        if before == (document.user_metadata, document.locked):
            return
        apply_metadata(session, document)
        touch(document, content=True)
        tell(session, document, DocumentUpdated(document_id=document.id, version=document.version))


def trash(engine: Engine, owner: str, document_id: str) -> None:
    """Move to the trash; nothing happens where it is there already. Raises NotFound."""
    with writing(engine) as session:
        document = owned(session, owner, document_id)
        if document.trashed_at is None:
            put_into_trash(session, document)


def put_into_trash(session: Session, document: Document) -> None:
    """Move a (locked) document to the trash, and tell of it."""
    document.trashed_at, document.status = datetime.now(UTC), Status.TRASHED.value
    touch(document, content=True)
    tell(session, document, DocumentDeleted(document_id=document.id, version=document.version))


def restore(engine: Engine, owner: str, document_id: str) -> None:
    """Take out of the trash; nothing happens where it is not in there. Raises NotFound."""
    with writing(engine) as session:
        document = owned(session, owner, document_id)
        if document.trashed_at is not None:
            document.trashed_at, document.replaced_by = None, None
            document.status = _status_of_run(session, document).value
            touch(document, content=True)
            tell(session, document, DocumentRestored(document_id=document.id, version=document.version))


def purge(engine: Engine, store: ObjectStore, owner: str, document_id: str) -> None:
    """Remove for good: tombstone, then the row and what is known of it, then the objects (rules 23). Raises NotFound.

    Done again it removes what a crash has left. Objects that a running step still writes are removed by sweep.
    """
    with reading(engine) as session:
        found = session.get(Document, document_id) or session.get(Tombstone, document_id)
        if found is None or found.owner != owner:
            raise NotFound("There is no such document.")
        sources = session.scalars(select(LedgerEntry).where(became(document_id))).all()
    store.put(keys.tombstone(document_id), b"{}", media_type="application/json")
    # As long as the ledger still knows their names.
    for source in sources:
        info = store.head(source.key)
        if info is not None and info.etag == source.etag and info.version_id == source.version_id:
            store.delete_exact(info)
    with writing(engine) as session:
        document = locked_document(session, document_id)
        if document is not None:
            _forget(session, document)
        letters = session.scalars(select(DeadLetter.key).where(DeadLetter.document_id == document_id)).all()
    for letter in letters:
        # The row names the last arrival; what arrived before of the same event lies beside it.
        store.delete_prefix(letter.rpartition("-")[0] + "-")
    store.delete_prefix(keys.document_prefix(document_id))


def require_owned(engine: Engine, owner: str, document_id: str) -> None:
    """Raises NotFound, or Conflict for a document in the trash."""
    with reading(engine) as session:
        document = session.get(Document, document_id)
        if document is None or document.owner != owner:
            raise NotFound("There is no such document.")
        require_not_trashed(document)


def owned(session: Session, owner: str, document_id: str) -> Document:
    """The row, locked. Raises NotFound, also for one of another owner."""
    document = locked_document(session, document_id)
    if document is None or document.owner != owner:
        raise NotFound("There is no such document.")
    return document


def require_not_trashed(document: Document) -> None:
    """Raises Conflict for a document in the trash."""
    if document.trashed_at is not None:
        raise Conflict("The document is in the trash; restore it first.", code="trashed")


def _require_version(document: Document, if_match: str | None) -> None:
    if if_match is None or if_match.strip() == "*":
        return
    wanted = {tag.strip().removeprefix("W/").strip('"') for tag in if_match.split(",")}
    if str(document.version) not in wanted:
        raise VersionConflict(
            f"The document was changed in the meantime; it is now at version {document.version}.",
            headers={"ETag": f'"{document.version}"'},
        )


def tell(session: Session, document: Document, data: EventData) -> None:
    """Queue an event that tells of the row's version."""
    event_id = version_id(document.id, data.type, document.version)
    enqueue(session, new_event(data, source=SOURCE, runid=document.runid, event_id=event_id))


def _user_values(patch: MetadataPatch) -> dict[str, Any]:
    if unknown := sorted(set(patch.metadata) - set(Metadata.model_fields)):
        raise InvalidParameter(f"metadata.{unknown[0][:100]}: there is no such field")
    return {
        name: _user_value(name, value)
        for name, value in patch.metadata.items()
        if not (value is None and name in patch.unlock)
    }


def _unlocked(patch: MetadataPatch) -> set[str]:
    for name in patch.unlock:
        if name not in Metadata.model_fields:
            raise InvalidParameter(f"unlock: there is no field {name[:100]}")
        if patch.metadata.get(name) is not None:
            raise InvalidParameter(f"{name} is both set and given back to the machine")
    return set(patch.unlock)


def _user_value(name: str, value: Any) -> Any:
    """A plain value as one that a person has set, validated; null and empty text mean that there is none."""
    given = value if name in LIST_FIELDS else [value]
    if name in LIST_FIELDS and not isinstance(given or [], list):
        raise InvalidParameter(f"metadata.{name}: must be a list")
    kept = [trimmed for each in given or [] if (trimmed := _trimmed(name, each)) is not None]
    if len(kept) > MAX_VALUES:
        raise InvalidParameter(f"metadata.{name}: has more than {MAX_VALUES} values")
    values = [{"value": each, "origin": "user", "locked": True} for each in kept]
    content = {name: values if name in LIST_FIELDS else (values[0] if values else None)}
    try:
        return Metadata.model_validate(content, strict=False).model_dump(mode="json")[name]
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False, include_context=False)[0]
        raise InvalidParameter(f"metadata.{name}: {problem['msg']}") from error


def _trimmed(name: str, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    text = value.replace("\0", "").strip()
    if len(text) > MAX_TEXT_CHARACTERS:
        raise InvalidParameter(f"metadata.{name}: is longer than {MAX_TEXT_CHARACTERS} characters")
    if name in _DATES and text:
        _require_date(name, text)
    return text or None


def _require_date(name: str, text: str) -> None:
    try:
        date.fromisoformat(text)
    except ValueError as error:
        raise InvalidParameter(f"metadata.{name}: must be a date like 2026-01-31") from error


def _dumped(user: dict[str, Any]) -> dict[str, Any]:
    return Metadata.model_validate(user).model_dump(mode="json")


def _status_of_run(session: Session, document: Document) -> Status:
    """What the run's steps say, which went on while the document was in the trash."""
    query = select(DocumentStep.state).where(
        DocumentStep.document_id == document.id, DocumentStep.runid == document.runid
    )
    states = set(session.scalars(query))
    # A failure without its code was accepted, or is one of a run whose results are under review.
    if document.code is not None:
        return Status.ATTENTION
    return Status.PROCESSING if states & {StepState.WAITING, StepState.RUNNING} else Status.READY


def _forget(session: Session, document: Document) -> None:
    version = document.version + 1
    session.add(
        Tombstone(
            document_id=document.id,
            owner=document.owner,
            version=version,
            purged_at=datetime.now(UTC),
            indexed_version=document.indexed_version,
            index_generation=document.index_generation,
        )
    )
    purged = new_event(
        DocumentPurged(document_id=document.id, version=version),
        source=SOURCE,
        runid=document.runid,
        event_id=version_id(document.id, DocumentPurged.type, version),
    )
    redact(session, document.id)
    _forget_answers(session, document)
    for table in (ContentClaim, OutboxEvent, Finding):
        session.execute(delete(table).where(table.document_id == document.id))
    session.delete(document)
    session.flush()
    enqueue(session, purged)


def _forget_answers(session: Session, document: Document) -> None:
    """Answers kept for repeated uploads name files; who repeats one is still told which document it was."""
    about = cast(IdempotencyKey.answer, Text).contains(document.id)
    for kept in session.scalars(select(IdempotencyKey).where(IdempotencyKey.owner == document.owner, about)):
        files = [file | {"filename": ""} if file["id"] == document.id else file for file in kept.answer["documents"]]
        kept.answer = kept.answer | {"documents": files}
