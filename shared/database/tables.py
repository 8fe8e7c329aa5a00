"""The tables. `documents` is the single source of truth; everything else is evidence, queue or ledger.

JSON columns hold the frozen models of `shared.events` and `shared.metadata` as they were received. Times are UTC.
"""

from datetime import UTC, datetime
from typing import Any, ClassVar

from sqlalchemy import JSON, BigInteger, DateTime, ForeignKey, Index, Integer, String, Text, UniqueConstraint, text
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

LOCAL_OWNER = "local"
"""Whose documents they are while authentication is off."""

_BigKey = BigInteger().with_variant(Integer, "sqlite")
_NUMBERS_ARE_NOT_USED_TWICE = {"sqlite_autoincrement": True}
"""SQLite gives the highest number out again once its row is gone; a relay would then remove an event it never sent."""

_BEHIND = text("indexed_version < version")
_CLAIMED = text("state = 'claimed'")
_REVIEWED = text("review IS NOT NULL")
_REPLACED = text("replaced_by IS NOT NULL")


class UtcDateTime(TypeDecorator[datetime]):
    """Aware datetimes in, aware datetimes out, on SQLite too (which keeps no time zone)."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Store UTC."""
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give UTC back."""
        return value if value is None or value.tzinfo else value.replace(tzinfo=UTC)


class Table(DeclarativeBase):
    """Base of all tables."""

    type_annotation_map: ClassVar[dict[Any, Any]] = {datetime: UtcDateTime, dict[str, Any]: JSON, list[Any]: JSON}


class Document(Table):
    """One document: what was received, what the current run made of it, what people set.

    `version` moves on content (what search and readers see), `revision` on every change, progress included.
    `machine_metadata` and `user_metadata` are stored apart; the columns below them are derived for lists and filters.
    `resends` and `resend_at` are sweep's: how often it had to help since the last change, and when it looks again;
    `verified_at` is when it last found the original whole. `base` is what it stood on when its current run began.
    `review` holds what a new run made of a document that a person has edited, until a person takes it or leaves it; the
    columns keep what stood before. `accepted_code` is the failure of the current run that a person has accepted.
    """

    __tablename__ = "documents"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    owner: Mapped[str] = mapped_column(String(200))
    status: Mapped[str] = mapped_column(String(20))
    version: Mapped[int] = mapped_column(default=1)
    revision: Mapped[int] = mapped_column(default=1)
    changed_at: Mapped[datetime]

    filename: Mapped[str] = mapped_column(Text)
    media_type: Mapped[str] = mapped_column(String(200))
    size: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(String(64))
    channel: Mapped[str] = mapped_column(String(20))
    received_at: Mapped[datetime]
    original: Mapped[dict[str, Any]]

    runid: Mapped[str] = mapped_column(String(36))
    run_from: Mapped[str] = mapped_column(String(20))
    run_started_at: Mapped[datetime]
    options: Mapped[dict[str, Any]]

    converted: Mapped[dict[str, Any] | None]
    recognized: Mapped[dict[str, Any] | None]
    enriched: Mapped[dict[str, Any] | None]
    pages: Mapped[int | None]
    code: Mapped[str | None] = mapped_column(String(40))
    message: Mapped[str | None] = mapped_column(Text)
    hint: Mapped[str | None] = mapped_column(Text)
    warnings: Mapped[list[Any]] = mapped_column(default=list)

    machine_metadata: Mapped[dict[str, Any]] = mapped_column(default=dict)
    user_metadata: Mapped[dict[str, Any]] = mapped_column(default=dict)
    locked: Mapped[list[Any]] = mapped_column(default=list)

    title: Mapped[str] = mapped_column(Text)
    document_type: Mapped[str | None] = mapped_column(String(30))
    sender: Mapped[str | None] = mapped_column(Text)
    language: Mapped[str | None] = mapped_column(String(20))
    document_date: Mapped[str | None] = mapped_column(String(10))

    trashed_at: Mapped[datetime | None]
    indexed_version: Mapped[int] = mapped_column(default=0)
    index_generation: Mapped[str | None] = mapped_column(String(64))

    resends: Mapped[int] = mapped_column(default=0)
    resend_at: Mapped[datetime | None]
    verified_at: Mapped[datetime | None]

    base: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    review: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    accepted_code: Mapped[str | None] = mapped_column(String(40))
    replaced_by: Mapped[str | None] = mapped_column(String(36))

    __table_args__ = (
        Index("ix_documents_owner_received", "owner", "received_at", "id"),
        Index("ix_documents_owner_status", "owner", "status"),
        Index("ix_documents_changed", "changed_at"),
        # What sweep asks every minute, of documents of all owners.
        Index("ix_documents_status", "status", "changed_at"),
        Index("ix_documents_behind", "changed_at", postgresql_where=_BEHIND, sqlite_where=_BEHIND),
        Index("ix_documents_verified", "verified_at"),
        Index("ix_documents_replaced_by", "replaced_by", postgresql_where=_REPLACED, sqlite_where=_REPLACED),
        Index("ix_documents_owner_date", "owner", "document_date"),
        Index("ix_documents_review", "owner", postgresql_where=_REVIEWED, sqlite_where=_REVIEWED),
        # Holds all that lists are counted and filtered by, so that counting does not read the wide rows.
        Index(
            "ix_documents_filters",
            "owner",
            "trashed_at",
            "status",
            "document_type",
            "language",
            "sender",
            "document_date",
            "id",
        ),
    )


class DocumentTag(Table):
    """The tags of a document, derived from its metadata, for filters and counts."""

    __tablename__ = "document_tags"

    document_id: Mapped[str] = mapped_column(ForeignKey("documents.id", ondelete="CASCADE"), primary_key=True)
    tag: Mapped[str] = mapped_column(String(200), primary_key=True)

    __table_args__ = (Index("ix_document_tags_tag", "tag"),)


class DocumentStep(Table):
    """Where a step of a run stands, derived from the run's events.

    `pages` are those asked for and those recognized, as ranges, of a step that works in batches: progress is counted
    from them without reading the events of all batches again.
    """

    __tablename__ = "document_steps"

    document_id: Mapped[str] = mapped_column(ForeignKey("documents.id", ondelete="CASCADE"), primary_key=True)
    runid: Mapped[str] = mapped_column(String(36), primary_key=True)
    step: Mapped[str] = mapped_column(String(20), primary_key=True)
    state: Mapped[str] = mapped_column(String(20))
    attempts: Mapped[int] = mapped_column(default=0)
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    code: Mapped[str | None] = mapped_column(String(40))
    message: Mapped[str | None] = mapped_column(Text)
    hint: Mapped[str | None] = mapped_column(Text)
    done: Mapped[int | None]
    total: Mapped[int | None]
    pages: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))


class ContentClaim(Table):
    """Decides between equal uploads: which document holds (owner, sha256). A forced one holds none (rules 3)."""

    __tablename__ = "content_claims"

    owner: Mapped[str] = mapped_column(String(200), primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    document_id: Mapped[str] = mapped_column(String(36), index=True)


class IdempotencyKey(Table):
    """The answer that a client's `Idempotency-Key` got."""

    __tablename__ = "idempotency_keys"

    owner: Mapped[str] = mapped_column(String(200), primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    status_code: Mapped[int]
    answer: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]


