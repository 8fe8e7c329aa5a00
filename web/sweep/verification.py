"""Originals read again, slowly, each every few weeks: bytes that changed by themselves are told, never hidden.

With each original what was made of it is read as well: that can be made again.
"""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import or_, select, update

from shared.database.engine import reading, writing
from shared.database.tables import Document, Finding
from shared.documents import ObjectReference
from shared.errors import ObjectNotFound
from web.sweep.adoption import sha256_of
from web.sweep.findings import settle
from web.sweep.payloads import (
    confirmed_missing,
    forget_original,
    repair_first_damaged,
    size_of_payloads,
    tell_of_original,
)
from web.sweep.round import BATCH, Round
from web.sweep.swept import Kind

VERIFY_EVERY = timedelta(days=30)
LOOK_AGAIN = timedelta(days=1)
BYTES_PER_SWEEP = 64 << 20
"""At one sweep a minute that is 90 GiB a day. A document that is larger by itself is read all the same."""


def verify_originals(round_: Round) -> None:
    """Read those that were not read for the longest time, and again those that were found damaged."""
    mark = round_.turn("originals")
    if mark is None:
        return
    left = BYTES_PER_SWEEP
    for row in _due(round_):
        if left <= 0 or not round_.has_time():
            break
        with round_.alone(row.id):
            left -= size_of_payloads(row)
            _verify(round_, row)
        left -= row.size
    for row in _damaged(round_):
        if round_.has_time() and round_.may_try(f"verify:{row.id}", first=LOOK_AGAIN):
            with round_.alone(row.id):
                _verify(round_, row)
            _settle(round_, {row.id})
    _forget_removed(round_)
    round_.end_turn(mark, "")


def _due(round_: Round) -> Sequence[Document]:
    known = select(Finding.id).where(
        Finding.document_id == Document.id,
        Finding.kind.in_((Kind.ORIGINAL_DAMAGED.value, Kind.ORIGINAL_MISSING.value)),
    )
    never, long_ago = Document.verified_at.is_(None), Document.verified_at < round_.now - VERIFY_EVERY
    query = select(Document).where(or_(never, long_ago), ~known.exists())
    with reading(round_.engine) as session:
        return session.scalars(query.order_by(Document.verified_at).limit(BATCH)).all()


def _damaged(round_: Round) -> Sequence[Document]:
    query = (
        select(Document)
        .join(Finding, Finding.document_id == Document.id)
        .where(Finding.kind == Kind.ORIGINAL_DAMAGED.value)
        .order_by(Finding.seen_at)
        .limit(BATCH)
    )
    with reading(round_.engine) as session:
        return session.scalars(query).all()


def _verify(round_: Round, row: Document) -> None:
    round_.swept.saw("originals read")
    try:
        whole = sha256_of(round_.store, str(row.original["key"])) == row.sha256
    except ObjectNotFound:
        if confirmed_missing(round_, row, ObjectReference.model_validate(row.original)):
            tell_of_original(round_, row, Kind.ORIGINAL_MISSING)
        return
    if not whole:
        tell_of_original(round_, row, Kind.ORIGINAL_DAMAGED)
        return
    forget_original(round_, row, Kind.ORIGINAL_DAMAGED)
    repair_first_damaged(round_, row)
    if round_.repairs:
        with writing(round_.engine) as session:
            session.execute(update(Document).where(Document.id == row.id).values(verified_at=round_.now))


def _forget_removed(round_: Round) -> None:
    """Findings on documents that are purged by now."""
    with reading(round_.engine) as session:
        living = select(Document.id).where(Document.id == Finding.document_id).exists()
        query = select(Finding.document_id).where(Finding.kind == Kind.ORIGINAL_DAMAGED.value, ~living)
        gone = {document_id for document_id in session.scalars(query) if document_id}
    _settle(round_, gone)


def _settle(round_: Round, document_ids: set[str]) -> None:
    settle(round_, (Kind.ORIGINAL_DAMAGED,), lambda found: found.document_id in document_ids)
