"""The fields of the embedded index, and how an entry becomes documents of it."""

import json
from collections.abc import Iterator
from datetime import date, datetime

import tantivy

from shared.search import analyzer
from shared.search.hits import is_long, source
from shared.search.port import SearchEntry

SCHEMA = "1"
"""Changes whenever fields or terms change: a new number is a new index, filled from the database."""

ENTRY, PAGE = "entry", "page"

_EPOCH = date(1970, 1, 1)
_DAYS_OF_WEIGHT = 365_250.0


def build_schema() -> tantivy.Schema:
    """`body` has every term in order; `codes` and `tails` are the analyzer's; `page_*` the same for single pages."""
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("document_id", stored=True, tokenizer_name="raw", index_option="basic")
    for name in ("kind", "page_of"):
        builder.add_text_field(name, tokenizer_name="raw", index_option="basic")
    for name in ("owner", "status", "document_type", "sender", "tag", "language", "sort_title"):
        builder.add_text_field(name, fast=True, tokenizer_name="raw", index_option="basic")
    for name in ("version", "year", "day", "received"):
        builder.add_unsigned_field(name, indexed=True, fast=True)
    builder.add_float_field("recency", fast=True)
    for name in ("body", "title", "names", "page_body"):
        builder.add_text_field(name, tokenizer_name="whitespace", index_option="position")
    for name in ("codes", "tails", "page_codes", "page_tails"):
        builder.add_text_field(name, tokenizer_name="whitespace", index_option="basic")
    builder.add_bytes_field("source", stored=True)
    return builder.build()


def documents(entry: SearchEntry) -> Iterator[tantivy.Document]:
    """The entry's documents: one, and one per page if it is long."""
    yield _entry_document(entry)
    if is_long(entry):
        for number, text in entry.pages:
            yield _page_document(entry.document_id, number, text)


def _entry_document(entry: SearchEntry) -> tantivy.Document:
    document = tantivy.Document()
    document.add_text("document_id", entry.document_id)
    document.add_text("kind", ENTRY)
    document.add_unsigned("version", entry.version)
    _add_filters(document, entry)
    _add_dates(document, entry)
    _add_text(document, entry)
    document.add_bytes("source", json.dumps(source(entry), ensure_ascii=False).encode("utf-8", "replace"))
    return document


def _add_filters(document: tantivy.Document, entry: SearchEntry) -> None:
    document.add_text("owner", entry.owner)
    document.add_text("status", entry.status.value)
    for name, value in (
        ("document_type", entry.document_type),
        ("sender", entry.sender),
        ("language", entry.language),
    ):
        if value:
            document.add_text(name, value)
    for tag in dict.fromkeys(entry.tags):
        document.add_text("tag", tag)
    document.add_text("sort_title", " ".join(analyzer.body_terms(entry.title or entry.filename or "")))


def _add_dates(document: tantivy.Document, entry: SearchEntry) -> None:
    received = entry.received_at.date()
    if entry.document_date:
        document.add_unsigned("year", entry.document_date.year)
    document.add_unsigned("day", day_number(entry.document_date or received))
    document.add_unsigned("received", microseconds(entry.received_at))
    document.add_float("recency", _recency(min(entry.document_date or received, received)))


def day_number(day: date) -> int:
    """A date as a number that sorts."""
    return day.toordinal()


def microseconds(moment: datetime) -> int:
    """A time with its zone as microseconds since 1970 (earlier ones count as 1970)."""
    return max(0, int(moment.timestamp() * 1_000_000))


def _recency(day: date) -> float:
    """0 to 0.2 between 1970 and 2170: hardly more than a tie-breaker (the score is multiplied by log2(2 + this))."""
    return min(max((day - _EPOCH).days, 0) / _DAYS_OF_WEIGHT, 0.2)


def _add_text(document: tantivy.Document, entry: SearchEntry) -> None:
    names = [value for value in (entry.sender, entry.recipient, entry.reference_number, *entry.tags) if value]
    names.extend(value for value in (entry.filename,) if value)
    if entry.title:
        document.add_text("title", " ".join(analyzer.body_terms(entry.title)))
    for name in names:
        document.add_text("names", " ".join(analyzer.body_terms(name)))
    values = [value for value in (entry.title, *names, entry.summary) if value]
    values.extend(text for _, text in entry.pages)
    _add_terms(document, "", values)


def _page_document(document_id: str, number: int, text: str) -> tantivy.Document:
    document = tantivy.Document()
    document.add_text("page_of", document_id)
    document.add_text("kind", PAGE)
    _add_terms(document, "page_", [text])
    document.add_bytes("source", json.dumps([number, text], ensure_ascii=False).encode("utf-8", "replace"))
    return document


def _add_terms(document: tantivy.Document, prefix: str, values: list[str]) -> None:
    """Each value on its own, so that no phrase is found across two of them."""
    for value in values:
        analysis = analyzer.analyze(value)
        document.add_text(f"{prefix}body", analysis.body)
        document.add_text(f"{prefix}codes", analysis.codes)
        document.add_text(f"{prefix}tails", analysis.tails)
