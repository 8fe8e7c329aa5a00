"""What a person decides on what a run has made: to take it, to leave it, or to keep a document that it failed on.

A run on a document that a person has edited changes nothing that is shown until it is taken; see
`shared.database.reviews` for what is held back, `web.comparing` for how both texts are compared.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from shared.database.documents import shown_metadata, touch
from shared.database.engine import reading, writing
from shared.database.projection import KnownMetadata, reproject, with_metadata
from shared.database.reviews import ReviewState, return_to_base, review_state
from shared.database.tables import Document
from shared.documents import Status
from shared.errors import EXPLANATIONS, Action, FailureCode
from shared.events import DocumentRecognized, DocumentUpdated
from shared.metadata import Metadata, merged
from shared.storage.port import ObjectStore
from web.api.models import ComparedField, Comparison, RunFailure
from web.comparing import compared_texts
from web.errors import Conflict
from web.reads import find_document
from web.writes import owned, require_not_trashed, tell


def comparison(engine: Engine, store: ObjectStore, owner: str, document_id: str) -> Comparison:
    """What the document's run would change, where that waits for a decision. Raises NotFound, Unavailable."""
    with reading(engine) as session:
        document = find_document(session, owner, document_id)
    review = document.review or {}
    if review_state(document) is not ReviewState.PENDING:
        return Comparison(state="none", runid=document.runid)
    before, after = document.recognized, review["recognized"] or document.recognized
    return Comparison(
        state="pending",
        runid=document.runid,
        fields=_fields(document, review),
        text=compared_texts(store, DocumentRecognized.model_validate(before), DocumentRecognized.model_validate(after)),
        failure=RunFailure.model_validate(review["failure"]) if review["failure"] else None,
    )


def take(engine: Engine, store: ObjectStore, owner: str, document_id: str, *, runid: str | None = None) -> None:
    """Show what the run has made. Raises NotFound, Conflict (nothing to decide, or another run than `runid`)."""

    def decide(metadata: KnownMetadata) -> None:
        with writing(engine) as session:
            document = _under_review(session, owner, document_id, runid)
            known = dict(metadata) | _metadata_of(document)
            document.review = None
            reproject(session, document, known)
            tell(session, document, DocumentUpdated(document_id=document.id, version=document.version))

    with_metadata(store, document_id, decide)


def leave(engine: Engine, owner: str, document_id: str, *, runid: str | None = None) -> None:
    """Keep what stands, whatever the run still sends. Raises NotFound, Conflict as `take` does."""
    with writing(engine) as session:
        document = _under_review(session, owner, document_id, runid)
        return_to_base(document)
        document.review = {"runid": document.runid, "state": ReviewState.REJECTED.value}
        touch(document, content=False)


def accept_as_it_is(engine: Engine, store: ObjectStore, owner: str, document_id: str) -> None:
    """Make a document ready although its run failed or has a doubt, which stays as a notice; a new run asks again.

    Nothing happens where it is ready. Raises NotFound, Conflict (trashed, processing, or nothing one can live with).
    """

    def decide(metadata: KnownMetadata) -> None:
        with writing(engine) as session:
            document = owned(session, owner, document_id)
            require_not_trashed(document)
            if document.status == Status.READY:
                return
            _require_acceptable(document)
            document.accepted_code = document.code
            reproject(session, document, metadata)
            tell(session, document, DocumentUpdated(document_id=document.id, version=document.version))

    with_metadata(store, document_id, decide)


def _under_review(session: Session, owner: str, document_id: str, runid: str | None) -> Document:
    document = owned(session, owner, document_id)
    require_not_trashed(document)
    if runid is not None and runid != document.runid:
        raise Conflict("Another run has begun since; look at what that one changes.", code="other_run")
    state = review_state(document)
    if state is ReviewState.RUNNING:
        raise Conflict("The run is still at work; decide when it has ended.", code="processing")
    if state is not ReviewState.PENDING:
        raise Conflict("Nothing waits for a decision.", code="no_review")
    return document


def _require_acceptable(document: Document) -> None:
    if document.status == Status.PROCESSING:
        raise Conflict("The document is still being processed.", code="processing")
    if document.code is None or document.code not in FailureCode.__members__.values():
        return
    if Action.ACCEPT not in EXPLANATIONS[FailureCode(document.code)].actions:
        raise Conflict("There is nothing here that could be kept as it is.", code="not_acceptable")


def _metadata_of(document: Document) -> dict[str, dict[str, Any]]:
    """The metadata that are shown and those under review, by their keys."""
    review: Mapping[str, Any] = document.review or {}
    kept = ((document.enriched, document.machine_metadata), (review.get("enriched"), review.get("machine_metadata")))
    return {made["metadata"]["key"]: metadata for made, metadata in kept if made and metadata}


def _fields(document: Document, review: Mapping[str, Any]) -> tuple[ComparedField, ...]:
    machine = Metadata.model_validate(review["machine_metadata"] or document.machine_metadata)
    locked = frozenset(document.locked)
    before = shown_metadata(document).model_dump(mode="json")
    after = merged(machine, Metadata.model_validate(document.user_metadata), locked).model_dump(mode="json")
    read = machine.model_dump(mode="json")
    return tuple(
        ComparedField(
            name=name,
            before=before[name],
            after=after[name],
            machine=read[name] if name in locked else None,
            locked=name in locked,
            changed=_values(before[name]) != _values(after[name]),
        )
        for name in Metadata.model_fields
    )


def _values(field: Any) -> Any:
    """What a person reads of a field: another page or confidence is no other value."""
    if isinstance(field, list):
        return [each["value"] for each in field]
    return field["value"] if field else None
