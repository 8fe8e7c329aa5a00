"""Originals that no row knows become documents, from what their metadata say of them (rules 1).

So an upload whose transaction was never answered is not lost, nor is any document with an older backup of the database.
"""

import hashlib
import mimetypes
from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from uuid import uuid4

from sqlalchemy.orm import Session

from shared.database.documents import Arrival, holder_of, register
from shared.database.engine import reading, writing
from shared.database.tables import LOCAL_OWNER, Document, LedgerEntry, Tombstone
from shared.documents import ObjectReference
from shared.originals import Provenance, provenance_of
from shared.sources import RECEIVED
from shared.storage import keys
from shared.storage.port import ObjectInfo, ObjectStore
from web.filenames import sane_name
from web.sweep.round import SOURCE, Round
from web.sweep.swept import Deed, Kind

_UNKNOWN_TYPE = "application/octet-stream"
_CHUNK_BYTES = 1 << 20


def adopt(round_: Round, document_id: str, infos: Sequence[ObjectInfo], claim: LedgerEntry | None) -> None:
    """Make a document of the objects under its prefix; without an original they are kept, and told."""
    prefix = keys.document_prefix(document_id)
    if not any(info.key == keys.original(document_id) for info in infos):
        message = f"{len(infos)} objects of a document that has neither a row nor an original; they are kept."
        round_.found(Kind.ORPHANED_OBJECT, prefix, message, document_id)
        return
    head = round_.store.head(keys.original(document_id))
    if head is None or not round_.may_try(f"adopt:{document_id}"):
        return
    original, provenance = _reference(round_.store, head), _provenance(head, claim)
    twin = _twin(round_, document_id, original, provenance)
    if twin is None:
        _register(round_, head, original, provenance, claim)
    elif _is_whole(round_.store, twin):
        # The same bytes are safe in a document that lives: this copy came second and was to be dropped (rules 3).
        if round_.repairs:
            round_.store.delete_prefix(prefix)
        round_.did(Deed.REMOVED, prefix, f"a second copy of the original of {twin.id}")
    else:
        round_.found(Kind.ORPHANED_OBJECT, prefix, f"A copy of the original of {twin.id}, which is not whole itself.")


def _provenance(head: ObjectInfo, claim: LedgerEntry | None) -> Provenance:
    found = provenance_of(head.metadata)
    name = PurePosixPath(claim.key).name if claim else ""
    found = found or Provenance(name, LOCAL_OWNER, "adopted")
    return replace(found, filename=sane_name(found.filename))


def _reference(store: ObjectStore, head: ObjectInfo) -> ObjectReference:
    return ObjectReference(
        bucket=store.bucket,
        key=head.key,
        size=head.size,
        sha256=head.sha256 or sha256_of(store, head.key),
        etag=head.etag,
        media_type=head.media_type,
    )


def sha256_of(store: ObjectStore, key: str) -> str:
    """The digest (hex) of the bytes as they are. Raises ObjectNotFound."""
    digest = hashlib.sha256()
    with store.open(key) as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def _twin(round_: Round, document_id: str, original: ObjectReference, provenance: Provenance) -> Document | None:
    """The living document that holds the same content; none for what was to be stored anyway."""
    if provenance.force:
        return None
    with reading(round_.engine) as session:
        holder = holder_of(session, provenance.owner, original.sha256)
    return None if holder is None or holder.id == document_id or holder.trashed_at is not None else holder


def _is_whole(store: ObjectStore, document: Document) -> bool:
    kept = ObjectReference.model_validate(document.original)
    head = store.head(kept.key)
    return head is not None and head.size == kept.size and head.sha256 in (None, kept.sha256)


def _register(
    round_: Round, head: ObjectInfo, original: ObjectReference, provenance: Provenance, claim: LedgerEntry | None
) -> None:
    document_id = head.key.split("/")[1]
    arrival = Arrival(
        document_id=document_id,
        runid=claim.runid if claim else str(uuid4()),
        original=original.model_copy(update={"media_type": _media_type(original, provenance)}),
        filename=provenance.filename,
        channel=provenance.channel[:20],
        owner=provenance.owner[:200],
        options=provenance.options,
        user_metadata=provenance.user_metadata,
        locked=provenance.locked,
    )
    if round_.repairs:
        with writing(round_.engine) as session:
            if not _enter(session, arrival, head, claim, force=provenance.force):
                return
    round_.did(Deed.ADOPTED, document_id, f"{provenance.filename}, which was stored and had no row")


def _enter(session: Session, arrival: Arrival, head: ObjectInfo, claim: LedgerEntry | None, *, force: bool) -> bool:
    """Write the row; False where somebody else has meanwhile, or where the same content has."""
    if session.get(Document, arrival.document_id) or session.get(Tombstone, arrival.document_id):
        return False
    registration = register(session, arrival, source=SOURCE, force=force, over_trash=True)
    if registration.event is None:
        return False
    document = session.get_one(Document, arrival.document_id)
    document.received_at = head.last_modified
    # Its digest is what the object itself says: it is looked at before others.
    document.verified_at = None
    entry = session.get(LedgerEntry, claim.identity, with_for_update=True) if claim else None
    if entry is not None and entry.state != RECEIVED:
        entry.state, entry.received, entry.duplicate_of = RECEIVED, registration.event.to_json(), None
    return True


def _media_type(original: ObjectReference, provenance: Provenance) -> str:
    if original.media_type not in ("", _UNKNOWN_TYPE):
        return original.media_type
    return mimetypes.guess_type(provenance.filename)[0] or _UNKNOWN_TYPE
