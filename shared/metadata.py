"""The metadata of a document: values, each with its origin, confidence and evidence.

Unknown is null, never a word for it. What a person sets is locked; machine values never overwrite it (see `merged`).
"""

import re
from enum import StrEnum
from typing import Annotated, Generic, Literal, TypeVar

from pydantic import Field, StringConstraints

from shared.documents import Box, Frozen, Probability

IsoDate = Annotated[str, StringConstraints(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]
Decimal_ = Annotated[str, StringConstraints(pattern=r"^-?[0-9]+(\.[0-9]+)?$", max_length=40)]
MAX_LANGUAGE_CHARACTERS = 20
_LANGUAGE_TAG = r"^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$"
LanguageTag = Annotated[str, StringConstraints(pattern=_LANGUAGE_TAG, max_length=MAX_LANGUAGE_CHARACTERS)]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]


class DocumentType(StrEnum):
    """What kind of document it is (contract §4)."""

    INVOICE = "invoice"
    RECEIPT = "receipt"
    CREDIT_NOTE = "credit_note"
    REMINDER = "reminder"
    BANK_STATEMENT = "bank_statement"
    PAYSLIP = "payslip"
    TAX = "tax"
    CONTRACT = "contract"
    INSURANCE = "insurance"
    QUOTE = "quote"
    ORDER = "order"
    DELIVERY_NOTE = "delivery_note"
    LETTER = "letter"
    MINUTES = "minutes"
    REPORT = "report"
    CERTIFICATE = "certificate"
    MEDICAL = "medical"
    UTILITY_BILL = "utility_bill"
    WARRANTY = "warranty"
    CV = "cv"
    FORM = "form"
    NEWSLETTER = "newsletter"
    MANUAL = "manual"
    OTHER = "other"


class Money(Frozen):
    """An amount as a decimal string with its ISO 4217 currency (null where the document names none)."""

    value: Decimal_
    currency: Currency | None = None


class Evidence(Frozen):
    """Where a value was read: page number (from 1), the exact words, and their boxes on that page."""

    page: int = Field(ge=1)
    quote: str
    boxes: tuple[Box, ...] = ()


T = TypeVar("T")


class Value(Frozen, Generic[T]):
    """One extracted value."""

    value: T
    confidence: Probability = 1.0
    origin: Literal["model", "rule", "user"]
    evidence: Evidence | None = None
    locked: bool = False


class Metadata(Frozen):
    """`metadata.json` and the `metadata` member of the API (contract §4)."""

    title: Value[str] | None = None
    document_type: Value[DocumentType] | None = None
    sender: Value[str] | None = None
    recipient: Value[str] | None = None
    document_date: Value[IsoDate] | None = None
    due_date: Value[IsoDate] | None = None
    language: Value[LanguageTag] | None = None
    reference_number: Value[str] | None = None
    total: Value[Money] | None = None
    amounts: tuple[Value[Money], ...] = ()
    tags: tuple[Value[str], ...] = ()
    summary: Value[str] | None = None
    suggested_filename: Value[str] | None = None


def is_language_tag(text: str) -> bool:
    """Whether the text has the form of a BCP-47 tag, as a document's language must have."""
    return len(text) <= MAX_LANGUAGE_CHARACTERS and re.fullmatch(_LANGUAGE_TAG, text) is not None


LIST_FIELDS = frozenset({"amounts", "tags"})
"""Fields that hold several values; a person locks the whole list at once."""


def merged(machine: Metadata, user: Metadata, locked: frozenset[str]) -> Metadata:
    """What is shown: the person's value for each locked field (also when that is null or empty), else the machine's."""
    return machine.model_copy(update={name: getattr(user, name) for name in locked})
