"""Parsed queries and filters in the words of Meilisearch. Pure.

Terms are letters and digits only, filter values hexadecimal or numbers: nothing typed can be read as syntax. Beyond its
typo tolerance the server knows: a phrase in quotes, which is exact; `-` before a word or phrase; the last word of a
query as the beginning of a word; neighbouring words written as one. A query has ten terms at most, or phrases.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum

from shared.documents import Status
from shared.search import analyzer
from shared.search.meilisearch_schema import ENTRY, PAGE, character, exact, number_of, plain
from shared.search.port import Ordering, SearchQuery
from shared.search.query import Clause, ParsedQuery, Unit

MOST_TERMS = 10

_SORT = {Ordering.DATE: "day", Ordering.RECEIVED: "received", Ordering.TITLE: "sort_title"}


class _End(IntEnum):
    """How much it matters that words are found which only begin so; the server does that for the last one."""

    CLOSED = 0
    PERHAPS_UNFINISHED = 1
    BEING_TYPED = 2
    ASKED_FOR = 3


@dataclass(frozen=True, slots=True)
class _Word:
    """One term of a query."""

    text: str
    end: _End = _End.CLOSED


def readings(parsed: ParsedQuery) -> list[str]:
    """The ways to ask for all units, best first: numbers and compounds as one code, then as the words they have."""
    return list(dict.fromkeys(_ask(parsed, parsed.units, as_codes=as_codes) for as_codes in (True, False)))


def single_units(parsed: ParsedQuery) -> list[str]:
    """The way to ask for each unit alone."""
    return [_ask(parsed, [unit], as_codes=True) for unit in parsed.units[:MOST_TERMS]]


def reading_of(parsed: ParsedQuery, units: Sequence[Unit]) -> str:
    """The way to ask for some of the units only."""
    return _ask(parsed, units, as_codes=True)


def clauses_alone(parsed: ParsedQuery) -> list[str]:
    """The way to ask for each clause alone, whatever is excluded: for the pages of a document that was found."""
    asked = (list(_wanted(clause, as_codes=as_codes)) for clause in parsed.clauses for as_codes in (True, False))
    return list(dict.fromkeys(_joined(words) for words in asked))


def _ask(parsed: ParsedQuery, units: Sequence[Unit], *, as_codes: bool) -> str:
    excluded = [word for clause in parsed.excluded for word in _excluded(clause)]
    wanted = [word for unit in units for word in _unit(unit, as_codes=as_codes)]
    return " ".join([*excluded, _joined(wanted[:MOST_TERMS])]).strip(" ") + (" " if _is_closed(wanted) else "")


def _joined(wanted: Sequence[_Word]) -> str:
    """What is only the beginning of a word goes to the end."""
    return " ".join(word.text for word in sorted(wanted, key=lambda word: word.end))


def _is_closed(wanted: Sequence[_Word]) -> bool:
    """A blank at the end tells the server that the last word is whole."""
    return bool(wanted) and not any(word.end for word in wanted)


def _unit(unit: Unit, *, as_codes: bool) -> Iterator[_Word]:
    if unit.joined and not as_codes:
        yield from _wanted(unit.joined, as_codes=True)
        return
    for clause in unit.clauses:
        yield from _wanted(clause, as_codes=as_codes)


def _wanted(clause: Clause, *, as_codes: bool) -> Iterator[_Word]:
    if clause.code and (as_codes or len(clause.terms) == 1):
        yield _word(clause.code, _end(clause))
    elif clause.open_end and not _is_unspaced(clause) and len(clause.terms) > 1:
        yield _phrase(clause.terms[:-1])
        yield _word(clause.terms[-1], _End.BEING_TYPED)
    elif clause.code:
        yield _phrase(clause.terms[:-1])
        yield _word(clause.terms[-1], _end(clause))
    else:
        yield _phrase(clause.terms)


def _excluded(clause: Clause) -> Iterator[str]:
    yield f"-{_phrase(clause.terms).text}"
    if clause.code and len(clause.terms) > 1:
        yield f"-{plain(clause.code)}"


def _end(clause: Clause) -> _End:
    """An asterisk asks for it, the last word is being typed, and a number may be a piece of a longer one."""
    if clause.unfinished:
        return _End.BEING_TYPED
    if clause.openings and not clause.parts and not clause.typos:
        return _End.ASKED_FOR
    return _End.PERHAPS_UNFINISHED if clause.parts and analyzer.has_digit(clause.code) else _End.CLOSED


def _is_unspaced(clause: Clause) -> bool:
    return analyzer.is_unspaced(clause.terms[-1])


def _word(term: str, end: _End) -> _Word:
    """Quotes keep typos out of what has digits; the server itself does that for numbers, which may be unfinished."""
    if analyzer.has_digit(term) and not term.isdecimal():
        return _Word(f'"{plain(term)}"')
    return _Word(plain(term), end)


def _phrase(terms: Sequence[str]) -> _Word:
    return _Word(f'"{" ".join(word for term in _pieces(terms) for word in term)}"')


def _pieces(terms: Sequence[str]) -> Iterator[list[str]]:
    """Pairs of characters overlap: of each its first one, of the last one both."""
    for index, term in enumerate(terms):
        if not analyzer.is_unspaced(term):
            yield [plain(term)]
        else:
            goes_on = index + 1 < len(terms) and analyzer.is_unspaced(terms[index + 1])
            yield [character(each) for each in (term[:1] if goes_on else term)]


def filters(query: SearchQuery) -> list[str]:
    """What narrows the result; all of it must hold."""
    values = [
        ("owner", query.owner),
        ("document_type", query.document_type),
        ("sender", query.sender),
        ("language", query.language),
        *(("tag", tag) for tag in query.tags),
    ]
    return [
        f"kind = {ENTRY}",
        f"status != {Status.TRASHED.value}",
        *([f"status = {query.status.value}"] if query.status else []),
        *(f"{name} = {_quoted(exact(value))}" for name, value in values if value is not None),
        *_ranges(query),
    ]


def _quoted(value: str) -> str:
    return f'"{value}"'


def _ranges(query: SearchQuery) -> Iterator[str]:
    days = [day.toordinal() if day else None for day in (query.date_from, query.date_to)]
    moments = [number_of(moment) if moment else None for moment in (query.received_from, query.received_to)]
    if any(day is not None for day in days):
        # Only documents with a date of their own have a year; `day` falls back on the day of receipt.
        yield "year EXISTS"
    for name, (lower, upper) in (("day", days), ("received", moments)):
        if lower is not None:
            yield f"{name} >= {lower}"
        if upper is not None:
            yield f"{name} <= {upper}"


def of_document(document_id: str) -> str:
    """The entry and the pages of a document."""
    return f"document = {_quoted(exact(document_id))}"


def pages_of(document_id: str, version: int) -> list[str]:
    """The pages of this version of a document."""
    return [of_document(document_id), f"kind = {PAGE}", f"version = {version}"]


def stale_pages(document_id: str, version: int, last: int) -> str:
    """The pages of versions before this one, and those after its last; never those of a later version."""
    return (
        f"({of_document(document_id)} AND kind = {PAGE} "
        f"AND (version < {version} OR (version = {version} AND number > {last})))"
    )


def order(query: SearchQuery, parsed: ParsedQuery) -> list[str]:
    """What to sort by; nothing where the ranking decides. Without words the newest come first."""
    if query.ordering is not Ordering.RELEVANCE:
        ordering = query.ordering
    elif parsed.units:
        return []
    else:
        ordering = Ordering.RECEIVED_NEWEST
    name = _SORT[Ordering(ordering.removeprefix("-"))]
    return [f"{name}:{'desc' if ordering.startswith('-') else 'asc'}"]
