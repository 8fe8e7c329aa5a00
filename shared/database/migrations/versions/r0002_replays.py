"""Replays, charges, findings; what dead letters and documents need for recovery."""

import sqlalchemy as sa
from alembic import op

import shared.database.tables

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Apply this revision."""
    op.create_table(
        "charges",
        sa.Column("document_id", sa.String(length=36), nullable=False),
        sa.Column("step", sa.String(length=20), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("pages", sa.Integer(), nullable=False),
        sa.Column("tokens", sa.Integer(), nullable=False),
        sa.Column("cost", sa.String(length=40), nullable=False),
        sa.Column("booked_at", shared.database.tables.UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("document_id", "step", "fingerprint"),
    )
    with op.batch_alter_table("charges", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_charges_booked_at"), ["booked_at"], unique=False)

    op.create_table(
        "findings",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=30), nullable=False),
        sa.Column("document_id", sa.String(length=36), nullable=True),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("found_at", shared.database.tables.UtcDateTime(timezone=True), nullable=False),
        sa.Column("seen_at", shared.database.tables.UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("findings", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_findings_document_id"), ["document_id"], unique=False)

    op.create_table(
        "replays",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("owner", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=30), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("request", sa.JSON(), nullable=False),
        sa.Column("rate", sa.Double(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("skipped", sa.Integer(), nullable=False),
        sa.Column("cursor", sa.Text(), nullable=True),
        sa.Column("bound", sa.Text(), nullable=True),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("created_at", shared.database.tables.UtcDateTime(timezone=True), nullable=False),
        sa.Column("finished_at", shared.database.tables.UtcDateTime(timezone=True), nullable=True),
        sa.Column("claimed_by", sa.String(length=36), nullable=True),
        sa.Column("claimed_until", shared.database.tables.UtcDateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("replays", schema=None) as batch_op:
        batch_op.create_index("ix_replays_state", ["state", "created_at"], unique=False)

    op.create_table(
        "sweep_marks",
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("due_at", shared.database.tables.UtcDateTime(timezone=True), nullable=False),
        sa.Column("position", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("name"),
    )
    with op.batch_alter_table("sweep_marks", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_sweep_marks_due_at"), ["due_at"], unique=False)
    for name, table, column, condition in (
        ("ix_ledger_claimed", "ledger", "created_at", "state = 'claimed'"),
        ("ix_tombstones_behind", "tombstones", "purged_at", "indexed_version < version"),
    ):
        where = sa.text(condition)
        op.create_index(name, table, [column], unique=False, postgresql_where=where, sqlite_where=where)

    with op.batch_alter_table("dead_letters", schema=None) as batch_op:
        batch_op.add_column(sa.Column("reason", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("replays", sa.Integer(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("replay_at", shared.database.tables.UtcDateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("tried_since", shared.database.tables.UtcDateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("dropped", sa.String(length=80), nullable=True))
        batch_op.create_index("ix_dead_letters_state", ["state", "last_at", "id"], unique=False)
        batch_op.create_index("ix_dead_letters_dropped", ["dropped"], unique=False)

    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.add_column(sa.Column("problem", sa.Text(), nullable=True))

    with op.batch_alter_table("documents", schema=None) as batch_op:
        batch_op.add_column(sa.Column("verified_at", shared.database.tables.UtcDateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("base", sa.JSON(none_as_null=True), nullable=True))
        batch_op.add_column(sa.Column("review", sa.JSON(none_as_null=True), nullable=True))
        batch_op.add_column(sa.Column("accepted_code", sa.String(length=40), nullable=True))
        batch_op.add_column(sa.Column("replaced_by", sa.String(length=36), nullable=True))
        batch_op.create_index(
            "ix_documents_replaced_by",
            ["replaced_by"],
            unique=False,
            postgresql_where=sa.text("replaced_by IS NOT NULL"),
            sqlite_where=sa.text("replaced_by IS NOT NULL"),
        )
        batch_op.create_index(
            "ix_documents_review",
            ["owner"],
            unique=False,
            postgresql_where=sa.text("review IS NOT NULL"),
            sqlite_where=sa.text("review IS NOT NULL"),
        )
        batch_op.create_index("ix_documents_verified", ["verified_at"], unique=False)
    # What was received was hashed on its way in.
    op.execute("UPDATE documents SET verified_at = received_at")

    with op.batch_alter_table("document_steps", schema=None) as batch_op:
        batch_op.add_column(sa.Column("pages", sa.JSON(none_as_null=True), nullable=True))

    with op.batch_alter_table("events", schema=None) as batch_op:
        batch_op.create_index("ix_events_run", ["document_id", "runid", "type"], unique=False)
