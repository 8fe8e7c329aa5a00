"""The search port: what is written into an index, what can be asked of it, and what comes back.

Two implementations behave the same (tests/contract/test_search.py): an embedded one for one machine, a server for many.
How text becomes terms is in shared/search/analyzer.py, how a typed query is read in shared/search/query.py.
"""

from collections.abc import Iterable, Iterator
from datetime import date, datetime
from enum import StrEnum
from typing import Protocol

from pydantic import Field

from shared.documents import Frozen, Status


class SearchEntry(Frozen):
    """One document as it is to be found. `pages` are (number from 1, text); `received_at` carries its time zone."""

    document_id: str
    version: int = Field(ge=0)
    received_at: datetime
    owner: str = ""
    status: Status = Status.READY
    title: str | None = None
    filename: str | None = None
    sender: str | None = None
    recipient: str | None = None
    reference_number: str | None = None
    document_type: str | None = None
    document_date: date | None = None
    language: str | None = None
    tags: tuple[str, ...] = ()
    summary: str | None = None
    pages: tuple[tuple[int, str], ...] = ()


class Facet(StrEnum):
    """What the result can be counted by."""

    DOCUMENT_TYPE = "document_type"
    SENDER = "sender"
    TAG = "tag"
    LANGUAGE = "language"
    YEAR = "year"


class Ordering(StrEnum):
    """The order of hits; `date` is the document's own date, or the day it was received where it has none."""

    RELEVANCE = "relevance"
    DATE = "document_date"
    DATE_NEWEST = "-document_date"
    RECEIVED = "received_at"
    RECEIVED_NEWEST = "-received_at"
    TITLE = "title"
    TITLE_DESCENDING = "-title"


class SearchQuery(Frozen):
    """What a person typed, narrowed by filters.

    `text` has no syntax errors: quotes ask for a phrase, -word excludes, word* is a prefix, all else is literal.
    All words must match; only if nothing has them all, the documents with most of them are found (`relaxed`).
    Filters are exact values; a document needs all of `tags`; both ends of a range are included. Trashed documents are
    never found. `owner` None asks over all owners (the caller has checked that this is allowed).
    """

    text: str = ""
    owner: str | None = None
    status: Status | None = None
    document_type: str | None = None
    tags: tuple[str, ...] = ()
    sender: str | None = None
    language: str | None = None
    date_from: date | None = None
    date_to: date | None = None
    received_from: datetime | None = None
    received_to: datetime | None = None
    facets: tuple[Facet, ...] = ()
    page: int = Field(default=1, ge=1, le=100_000)
    page_size: int = Field(default=20, ge=1, le=200)
    ordering: Ordering = Ordering.RELEVANCE


class SnippetPart(Frozen):
    """A stretch of plain text (never HTML); `hit` says that it is what matched."""

    text: str
    hit: bool = False


class Snippet(Frozen):
    """An excerpt; `page` is the page's number, None for an excerpt of the summary."""

    page: int | None
    parts: tuple[SnippetPart, ...]


class SearchHit(Frozen):
    """A document found. `pages` and `snippets` go together, best page first, at most five.

    `matched_fields` are names of SearchEntry's fields; `highlights` holds those of them that are short, marked up.
    A hit whose pages do not match has one snippet without marks, so that there is always something to show.
    """

    document_id: str
    score: float
    pages: tuple[int, ...] = ()
    snippets: tuple[Snippet, ...] = ()
    matched_fields: tuple[str, ...] = ()
    highlights: dict[str, tuple[SnippetPart, ...]] = Field(default_factory=dict)


class FacetCount(Frozen):
    """How many documents of the whole result have this value."""

    value: str
    count: int


class SearchResults(Frozen):
    """One page of hits; `total` and `facets` are about the whole result."""

    hits: tuple[SearchHit, ...] = ()
    facets: dict[Facet, tuple[FacetCount, ...]] = Field(default_factory=dict)
    total: int = 0
    relaxed: bool = False
    took_ms: float = 0.0


class SearchReader(Protocol):
    """The asking side. Every method raises `Unavailable` when the index is missing, broken or out of reach."""

    def search(self, query: SearchQuery) -> SearchResults:
        """Find documents; sees every write that has returned, whichever process made it."""
        ...

    @property
    def generation(self) -> str:
        """The identity of this index; a row indexed in another generation has to be indexed again."""
        ...

    def version_of(self, document_id: str) -> int | None:
        """The version of the document that the index holds, None if it holds none."""
        ...

    def ids(self) -> Iterator[str]:
        """The ids of all entries, to compare with the rows."""
        ...


class SearchIndex(SearchReader, Protocol):
    """The writing side. Every write is durable and visible when it returns; there is one writer per index.

    An entry replaces the one of the same id whatever its version: who writes compares versions (architecture §2.1).
    """

    def prepare(self) -> None:
        """Create the index if there is none of this release's schema; leaves an existing one alone."""
        ...

    def write(self, entry: SearchEntry) -> None:
        """Put the entry, in place of the document's former one."""
        ...

    def write_all(self, entries: Iterable[SearchEntry]) -> int:
        """Put many entries, much faster than one by one; answers how many. After a fault some may not be in."""
        ...

    def remove(self, document_id: str) -> None:
        """Take the document out; no error if it is not in."""
        ...

    def reset(self) -> None:
        """Throw everything away and start a new generation, also when the index is broken."""
        ...

    def repair(self, *, thorough: bool = False) -> bool:
        """Set a damaged index aside and begin an empty one, a new generation; whether that was necessary.

        `thorough` reads everything, which takes a while; otherwise what keeps the index from opening is found.
        """
        ...

    def close(self) -> None:
        """Let go of the writer's lock, so that another process may write."""
        ...