class ArchivedEvent(Table):
    """Every event that passed the broker, whole. `reply_version` rebuilds the reply for a duplicate."""

    __tablename__ = "events"

    number: Mapped[int] = mapped_column(_BigKey, primary_key=True, autoincrement=True)
    source: Mapped[str] = mapped_column(String(200))
    id: Mapped[str] = mapped_column(String(100))
    type: Mapped[str] = mapped_column(String(100))
    subject: Mapped[str] = mapped_column(Text)
    document_id: Mapped[str | None] = mapped_column(String(36))
    runid: Mapped[str | None] = mapped_column(String(36))
    time: Mapped[datetime]
    recorded_at: Mapped[datetime]
    body: Mapped[str] = mapped_column(Text)
    reply_version: Mapped[int | None]

    __table_args__ = (
        UniqueConstraint("source", "id"),
        Index("ix_events_document", "document_id", "runid", "number"),
        # A run of a large scan has thousands of events, of which its projection reads those of a few types.
        Index("ix_events_run", "document_id", "runid", "type"),
        Index("ix_events_type_time", "type", "time"),
        Index("ix_events_time", "time"),
        _NUMBERS_ARE_NOT_USED_TWICE,
    )


class OutboxEvent(Table):
    """An event that was decided in the transaction of a change and is still to be published.

    `not_before` leaves the first word to whoever also replies it; record removes the row when the event has arrived.
    `problem` says why the row cannot be sent at all; it holds up no other, and is looked at again now and then.
    """

    __tablename__ = "outbox"

    number: Mapped[int] = mapped_column(_BigKey, primary_key=True, autoincrement=True)
    source: Mapped[str] = mapped_column(String(200))
    id: Mapped[str] = mapped_column(String(100))
    document_id: Mapped[str | None] = mapped_column(String(36))
    body: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]
    not_before: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(default=0)
    problem: Mapped[str | None] = mapped_column(Text)

    __table_args__ = (
        UniqueConstraint("source", "id"),
        Index("ix_outbox_not_before", "not_before"),
        Index("ix_outbox_document", "document_id", "number"),
        _NUMBERS_ARE_NOT_USED_TWICE,
    )


