"""How a typed query is read: words, phrases, exclusions, prefixes. Pure, and without such a thing as a syntax error."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import groupby

from shared.search import analyzer

LONGEST_QUERY = 1_024
"""Characters that are read; the rest is ignored."""

MOST_CLAUSES = 24
"""Words and phrases that are looked for; the rest is ignored."""

_QUOTES = str.maketrans("„“”‟«»〝〞＂", '"' * 9)
_ITEM = re.compile(r'(?<!\S)(?P<minus>-?)"(?P<phrase>[^"]*)(?P<closed>"?)|(?P<word>\S+)')
_LONGEST_GROUP = 34
"""Characters of an IBAN; groups of digits that are longer together are not one number."""


@dataclass(frozen=True, slots=True)
class Clause:
    """One thing that a document has or has not.

    `terms` stand one after the other (with `open_end` the last one may be the beginning of a term). Or the document
    has `code` as a term or code; or a term or code that begins with one of `openings`; or, with `parts`, a word that
    contains one of them; or a term at most `typos` letters away (with `unfinished`, from the beginning of the term).
    """

    terms: tuple[str, ...]
    open_end: bool = False
    code: str = ""
    openings: tuple[str, ...] = ()
    parts: bool = False
    typos: int = 0
    unfinished: bool = False


@dataclass(frozen=True, slots=True)
class Unit:
    """Clauses that must all match; or, if they may be the groups of one number, their `joined` clause."""

    clauses: tuple[Clause, ...]
    joined: Clause | None = None


@dataclass(frozen=True, slots=True)
class ParsedQuery:
    """`impossible` says that something was typed that no text can match (an emoji alone), which finds nothing."""

    units: tuple[Unit, ...] = ()
    excluded: tuple[Clause, ...] = ()
    impossible: bool = False

    @property
    def clauses(self) -> tuple[Clause, ...]:
        """Everything that a document may be found by, and is marked for."""
        return tuple(
            clause for unit in self.units for clause in (*unit.clauses, *((unit.joined,) if unit.joined else ()))
        )


@dataclass(frozen=True, slots=True)
class _Item:
    clause: Clause
    exclude: bool
    plain: bool


def parse(text: str) -> ParsedQuery:
    """Read what was typed into the one search box."""
    typed = text[:LONGEST_QUERY].translate(_QUOTES).replace("\0", " ")
    items = list(_items(typed))[:MOST_CLAUSES]
    wanted = [item for item in items if not item.exclude]
    return ParsedQuery(
        units=tuple(_units(wanted)),
        excluded=tuple(item.clause for item in items if item.exclude),
        impossible=not items and typed.strip(' \t\r\n"*-') != "",
    )


def _items(typed: str) -> Iterator[_Item]:
    for match in _ITEM.finditer(typed):
        last = match.end() == len(typed)
        if match["phrase"] is not None:
            yield from _phrase(match["phrase"], exclude=bool(match["minus"]), unfinished=last and not match["closed"])
        else:
            yield from _words(match["word"], last=last)


def _phrase(text: str, *, exclude: bool, unfinished: bool) -> Iterator[_Item]:
    terms = tuple(analyzer.body_terms(text))
    if not terms:
        return
    terms, open_end = _ended(terms, text)
    clause = Clause(terms, open_end=open_end)
    if unfinished and not exclude and not text.endswith(" "):
        clause = replace(clause, open_end=True)
    yield _Item(clause, exclude, plain=False)


def _words(word: str, *, last: bool) -> Iterator[_Item]:
    exclude = word.startswith("-") and len(word) > 1
    star = word.endswith("*")
    chunks = analyzer.CHUNK.findall(word)
    for index, chunk in enumerate(chunks):
        ends = index == len(chunks) - 1
        if exclude:
            yield from _excluded(chunk, star=star and ends)
        else:
            yield from _wanted(chunk, star=star and ends, last=last and ends)


def _excluded(chunk: str, *, star: bool) -> Iterator[_Item]:
    terms, open_end = _ended(tuple(analyzer.body_terms(chunk)), chunk)
    if terms:
        openings = analyzer.openings(_folded(chunk)) if star else ()
        yield _Item(Clause(terms, open_end=open_end, code=analyzer.join(chunk), openings=openings), True, plain=False)


def _wanted(chunk: str, *, star: bool, last: bool) -> Iterator[_Item]:
    terms, open_end = _ended(tuple(analyzer.body_terms(chunk)), chunk)
    if not terms:
        return
    if analyzer.is_unspaced(chunk):
        yield _Item(Clause(terms, open_end=open_end), exclude=False, plain=False)
        return
    folded = _folded(chunk)
    code = analyzer.join(chunk)
    part = len(folded) >= analyzer.shortest_part(folded)
    clause = Clause(
        terms,
        code=code,
        openings=analyzer.openings(folded) if star or last or part else (),
        parts=part and not star,
        typos=0 if star else analyzer.typos(code),
        unfinished=last,
    )
    yield _Item(clause, exclude=False, plain=not star)


def _folded(chunk: str) -> str:
    return "".join(analyzer.fold(word) for word in analyzer.WORD.findall(chunk))


def _ended(terms: tuple[str, ...], text: str) -> tuple[tuple[str, ...], bool]:
    """Adapt the end of unspaced scripts: a text that goes on there has other terms than the query, which stops."""
    last = analyzer.WORD.findall(text)[-1:] if terms else []
    if not last or not analyzer.is_unspaced(last[0][-1:]):
        return terms, False
    if len(terms) > 1 and len(terms[-2]) == 2 and terms[-2].endswith(terms[-1]):
        return terms[:-1], False
    return terms, True


def _units(items: list[_Item]) -> Iterator[Unit]:
    for grouped, run in groupby(items, key=_may_be_group):
        clauses = tuple(item.clause for item in run)
        joined = _number(clauses) if grouped else None
        if joined:
            yield Unit(clauses, joined)
        else:
            yield from (Unit((clause,)) for clause in clauses)


def _may_be_group(item: _Item) -> bool:
    code = item.clause.code
    return item.plain and bool(code) and (len(code) <= 4 or analyzer.has_digit(code))


def _number(clauses: tuple[Clause, ...]) -> Clause | None:
    code = "".join(clause.code for clause in clauses)
    if len(clauses) < 2 or not 5 <= len(code) <= _LONGEST_GROUP or not analyzer.has_digit(code):
        return None
    return Clause((code,), code=code, openings=(code,), parts=True)
