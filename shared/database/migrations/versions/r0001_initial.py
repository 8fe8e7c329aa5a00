"""The first schema."""

import sqlalchemy as sa
from alembic import op

import shared.database.tables

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Apply this revision."""

    op.create_table(
        "api_tokens",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("owner", sa.String(length=200), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("scope", sa.String(length=10), nullable=False),
        sa.Column("prefix", sa.String(length=20), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("created_at", shared.database.tables.UtcDateTime(timezone=True), nullable=False),
        sa.Column("expires_at", shared.database.tables.UtcDateTime(timezone=True), nullable=True),
        sa.Column("last_used_at", shared.database.tables.UtcDateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("api_tokens", schema=None) as batch_op:
        batch_op.create_index("ix_api_tokens_owner", ["owner", "created_at", "id"], unique=False)
        batch_op.create_index(batch_op.f("ix_api_tokens_prefix"), ["prefix"], unique=False)

    op.create_table(
        "content_claims",
        sa.Column("owner", sa.String(length=200), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("document_id", sa.String(length=36), nullable=False),
        sa.PrimaryKeyConstraint("owner", "sha256"),
    )
    with op.batch_alter_table("content_claims", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_content_claims_document_id"), ["document_id"], unique=False)

    op.create_table(
        "dead_letters",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("trigger", sa.String(length=100), nullable=False),
        sa.Column("event_source", sa.String(length=200), nullable=False),
        sa.Column("event_id", sa.String(length=100), nullable=False),
        sa.Column("event_type", sa.String(length=100), nullable=False),
        sa.Column("document_id", sa.String(length=36), nullable=True),
        sa.Column("runid", sa.String(length=36), nullable=True),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("code", sa.String(length=40), nullable=True),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("arrivals", sa.Integer(), nullable=False),
        sa.Column("first_at", shared.database.tables.UtcDateTime(timezone=True), nullable=False),
        sa.Column("last_at", shared.database.tables.UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("trigger", "event_source", "event_id"),
    )
    with op.batch_alter_table("dead_letters", schema=None) as batch_op:
        batch_op.create_index("ix_dead_letters_document", ["document_id", "runid"], unique=False)

    op.create_table(
        "documents",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("owner", sa.String(length=200), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("changed_at", shared.database.tables.UtcDateTime(timezone=True), nullable=False),
        sa.Column("filename", sa.Text(), nullable=False),
        sa.Column("media_type", sa.String(length=200), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("channel", sa.String(length=20), nullable=False),
        sa.Column("received_at", shared.database.tables.UtcDateTime(timezone=True), nullable=False),
        sa.Column("original", sa.JSON(), nullable=False),
        sa.Column("runid", sa.String(length=36), nullable=False),
        sa.Column("run_from", sa.String(length=20), nullable=False),
        sa.Column("run_started_at", shared.database.tables.UtcDateTime(timezone=True), nullable=False),
        sa.Column("options", sa.JSON(), nullable=False),
        sa.Column("converted", sa.JSON(), nullable=True),
        sa.Column("recognized", sa.JSON(), nullable=True),
        sa.Column("enriched", sa.JSON(), nullable=True),
        sa.Column("pages", sa.Integer(), nullable=True),
        sa.Column("code", sa.String(length=40), nullable=True),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("hint", sa.Text(), nullable=True),
        sa.Column("warnings", sa.JSON(), nullable=False),
        sa.Column("machine_metadata", sa.JSON(), nullable=False),
        sa.Column("user_metadata", sa.JSON(), nullable=False),
        sa.Column("locked", sa.JSON(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("document_type", sa.String(length=30), nullable=True),
        sa.Column("sender", sa.Text(), nullable=True),
        sa.Column("language", sa.String(length=20), nullable=True),
        sa.Column("document_date", sa.String(length=10), nullable=True),
        sa.Column("trashed_at", shared.database.tables.UtcDateTime(timezone=True), nullable=True),
        sa.Column("indexed_version", sa.Integer(), nullable=False),
        sa.Column("index_generation", sa.String(length=64), nullable=True),
        sa.Column("resends", sa.Integer(), nullable=False),
        sa.Column("resend_at", shared.database.tables.UtcDateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("documents", schema=None) as batch_op:
        batch_op.create_index(
            "ix_documents_behind",
            ["changed_at"],
            unique=False,
            postgresql_where=sa.text("indexed_version < version"),
            sqlite_where=sa.text("indexed_version < version"),
        )
        batch_op.create_index("ix_documents_changed", ["changed_at"], unique=False)
        batch_op.create_index("ix_documents_status", ["status", "changed_at"], unique=False)
        batch_op.create_index(
            "ix_documents_filters",
            ["owner", "trashed_at", "status", "document_type", "language", "sender", "document_date", "id"],
            unique=False,
        )
        batch_op.create_index("ix_documents_owner_date", ["owner", "document_date"], unique=False)
        batch_op.create_index("ix_documents_owner_received", ["owner", "received_at", "id"], unique=False)
        batch_op.create_index("ix_documents_owner_status", ["owner", "status"], unique=False)

    op.create_table(
        "events",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("source", sa.String(length=200), nullable=False),
        sa.Column("id", sa.String(length=100), nullable=False),
        sa.Column("type", sa.String(length=100), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("document_id", sa.String(length=36), nullable=True),
        sa.Column("runid", sa.String(length=36), nullable=True),
        sa.Column("time", shared.database.tables.UtcDateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", shared.database.tables.UtcDateTime(timezone=True), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("reply_version", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("source", "id"),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("events", schema=None) as batch_op:
        batch_op.create_index("ix_events_document", ["document_id", "runid", "number"], unique=False)
        batch_op.create_index("ix_events_time", ["time"], unique=False)
        batch_op.create_index("ix_events_type_time", ["type", "time"], unique=False)

    op.create_table(
        "idempotency_keys",
        sa.Column("owner", sa.String(length=200), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("status_code", sa.Integer(), nullable=False),
        sa.Column("answer", sa.JSON(), nullable=False),
        sa.Column("created_at", shared.database.tables.UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("owner", "key"),
    )
    op.create_table(
        "ledger",
        sa.Column("identity", sa.String(length=64), nullable=False),
        sa.Column("bucket", sa.String(length=200), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("version_id", sa.Text(), nullable=True),
        sa.Column("etag", sa.Text(), nullable=False),
        sa.Column("document_id", sa.String(length=36), nullable=False),
        sa.Column("runid", sa.String(length=36), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("duplicate_of", sa.String(length=36), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("received", sa.Text(), nullable=True),
        sa.Column("created_at", shared.database.tables.UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("identity"),
    )
    with op.batch_alter_table("ledger", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_ledger_document_id"), ["document_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_ledger_key"), ["key"], unique=False)

    op.create_table(
        "outbox",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("source", sa.String(length=200), nullable=False),
        sa.Column("id", sa.String(length=100), nullable=False),
        sa.Column("document_id", sa.String(length=36), nullable=True),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("created_at", shared.database.tables.UtcDateTime(timezone=True), nullable=False),
        sa.Column("not_before", shared.database.tables.UtcDateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("source", "id"),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.create_index("ix_outbox_document", ["document_id", "number"], unique=False)
        batch_op.create_index("ix_outbox_not_before", ["not_before"], unique=False)

    op.create_table(
        "tombstones",
        sa.Column("document_id", sa.String(length=36), nullable=False),
        sa.Column("owner", sa.String(length=200), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("purged_at", shared.database.tables.UtcDateTime(timezone=True), nullable=False),
        sa.Column("indexed_version", sa.Integer(), nullable=False),
        sa.Column("index_generation", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("document_id"),
    )
    with op.batch_alter_table("tombstones", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_tombstones_purged_at"), ["purged_at"], unique=False)

    op.create_table(
        "document_steps",
        sa.Column("document_id", sa.String(length=36), nullable=False),
        sa.Column("runid", sa.String(length=36), nullable=False),
        sa.Column("step", sa.String(length=20), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("started_at", shared.database.tables.UtcDateTime(timezone=True), nullable=True),
        sa.Column("finished_at", shared.database.tables.UtcDateTime(timezone=True), nullable=True),
        sa.Column("code", sa.String(length=40), nullable=True),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("hint", sa.Text(), nullable=True),
        sa.Column("done", sa.Integer(), nullable=True),
        sa.Column("total", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["document_id"], ["documents.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("document_id", "runid", "step"),
    )
    op.create_table(
        "document_tags",
        sa.Column("document_id", sa.String(length=36), nullable=False),
        sa.Column("tag", sa.String(length=200), nullable=False),
        sa.ForeignKeyConstraint(["document_id"], ["documents.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("document_id", "tag"),
    )
    with op.batch_alter_table("document_tags", schema=None) as batch_op:
        batch_op.create_index("ix_document_tags_tag", ["tag"], unique=False)
