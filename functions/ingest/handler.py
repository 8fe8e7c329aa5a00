"""Ledger claim, copy, row with its first event, removal: in this order, and each step continues where a crash left it.

Every later event or listing that meets the claim answers the same `document.received` (rules 16 and 17).
"""

import hashlib
import logging
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Engine, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from functions.ingest.core import filename, media_type, wishes
from shared.database.documents import Arrival, register
from shared.database.engine import writing
from shared.database.tables import LOCAL_OWNER, LedgerEntry
from shared.documents import ObjectReference, new_document_id
from shared.errors import InvalidEvent, ObjectChanged, ObjectExists, ObjectNotFound
from shared.events import AnyData, Event, ObjectCreated, RunOptions, from_json
from shared.originals import Provenance
from shared.sources import CLAIMED, DUPLICATE, RECEIVED, REFUSED, REJECTED, identity, named_identity
from shared.step import StepContext
from shared.storage import keys
from shared.storage.port import ObjectInfo, ObjectStore

TOO_LARGE = "It is larger than MAX_UPLOAD_SIZE allows."

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Ingester:
    """Takes objects over from `incoming/`. With `keep_incoming` they stay there; `key_owners` lets keys name owners.

    Larger ones than `max_size_bytes` stay too, untouched.
    """

    engine: Engine
    store: ObjectStore
    keep_incoming: bool = False
    channel: str = "s3"
    key_owners: bool = False
    max_size_bytes: int = 1024**3

    def ingest(self, context: StepContext, data: AnyData) -> Event | None:
        """Register the object that the event names, or answer as before."""
        assert isinstance(data, ObjectCreated)
        if data.bucket != self.store.bucket or not data.key.startswith(keys.INCOMING):
            raise InvalidEvent("the object is not under incoming/ of the configured bucket")
        if data.key.endswith("/"):
            return None
        info = self.store.head(data.key)
        if info is None:
            return self._vanished(context, data)
        entry = self._claim(info)
        if entry.state == REFUSED:
            _log.warning("%s is not taken in: %s", info.key, entry.reason)
            return None
        return self._continue(context, info, entry)

    def _continue(self, context: StepContext, info: ObjectInfo, entry: LedgerEntry) -> Event | None:
        if entry.state == CLAIMED:
            try:
                entry = self._register(context, entry, self._copied(info, entry))
            except (ObjectChanged, ObjectNotFound):
                # Its own event, or the next listing, tells of the version that is there now.
                _log.info("%s changed before it was taken over", info.key)
                return None
        if entry.state == DUPLICATE:
            self.store.delete(keys.original(entry.document_id))
        if entry.state in (RECEIVED, DUPLICATE) and not self.keep_incoming:
            self.store.delete_exact(info)
        return from_json(entry.received) if entry.received else None

    def _vanished(self, context: StepContext, data: ObjectCreated) -> Event | None:
        version = data.version_id or data.etag or ""
        with writing(self.engine) as session:
            known = _find(session, data)
            if known is None:
                rejected = _new_entry(named_identity(data.bucket, data.key, version), data.bucket, data.key)
                rejected.etag, rejected.version_id = data.etag or "", data.version_id
                rejected.state, rejected.reason = REJECTED, "The object was gone before it could be read."
                session.add(rejected)
                return None
        if known.state != CLAIMED:
            return from_json(known.received) if known.received else None
        copied = self.store.head(keys.original(known.document_id))
        if copied is None:
            return None
        entry = self._register(context, known, self._reference(copied))
        return from_json(entry.received) if entry.received else None

    def _claim(self, info: ObjectInfo) -> LedgerEntry:
        entry = _new_entry(identity(self.store.bucket, info), self.store.bucket, info.key)
        state, reason = (REFUSED, TOO_LARGE) if info.size > self.max_size_bytes else (CLAIMED, None)
        values = {
            "identity": entry.identity,
            "bucket": entry.bucket,
            "key": entry.key,
            "version_id": info.version_id,
            "etag": info.etag,
            "document_id": entry.document_id,
            "runid": entry.runid,
            "state": state,
            "reason": reason,
            "created_at": entry.created_at,
        }
        with writing(self.engine) as session:
            insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
            session.execute(insert(LedgerEntry).values(values).on_conflict_do_nothing())
            found = session.get_one(LedgerEntry, entry.identity, with_for_update=True)
            if found.state in (REJECTED, REFUSED):
                # It was gone when it was last asked for, and is there again under the same version; or it may be taken
                # in by now.
                found.state, found.reason = state, reason
            return found

    def _copied(self, info: ObjectInfo, entry: LedgerEntry) -> ObjectReference:
        target = keys.original(entry.document_id)
        # What is needed to adopt the original, should its row never come to be (rules 1).
        about = self._provenance(info.key).to_metadata()
        try:
            return self.store.copy(info, target, media_type=media_type(info), metadata=about)
        except ObjectExists:
            copied = self.store.head(target)
            if copied is None:
                raise ObjectNotFound(target) from None
            return self._reference(copied)

    def _provenance(self, key: str) -> Provenance:
        wished = wishes(key)
        return Provenance(
            filename=filename(key),
            owner=wished.owner if wished.owner and self.key_owners else LOCAL_OWNER,
            channel=self.channel,
            options=RunOptions(language=wished.language),
            tags=wished.tags,
        )

    def _reference(self, info: ObjectInfo) -> ObjectReference:
        return ObjectReference(
            bucket=self.store.bucket,
            key=info.key,
            size=info.size,
            sha256=info.sha256 or self._hash(info.key),
            etag=info.etag,
            media_type=info.media_type,
        )

    def _hash(self, key: str) -> str:
        digest = hashlib.sha256()
        with self.store.open(key) as stream:
            while chunk := stream.read(1 << 20):
                digest.update(chunk)
        return digest.hexdigest()

    def _register(self, context: StepContext, entry: LedgerEntry, original: ObjectReference) -> LedgerEntry:
        provenance = self._provenance(entry.key)
        arrival = Arrival(
            document_id=entry.document_id,
            runid=entry.runid,
            original=original,
            filename=provenance.filename,
            channel=self.channel,
            owner=provenance.owner,
            options=provenance.options,
            user_metadata=provenance.user_metadata,
            locked=provenance.locked,
        )
        with writing(self.engine) as session:
            current = session.get_one(LedgerEntry, entry.identity, with_for_update=True)
            if current.state != CLAIMED:
                return current
            registration = register(session, arrival, source=context.source, over_trash=True)
            if registration.event is not None:
                current.state, current.received = RECEIVED, registration.event.to_json()
            elif registration.duplicate_of is not None:
                current.state, current.duplicate_of = DUPLICATE, registration.duplicate_of.id
            return current


def _find(session: Session, data: ObjectCreated) -> LedgerEntry | None:
    # A late event may tell of a file whose document was purged since.
    names = (data.key, keys.forgotten(data.key))
    query = select(LedgerEntry).where(LedgerEntry.bucket == data.bucket, LedgerEntry.key.in_(names))
    if data.version_id:
        query = query.where(LedgerEntry.version_id == data.version_id)
    elif data.etag:
        query = query.where(LedgerEntry.etag == data.etag)
    return session.scalars(query.order_by(LedgerEntry.created_at.desc()).limit(1)).one_or_none()


def _new_entry(entry_identity: str, bucket: str, key: str) -> LedgerEntry:
    return LedgerEntry(
        identity=entry_identity,
        bucket=bucket,
        key=key,
        etag="",
        document_id=new_document_id(),
        runid=str(uuid.uuid4()),
        state=CLAIMED,
        created_at=datetime.now(UTC),
    )
