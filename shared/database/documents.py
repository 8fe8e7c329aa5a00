"""Transactions on documents that more than one process makes: registering, locking, deriving columns, queueing events.

What a run's events mean for a document is decided in `shared.projection`; what a person may do, in `web`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import PurePath
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from shared.database.tables import LOCAL_OWNER, ContentClaim, Document, DocumentStep, DocumentTag, OutboxEvent
from shared.database.vocabulary import offered_vocabulary
from shared.documents import PIPELINE, ObjectReference, Status, StepState
from shared.events import DocumentReceived, Event, RunOptions, new_event
from shared.metadata import Metadata, merged

REPLY_GRACE = timedelta(seconds=30)
"""How long the outbox leaves an event to whoever replies it as well."""

MAX_SENDER_CHARACTERS, MAX_TAG_CHARACTERS = 300, 200
"""Of the derived columns. PostgreSQL's indexes hold no row over 2.7 kB; the whole value stays in the metadata."""


@dataclass(frozen=True)
class Arrival:
    """A file that is safely stored, about to become a document."""

    document_id: str
    runid: str
    original: ObjectReference
    filename: str
    channel: str
    owner: str = LOCAL_OWNER
    options: RunOptions = field(default_factory=RunOptions)
    user_metadata: Metadata = field(default_factory=Metadata)
    locked: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Registration:
    """What became of an arrival: a new document with its first event, or the one it equals."""

    event: Event | None
    duplicate_of: Document | None = None


def holder_of(session: Session, owner: str, sha256: str) -> Document | None:
    """The document that holds this content of this owner, in the trash or not."""
    claim = session.get(ContentClaim, (owner, sha256))
    return session.get(Document, claim.document_id) if claim else None


def register(
    session: Session, arrival: Arrival, *, source: str, force: bool = False, over_trash: bool = False
) -> Registration:
    """Make the document with its claim and its first event in the outbox, or name the one that holds the same content.

    `force` takes no claim. `over_trash` lets a trashed holder lose its claim (dropped files); the event then waits
    REPLY_GRACE in the outbox, since ingest replies it as well.
    """
    if not force:
        holder = _claim(session, arrival, over_trash=over_trash)
        if holder is not None:
            return Registration(None, holder)
    document = _new_document(arrival)
    document.options = _with_vocabulary(session, arrival).model_dump(mode="json")
    session.add(document)
    session.flush()
    apply_metadata(session, document)
    for step in PIPELINE:
        session.add(_waiting(document, step.value))
    event = received_event(document, source=source, runid=arrival.runid)
    enqueue(session, event, grace=REPLY_GRACE if over_trash else timedelta(0))
    return Registration(event)


def received_event(document: Document, *, source: str, runid: str) -> Event:
    """`document.received` of a document, built from its row; a run starts with it."""
    options = RunOptions.model_validate(document.options)
    data = DocumentReceived(
        document_id=document.id,
        options=options,
        original=ObjectReference.model_validate(document.original),
        unlocked=options.unlocked,
        filename=document.filename,
        media_type=document.media_type,
        size=document.size,
        sha256=document.sha256,
        channel=document.channel,
    )
    return new_event(data, source=source, runid=runid)


def enqueue(session: Session, event: Event, *, grace: timedelta = timedelta(0)) -> None:
    """Put an event into the outbox, in the transaction of the change that it tells of."""
    session.add(OutboxEvent(**_outbox_values(event, grace)))


def enqueue_again(session: Session, event: Event) -> None:
    """The same for an event that was sent before; one that still waits in the outbox goes out anyway."""
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    session.execute(insert(OutboxEvent).values(_outbox_values(event, timedelta(0))).on_conflict_do_nothing())


def locked_document(session: Session, document_id: str) -> Document | None:
    """The row, locked until the transaction ends, so that merges are never lost."""
    query = (
        select(Document).where(Document.id == document_id).with_for_update().execution_options(populate_existing=True)
    )
    return session.scalars(query).one_or_none()