class LedgerEntry(Table):
    """One version of an object under `incoming/`, and what became of it (rules 16). Identity as in contract §5."""

    __tablename__ = "ledger"

    identity: Mapped[str] = mapped_column(String(64), primary_key=True)
    bucket: Mapped[str] = mapped_column(String(200))
    key: Mapped[str] = mapped_column(Text, index=True)
    version_id: Mapped[str | None] = mapped_column(Text)
    etag: Mapped[str] = mapped_column(Text)
    document_id: Mapped[str] = mapped_column(String(36), index=True)
    runid: Mapped[str] = mapped_column(String(36))
    state: Mapped[str] = mapped_column(String(20))
    duplicate_of: Mapped[str | None] = mapped_column(String(36))
    reason: Mapped[str | None] = mapped_column(Text)
    received: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime]

    __table_args__ = (Index("ix_ledger_claimed", "created_at", postgresql_where=_CLAIMED, sqlite_where=_CLAIMED),)


class DeadLetter(Table):
    """An event that exhausted its deliveries to one trigger; the whole of it is the object under `key`.

    `state` is open, replayed (sent again, outcome awaited), closed (its step has passed since), discarded (by a person,
    for `reason`) or purged. `replays` counts how often it was sent again, by whomever; `replay_at` is when sweep may.
    `tried_since` is when the broker began with the deliveries whose end this letter is, as far as it says so. `dropped`
    stands for the version of a dropped file that the event tells of, so that a purge of its document finds the letter.
    """

    __tablename__ = "dead_letters"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    trigger: Mapped[str] = mapped_column(String(100))
    event_source: Mapped[str] = mapped_column(String(200))
    event_id: Mapped[str] = mapped_column(String(100))
    event_type: Mapped[str] = mapped_column(String(100))
    document_id: Mapped[str | None] = mapped_column(String(36))
    runid: Mapped[str | None] = mapped_column(String(36))
    status: Mapped[int | None]
    code: Mapped[str | None] = mapped_column(String(40))
    message: Mapped[str | None] = mapped_column(Text)
    key: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(20))
    arrivals: Mapped[int] = mapped_column(default=1)
    first_at: Mapped[datetime]
    last_at: Mapped[datetime]
    reason: Mapped[str | None] = mapped_column(Text)
    replays: Mapped[int] = mapped_column(default=0, server_default="0")
    replay_at: Mapped[datetime | None]
    tried_since: Mapped[datetime | None]
    dropped: Mapped[str | None] = mapped_column(String(80))

    __table_args__ = (
        UniqueConstraint("trigger", "event_source", "event_id"),
        Index("ix_dead_letters_document", "document_id", "runid"),
        Index("ix_dead_letters_state", "state", "last_at", "id"),
        Index("ix_dead_letters_dropped", "dropped"),
    )


