"""Worlds with one bug each, of the kinds that lose documents: what the checks are worth is what they find in these.

Each bug is a component of the world's own that stands in for the product's; the product knows nothing of them.
"""

import hashlib
import uuid
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from functions.convert.handler import Converting
from functions.index.handler import Indexer
from functions.ingest.handler import Ingester
from functions.record.handler import Recorder
from local.broker.rules import Answer
from shared.database.engine import writing
from shared.database.tables import Document, LedgerEntry
from shared.documents import ObjectReference, new_document_id
from shared.events import AnyData, DocumentEnriched, DocumentReceived, Event
from shared.publisher import EventPublisher
from shared.step import Handler, StepContext
from shared.storage import keys
from shared.storage.port import ObjectInfo, ObjectStore, ObjectWriter
from tests.chaos.bus import Delivery
from tests.chaos.world import World
from web.outbox import Claimed, Relay


@dataclass
class Passing:
    """An `ObjectStore` that passes everything on; a bug overrides one method."""

    inner: ObjectStore
    bucket: str = field(init=False)

    def __post_init__(self) -> None:
        self.bucket = self.inner.bucket

    def put(
        self,
        key: str,
        body: bytes,
        *,
        media_type: str,
        create_only: bool = False,
        metadata: Mapping[str, str] | None = None,
    ) -> ObjectReference:
        return self.inner.put(key, body, media_type=media_type, create_only=create_only, metadata=metadata)

    def put_file(
        self,
        key: str,
        path: Path,
        *,
        media_type: str,
        create_only: bool = False,
        metadata: Mapping[str, str] | None = None,
    ) -> ObjectReference:
        return self.inner.put_file(key, path, media_type=media_type, create_only=create_only, metadata=metadata)

    def writer(self, key: str, *, create_only: bool = False) -> AbstractContextManager[ObjectWriter]:
        return self.inner.writer(key, create_only=create_only)

    def get(self, key: str) -> bytes:
        return self.inner.get(key)

    def get_file(self, reference: ObjectReference, path: Path) -> None:
        self.inner.get_file(reference, path)

    def open(self, key: str, *, start: int = 0, length: int | None = None) -> AbstractContextManager[BinaryIO]:
        return self.inner.open(key, start=start, length=length)

    def head(self, key: str) -> ObjectInfo | None:
        return self.inner.head(key)

    def list(self, prefix: str, **behind: Any) -> Iterator[ObjectInfo]:
        return self.inner.list(prefix, **behind)

    def copy(
        self, source: ObjectInfo, target: str, *, media_type: str, metadata: Mapping[str, str] | None = None
    ) -> ObjectReference:
        return self.inner.copy(source, target, media_type=media_type, metadata=metadata)

    def delete(self, key: str) -> None:
        self.inner.delete(key)

    def delete_exact(self, info: ObjectInfo) -> bool:
        return self.inner.delete_exact(info)

    def delete_prefix(self, prefix: str) -> int:
        return self.inner.delete_prefix(prefix)

    def remove_leftovers(self, older_than_seconds: float) -> int:
        return self.inner.remove_leftovers(older_than_seconds)

    def temporary_url(self, key: str, *, seconds: int) -> str | None:
        return self.inner.temporary_url(key, seconds=seconds)

    def weakness(self) -> str | None:
        return self.inner.weakness()


@dataclass
class _Later(Passing):
    """Keeps payloads back and says that they are there, as a cache that writes in the background does."""

    kept: dict[str, tuple[bytes, str]] = field(default_factory=dict)

    def put_file(
        self,
        key: str,
        path: Path,
        *,
        media_type: str,
        create_only: bool = False,
        metadata: Mapping[str, str] | None = None,
    ) -> ObjectReference:
        body = path.read_bytes()
        if "/attempt-" not in key:
            return self.inner.put(key, body, media_type=media_type, create_only=create_only, metadata=metadata)
        self.kept[key] = body, media_type
        digest = hashlib.sha256(body).hexdigest()
        return ObjectReference(
            bucket=self.bucket, key=key, size=len(body), sha256=digest, etag=digest, media_type=media_type
        )

    def head(self, key: str) -> ObjectInfo | None:
        if key not in self.kept:
            return self.inner.head(key)
        body, media_type = self.kept[key]
        digest, now = hashlib.sha256(body).hexdigest(), datetime.now(UTC)
        return ObjectInfo(key, len(body), digest, media_type, now, 0.0, sha256=digest)

    def write_kept(self) -> None:
        for key, (body, media_type) in self.kept.items():
            self.inner.put(key, body, media_type=media_type)
        self.kept.clear()


class PayloadAfterResult(World):
    """The result is committed first, its payloads are written after the answer."""

    def make_store(self) -> ObjectStore:
        self.later = _Later(super().make_store())
        return self.later

    def deliver(self, delivery: Delivery) -> Answer | None:
        answer = super().deliver(delivery)
        self.later.write_kept()
        return answer