def shown_metadata(document: Document) -> Metadata:
    """Machine and person together, as people see it."""
    machine = Metadata.model_validate(document.machine_metadata)
    return merged(machine, Metadata.model_validate(document.user_metadata), frozenset(document.locked))


def apply_metadata(session: Session, document: Document) -> None:
    """Derive title, tags and the other filter columns from the metadata as shown."""
    metadata = shown_metadata(document)
    title = metadata.title.value if metadata.title else PurePath(document.filename).stem or document.filename
    document.title = _column(title)
    document.document_type = metadata.document_type.value if metadata.document_type else None
    document.sender = _column(metadata.sender.value, MAX_SENDER_CHARACTERS) if metadata.sender else None
    document.language = metadata.language.value if metadata.language else None
    document.document_date = metadata.document_date.value if metadata.document_date else None
    _set_tags(session, document.id, [tag.value for tag in metadata.tags])


def touch(document: Document, *, content: bool) -> None:
    """Note a change: `revision` moves always, `version` when `content` did."""
    document.revision += 1
    document.version += 1 if content else 0
    document.changed_at = datetime.now(UTC)
    document.resends, document.resend_at = 0, None


def _outbox_values(event: Event, grace: timedelta) -> dict[str, Any]:
    now = datetime.now(UTC)
    return {
        "source": event.source,
        "id": event.id,
        "document_id": event.payload.get("document_id"),
        "body": event.to_json(),
        "created_at": now,
        "not_before": now + grace,
        "attempts": 0,
    }


def _claim(session: Session, arrival: Arrival, *, over_trash: bool) -> Document | None:
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    values = {"owner": arrival.owner, "sha256": arrival.original.sha256, "document_id": arrival.document_id}
    session.execute(insert(ContentClaim).values(values).on_conflict_do_nothing())
    claim = session.get_one(ContentClaim, (arrival.owner, arrival.original.sha256), with_for_update=True)
    if claim.document_id == arrival.document_id:
        return None
    holder = session.get(Document, claim.document_id)
    if holder is None or (over_trash and holder.trashed_at is not None):
        claim.document_id = arrival.document_id
        return None
    return holder


def _with_vocabulary(session: Session, arrival: Arrival) -> RunOptions:
    """The options with the snapshot that is offered now, unless the arrival names one."""
    if arrival.options.vocabulary:
        return arrival.options
    return arrival.options.model_copy(update={"vocabulary": offered_vocabulary(session, arrival.owner)})


def _new_document(arrival: Arrival) -> Document:
    now = datetime.now(UTC)
    return Document(
        id=arrival.document_id,
        owner=arrival.owner,
        status=Status.PROCESSING.value,
        version=1,
        revision=1,
        changed_at=now,
        filename=arrival.filename,
        media_type=arrival.original.media_type,
        size=arrival.original.size,
        sha256=arrival.original.sha256,
        channel=arrival.channel,
        received_at=now,
        verified_at=now,
        original=arrival.original.model_dump(mode="json"),
        runid=arrival.runid,
        run_from=PIPELINE[0].value,
        run_started_at=now,
        options=arrival.options.model_dump(mode="json"),
        warnings=[],
        machine_metadata={},
        user_metadata=arrival.user_metadata.model_dump(mode="json"),
        locked=sorted(arrival.locked),
        title="",
        indexed_version=0,
    )


def _waiting(document: Document, step: str) -> DocumentStep:
    return DocumentStep(
        document_id=document.id, runid=document.runid, step=step, state=StepState.WAITING.value, attempts=0
    )


def _set_tags(session: Session, document_id: str, tags: Sequence[str]) -> None:
    session.execute(delete(DocumentTag).where(DocumentTag.document_id == document_id))
    # Different tags may be equal once they are cut.
    columns = dict.fromkeys(_column(tag, MAX_TAG_CHARACTERS) for tag in tags)
    session.add_all(DocumentTag(document_id=document_id, tag=tag) for tag in columns)


def _column(value: str, characters: int | None = None) -> str:
    """What fits a text column of either database: PostgreSQL takes no NUL, and no more than was declared."""
    return value.replace("\0", "")[:characters]
