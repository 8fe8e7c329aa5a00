"""What results cost: booked once per document, step and fingerprint, however often a result is replied (rules 8).

Charges tell of no person and no content, so they stay when a document is purged: the money was spent.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from sqlalchemy import ColumnElement, Numeric, cast, func, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from shared.database.tables import Charge, Document, Tombstone
from shared.documents import Step
from shared.events import DocumentEnriched, DocumentRecognized, Event

_MOST = 2**31 - 1
_MOST_COST = Decimal(10) ** 12
_DIGITS = Decimal("0.00000001")


@dataclass(frozen=True)
class Cost:
    """What was spent: pages recognized from images, tokens of language models, and money as a decimal string."""

    ocr_pages: int = 0
    tokens: int = 0
    cost: str = "0"


def book(session: Session, document_id: str, event: Event) -> None:
    """Book what the result that the event tells of has cost, unless it is booked already; other events cost nothing.

    A result of a former run has cost as much as one of the current.
    """
    charge = _charge(event)
    if charge is None:
        return
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    values = {"document_id": document_id, "booked_at": datetime.now(UTC), **charge}
    session.execute(insert(Charge).values(values).on_conflict_do_nothing())


def cost_of_document(session: Session, document_id: str) -> Cost:
    """What a document has cost in all its runs."""
    return _sum(session, Charge.document_id == document_id)


def cost_of_owner(session: Session, owner: str) -> Cost:
    """What all documents of an owner have cost, purged ones included."""
    living = select(Document.id).where(Document.owner == owner)
    purged = select(Tombstone.document_id).where(Tombstone.owner == owner)
    return _sum(session, or_(Charge.document_id.in_(living), Charge.document_id.in_(purged)))


def _sum(session: Session, condition: ColumnElement[bool]) -> Cost:
    money = func.sum(cast(Charge.cost, Numeric(30, 10)))
    query = select(func.sum(Charge.pages), func.sum(Charge.tokens), money).where(condition)
    pages, tokens, cost = session.execute(query).one()
    # SQLite adds decimals as floating-point numbers.
    total = Decimal(cost or 0).quantize(_DIGITS).normalize()
    return Cost(int(pages or 0), int(tokens or 0), f"{total:f}")


def _charge(event: Event) -> dict[str, Any] | None:
    data, mark = event.payload, event.payload.get("fingerprint")
    if not mark or len(mark) > Charge.fingerprint.type.length:
        return None
    if event.type == DocumentRecognized.type:
        return {"step": Step.OCR.value, "fingerprint": mark, "pages": _number(data.get("ocr_pages"))}
    if event.type == DocumentEnriched.type:
        spent = {"tokens": _number(data.get("tokens")), "cost": _money(data.get("cost"))}
        return {"step": Step.ENRICH.value, "fingerprint": mark, **spent}
    return None


def _number(value: Any) -> int:
    return min(max(int(value or 0), 0), _MOST)


def _money(value: Any) -> str:
    try:
        found = Decimal(str(value or "0"))
    except InvalidOperation:
        return "0"
    plausible = found.is_finite() and 0 <= found < _MOST_COST
    return f"{found.quantize(_DIGITS).normalize():f}" if plausible else "0"
