"""The filters of lists and search, read from a query string. Knows no database and no search engine."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import TypeVar

from starlette.datastructures import QueryParams

from shared.documents import Status
from shared.metadata import DocumentType
from web.errors import InvalidParameter

MAX_QUERY_CHARACTERS = 1000
MAX_PAGE_SIZE = 200
DEFAULT_PAGE_SIZE = 50

E = TypeVar("E", bound=StrEnum)


class Review(StrEnum):
    """What of a document waits for a person besides its status."""

    PENDING = "pending"


@dataclass(frozen=True)
class DocumentFilters:
    """What a list is narrowed by; unset ones let everything pass. Both ends of a range are included.

    A document needs all of `tags`. `trashed` shows what is in the trash and nothing else.
    """

    q: str = ""
    status: Status | None = None
    document_type: str | None = None
    tags: tuple[str, ...] = ()
    sender: str | None = None
    language: str | None = None
    date_from: date | None = None
    date_to: date | None = None
    received_from: datetime | None = None
    received_to: datetime | None = None
    trashed: bool = False
    review: Review | None = None


def document_filters(parameters: QueryParams) -> DocumentFilters:
    """Read the filters. Raises InvalidParameter naming the one that is wrong."""
    status = _choice(parameters, "status", Status)
    return DocumentFilters(
        q=_text(parameters, "q") or "",
        status=status,
        document_type=_choice(parameters, "document_type", DocumentType),
        tags=tuple(dict.fromkeys(tag for tag in parameters.getlist("tag") if tag)),
        sender=_text(parameters, "sender"),
        language=_text(parameters, "language"),
        date_from=_date(parameters, "date_from"),
        date_to=_date(parameters, "date_to"),
        received_from=moment(parameters, "received_from"),
        received_to=moment(parameters, "received_to", end_of_day=True),
        trashed=flag(parameters, "trashed") or status is Status.TRASHED,
        review=_choice(parameters, "review", Review),
    )


def page_size(parameters: QueryParams, default: int = DEFAULT_PAGE_SIZE) -> int:
    """How many results a page has: at least 1; more than 200 gives 200."""
    return min(number(parameters, "page_size", default), MAX_PAGE_SIZE)


def number(parameters: QueryParams, name: str, default: int, *, most: int = 1_000_000_000) -> int:
    """A whole number from 1."""
    text = parameters.get(name)
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and 1 <= int(text) <= most):
        raise InvalidParameter(f"{name} must be a whole number from 1")
    return int(text)


def flag(parameters: QueryParams, name: str) -> bool:
    """A yes or no."""
    text = (parameters.get(name) or "").lower()
    if text in ("", "false", "0", "no"):
        return False
    if text in ("true", "1", "yes"):
        return True
    raise InvalidParameter(f"{name} must be true or false")


def moment(parameters: QueryParams, name: str, *, end_of_day: bool = False) -> datetime | None:
    """An ISO 8601 time (UTC where it names no zone) or a date, which means its first or last instant."""
    text = parameters.get(name)
    if not text:
        return None
    try:
        return moment_of(text, end_of_day=end_of_day)
    except ValueError as error:
        raise InvalidParameter(f"{name} must be an ISO 8601 date or time") from error


def moment_of(text: str, *, end_of_day: bool = False) -> datetime:
    """A time or date as in `moment`. Raises ValueError."""
    try:
        if len(text) == len("2026-01-31"):
            day = datetime.combine(date.fromisoformat(text), time(), UTC)
            return day + timedelta(days=1, microseconds=-1) if end_of_day else day
        # A plus sign that was not percent-encoded arrives as a blank.
        found = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except OverflowError as error:
        raise ValueError("the time is out of range") from error


def _date(parameters: QueryParams, name: str) -> date | None:
    text = parameters.get(name)
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise InvalidParameter(f"{name} must be a date like 2026-01-31") from error


def _text(parameters: QueryParams, name: str) -> str | None:
    text = (parameters.get(name) or "").strip()
    if len(text) > MAX_QUERY_CHARACTERS:
        raise InvalidParameter(f"{name} is longer than {MAX_QUERY_CHARACTERS} characters")
    return text.replace("\0", "") or None


def _choice(parameters: QueryParams, name: str, values: type[E]) -> E | None:
    text = parameters.get(name)
    if not text:
        return None
    try:
        return values(text)
    except ValueError as error:
        known = ", ".join(value.value for value in values)
        raise InvalidParameter(f"{name} must be one of {known}") from error