class Replay(Table):
    """A long piece of work over many events or documents: a replay, or a rebuild of the index or the projections.

    `kind` is redeliver, reprocess, rebuild_index or rebuild_projections; `state` running, done, cancelled or failed.
    `cursor` is the last item dealt with and moves in the transaction that deals with it, so that a crash neither skips
    nor repeats one; `bound` is where the work ends, fixed when it began. A worker claims it until `claimed_until`.
    """

    __tablename__ = "replays"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    owner: Mapped[str] = mapped_column(String(200))
    kind: Mapped[str] = mapped_column(String(30))
    state: Mapped[str] = mapped_column(String(20))
    request: Mapped[dict[str, Any]]
    rate: Mapped[float]
    total: Mapped[int]
    done: Mapped[int] = mapped_column(default=0)
    skipped: Mapped[int] = mapped_column(default=0)
    cursor: Mapped[str | None] = mapped_column(Text)
    bound: Mapped[str | None] = mapped_column(Text)
    message: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    claimed_by: Mapped[str | None] = mapped_column(String(36))
    claimed_until: Mapped[datetime | None]

    __table_args__ = (Index("ix_replays_state", "state", "created_at"),)


class Charge(Table):
    """What a result cost, booked once per (document, step, fingerprint), however often it was replied (rules 8)."""

    __tablename__ = "charges"

    document_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    step: Mapped[str] = mapped_column(String(20), primary_key=True)
    fingerprint: Mapped[str] = mapped_column(String(64), primary_key=True)
    pages: Mapped[int] = mapped_column(default=0)
    tokens: Mapped[int] = mapped_column(default=0)
    cost: Mapped[str] = mapped_column(String(40), default="0")
    booked_at: Mapped[datetime] = mapped_column(index=True)


class Finding(Table):
    """Something that sweep found and cannot repair: what, where, since when. It goes once it is no longer so.

    `kind` is one of `web.sweep.swept.Kind`.
    """

    __tablename__ = "findings"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    kind: Mapped[str] = mapped_column(String(30))
    document_id: Mapped[str | None] = mapped_column(String(36), index=True)
    key: Mapped[str] = mapped_column(Text)
    message: Mapped[str] = mapped_column(Text)
    found_at: Mapped[datetime]
    seen_at: Mapped[datetime]


class SweepMark(Table):
    """What sweep remembers from one time to the next, whichever process sweeps: how far it has come in a long list
    (`position`), and how often something was tried (`tries`). Whoever moves `due_at` by compare-and-set has the turn.
    """

    __tablename__ = "sweep_marks"

    name: Mapped[str] = mapped_column(String(100), primary_key=True)
    tries: Mapped[int] = mapped_column(default=0)
    due_at: Mapped[datetime] = mapped_column(index=True)
    position: Mapped[str | None] = mapped_column(Text)


class ApiToken(Table):
    """A token of the API: of the token itself only the digest is kept, and its first characters to know it by."""

    __tablename__ = "api_tokens"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    owner: Mapped[str] = mapped_column(String(200))
    name: Mapped[str] = mapped_column(String(200))
    scope: Mapped[str] = mapped_column(String(10))
    prefix: Mapped[str] = mapped_column(String(20), index=True)
    sha256: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]

    __table_args__ = (Index("ix_api_tokens_owner", "owner", "created_at", "id"),)


class Tombstone(Table):
    """A purged document: kept so that nothing brings it back and its search entry is known to be gone."""

    __tablename__ = "tombstones"

    document_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    owner: Mapped[str] = mapped_column(String(200))
    version: Mapped[int]
    purged_at: Mapped[datetime] = mapped_column(index=True)
    indexed_version: Mapped[int] = mapped_column(default=0)
    index_generation: Mapped[str | None] = mapped_column(String(64))

    __table_args__ = (Index("ix_tombstones_behind", "purged_at", postgresql_where=_BEHIND, sqlite_where=_BEHIND),)