class _Leaseless(Passing):
    def list(self, prefix: str, **behind: Any) -> Iterator[ObjectInfo]:
        return (info for info in self.inner.list(prefix, **behind) if "/lease-" not in info.key)

    def put(
        self,
        key: str,
        body: bytes,
        *,
        media_type: str,
        create_only: bool = False,
        metadata: Mapping[str, str] | None = None,
    ) -> ObjectReference:
        exclusive = create_only and "/lease-" not in key
        return self.inner.put(key, body, media_type=media_type, create_only=exclusive, metadata=metadata)


class LeaseIgnored(World):
    """Nobody looks whether somebody is at work already."""

    def make_store(self) -> ObjectStore:
        return _Leaseless(super().make_store())


class _Silent(Converting):
    def answer_once(self, context: StepContext, data: AnyData) -> Event | None:
        assert isinstance(data, DocumentReceived)
        done = self._work(context, data, data.original).result() is not None
        return None if done else self.convert(context, data)


class DuplicateWithoutReply(World):
    """What was done before is acknowledged, and the next event never comes."""

    def make_convert(self) -> Handler:
        made = self.converting
        silent = _Silent(made.store, made.maker, made.limits, engines=made.engines, timeout_seconds=60)
        return silent.answer_once


class _LastEventWins(Recorder):
    def record(self, event: Event) -> Event | None:
        reply = super().record(event)
        if event.type == DocumentEnriched.type:
            with writing(self.engine) as session:
                session.get_one(Document, event.subject).enriched = event.payload
        return reply


class OldRunProjected(World):
    """A late event of an earlier run is taken for news."""

    def make_recorder(self) -> Recorder:
        return _LastEventWins(self.engine, self.store)


class _Without(Passing):
    def __init__(self, inner: ObjectStore, prefix: str) -> None:
        super().__init__(inner)
        self._prefix = prefix

    def put(
        self,
        key: str,
        body: bytes,
        *,
        media_type: str,
        create_only: bool = False,
        metadata: Mapping[str, str] | None = None,
    ) -> ObjectReference:
        if not key.startswith(self._prefix):
            return self.inner.put(key, body, media_type=media_type, create_only=create_only, metadata=metadata)
        return ObjectReference(bucket=self.bucket, key=key, size=len(body), sha256="", etag="", media_type=media_type)


class PurgeWithoutTombstone(World):
    """A purge that only removes: whatever is still under way starts the document anew."""

    def make_store(self) -> ObjectStore:
        return _Without(super().make_store(), keys.TOMBSTONES)


class LetterNotKept(World):
    """A dead letter that is only noted."""

    def make_store(self) -> ObjectStore:
        return _Without(super().make_store(), keys.DEAD_LETTERS)


class _Hasty(Relay):
    def _publish(self, publisher: EventPublisher, claimed: list[Claimed]) -> int | None:
        self._settle([row.number for row in claimed], [])
        return super()._publish(publisher, claimed)


class DeletedBeforePublished(World):
    """The outbox forgets an event before the broker has it."""

    def make_relay(self) -> Relay:
        return _Hasty(self.engine, self.publisher)


class _InPlace(Passing):
    def put_file(
        self,
        key: str,
        path: Path,
        *,
        media_type: str,
        create_only: bool = False,
        metadata: Mapping[str, str] | None = None,
    ) -> ObjectReference:
        if key.endswith("/document.pdf"):
            self.inner.put_file(keys.original(key.split("/")[1]), path, media_type=media_type)
        return self.inner.put_file(key, path, media_type=media_type, create_only=create_only, metadata=metadata)


class OriginalOverwritten(World):
    """The converted file takes the place of the original."""

    def make_store(self) -> ObjectStore:
        return _InPlace(super().make_store())


class _CopyFirst(Ingester):
    def _claim(self, info: ObjectInfo) -> LedgerEntry:
        aside = keys.original(new_document_id())
        self.store.copy(info, aside, media_type=info.media_type)
        entry = super()._claim(info)
        self.store.delete(aside)
        return entry


class ClaimAfterCopy(World):
    """A dropped file is copied before the ledger says whose it is."""

    def make_ingester(self) -> Ingester:
        return _CopyFirst(self.engine, self.store, channel="folder")


class _Forgetful(Recorder):
    def record(self, event: Event) -> Event | None:
        return super().record(event.model_copy(update={"id": str(uuid.uuid4())}))


class RecordNotIdempotent(World):
    """Every delivery counts as another event."""

    def make_recorder(self) -> Recorder:
        return _Forgetful(self.engine, self.store)


class _Once(Indexer):
    def _stands_at(self, document: Document) -> bool:
        return self.search.version_of(document.id) is not None


class IndexedOnce(World):
    """A document that is in the index is taken to be up to date there."""

    def make_indexer(self) -> Indexer:
        return _Once(self.engine, self.store, self.search, "embedded")


CRASHING: Mapping[str, type[World]] = {
    bug.__name__: bug for bug in (PayloadAfterResult, DuplicateWithoutReply, DeletedBeforePublished, ClaimAfterCopy)
}
"""Bugs that only a crash brings to light; crash loops of these worlds have to find them."""
