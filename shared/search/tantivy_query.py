"""Parsed queries and filters as queries of the embedded index."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from tantivy import FieldType, Occur, Query, Schema

from shared.documents import Status
from shared.search.port import SearchQuery
from shared.search.query import Clause, ParsedQuery, Unit
from shared.search.tantivy_schema import ENTRY, PAGE, day_number, microseconds

# An exact match always precedes one by its beginning, that one by a part, that by a typo. The statistical score (rare
# words, frequent in a short text; title and names more than the body) orders what is alike in this.
_EXACT, _OPENING, _PART, _TYPO = 20.0, 8.0, 5.0, 2.0
_BODY_WEIGHT, _NAMES_WEIGHT, _TITLE_WEIGHT = 0.6, 2.0, 3.0
_TITLE_OPENING = 3.0
_SEQUENCE = 10.0
_LONGEST_SEQUENCE = 8

_Part = tuple[Occur, Query]


@dataclass(frozen=True, slots=True)
class QueryBuilder:
    """Builds queries on the entries, or with `prefix` "page_" on the single pages of long documents."""

    schema: Schema
    prefix: str = ""

    def strict(self, parsed: ParsedQuery, filters: Sequence[_Part]) -> Query:
        """Every word must match."""
        units: list[_Part] = [(Occur.Must, self._unit(unit)) for unit in parsed.units]
        return self._whole(units or [(Occur.Must, self._anything())], parsed, filters)

    def relaxed(self, parsed: ParsedQuery, filters: Sequence[_Part], at_least: int) -> Query:
        """At least so many of the words must match."""
        units = [(Occur.Should, self._unit(unit)) for unit in parsed.units]
        some = Query.boolean_query(units, minimum_number_should_match=at_least)
        return self._whole([(Occur.Must, some)], parsed, filters)

    def pages(self, clauses: Sequence[Clause], document_id: str) -> Query:
        """Pages of one long document that match anything of the query."""
        wanted = Query.boolean_query([(Occur.Should, self._clause(clause)) for clause in clauses])
        return Query.boolean_query(
            [(Occur.Must, wanted), self._filter("page_of", document_id), self._filter("kind", PAGE)]
        )

    def _whole(self, wanted: list[_Part], parsed: ParsedQuery, filters: Sequence[_Part]) -> Query:
        excluded = [(Occur.MustNot, query) for clause in parsed.excluded for query in self._excluded(clause)]
        return Query.boolean_query([*wanted, *filters, *excluded, *self._sequence(parsed)])

    def filters(self, query: SearchQuery) -> list[_Part]:
        """What narrows the result; does not count for the score."""
        exact = [
            ("owner", query.owner),
            ("status", query.status.value if query.status else None),
            ("document_type", query.document_type),
            ("sender", query.sender),
            ("language", query.language),
            *(("tag", tag) for tag in query.tags),
        ]
        return [
            self._filter("kind", ENTRY),
            (Occur.MustNot, self._term("status", Status.TRASHED.value)),
            *(self._filter(name, value) for name, value in exact if value is not None),
            *self._ranges(query),
        ]

    def _ranges(self, query: SearchQuery) -> Iterator[_Part]:
        days = [day_number(day) if day else None for day in (query.date_from, query.date_to)]
        moments = [microseconds(time) if time else None for time in (query.received_from, query.received_to)]
        if any(day is not None for day in days):
            # Only documents with a date of their own have a year; `day` falls back on the day of receipt.
            yield Occur.Must, Query.const_score_query(Query.exists_query("year"), 0.0)
        for name, (lower, upper) in (("day", days), ("received", moments)):
            if lower is not None or upper is not None:
                bounds = Query.range_query(self.schema, name, FieldType.Unsigned, lower, upper)
                yield Occur.Must, Query.const_score_query(bounds, 0.0)

    def _filter(self, field: str, value: str) -> _Part:
        return Occur.Must, Query.const_score_query(self._term(field, value), 0.0)

    def _anything(self) -> Query:
        return Query.const_score_query(Query.all_query(), 1.0)

    def _unit(self, unit: Unit) -> Query:
        if len(unit.clauses) == 1 and not unit.joined:
            return self._clause(unit.clauses[0])
        every = Query.boolean_query([(Occur.Must, self._clause(clause)) for clause in unit.clauses])
        joined = [self._clause(unit.joined)] if unit.joined else []
        boosted = [Query.boost_query(query, float(len(unit.clauses))) for query in joined]
        return Query.boolean_query([(Occur.Should, query) for query in (every, *boosted)])

    def _clause(self, clause: Clause) -> Query:
        found = [*self._exact(clause), *self._openings(clause), *self._typos(clause)]
        return Query.boolean_query([(Occur.Should, query) for query in found])

    def _exact(self, clause: Clause) -> Iterator[Query]:
        body = self._sequence_of(f"{self.prefix}body", clause.terms, open_end=clause.open_end)
        yield Query.const_score_query(body, _EXACT)
        if clause.code:
            yield Query.const_score_query(self._term(f"{self.prefix}codes", clause.code), _EXACT)
            if len(clause.terms) > 1:
                yield Query.const_score_query(self._term(f"{self.prefix}body", clause.code), _EXACT)
        if clause.open_end:
            return
        weights = ((f"{self.prefix}body", _BODY_WEIGHT), ("names", _NAMES_WEIGHT), ("title", _TITLE_WEIGHT))
        for field, weight in weights[:1] if self.prefix else weights:
            yield Query.boost_query(self._sequence_of(field, clause.terms), weight)

    def _openings(self, clause: Clause) -> Iterator[Query]:
        for opening in clause.openings:
            for field in ("body", "codes"):
                yield Query.const_score_query(self._beginning(f"{self.prefix}{field}", opening), _OPENING)
            if clause.parts:
                yield Query.const_score_query(self._beginning(f"{self.prefix}tails", opening), _PART)
            if not self.prefix:
                yield Query.const_score_query(self._beginning("title", opening), _TITLE_OPENING)

    def _typos(self, clause: Clause) -> Iterator[Query]:
        if not clause.typos:
            return
        for field in ("body", "codes") if len(clause.terms) > 1 else ("body",):
            close = Query.fuzzy_term_query(
                self.schema, f"{self.prefix}{field}", clause.code, clause.typos, True, clause.unfinished
            )
            yield Query.const_score_query(close, _TYPO)

    def _excluded(self, clause: Clause) -> Iterator[Query]:
        yield self._sequence_of("body", clause.terms, open_end=clause.open_end)
        if clause.code:
            yield self._term("codes", clause.code)
            yield self._term("body", clause.code)
        for opening in clause.openings:
            yield self._beginning("body", opening)

    def _sequence(self, parsed: ParsedQuery) -> Iterator[_Part]:
        """Words that stand together as they were typed count more."""
        terms = tuple(term for unit in parsed.units for clause in unit.clauses for term in clause.terms)
        if len(parsed.units) < 2 or len(terms) > _LONGEST_SEQUENCE or any(a == b for a, b in pairwise(terms)):
            return
        for field in ("body", "title"):
            yield Occur.Should, Query.const_score_query(self._sequence_of(field, terms), _SEQUENCE)

    def _sequence_of(self, field: str, terms: tuple[str, ...], *, open_end: bool = False) -> Query:
        if len(terms) == 1:
            return self._beginning(field, terms[0]) if open_end else self._term(field, terms[0])
        if open_end:
            return Query.phrase_prefix_query(self.schema, field, list(terms))
        return Query.phrase_query(self.schema, field, list(terms))

    def _beginning(self, field: str, term: str) -> Query:
        return Query.fuzzy_term_query(self.schema, field, term, 0, True, True)

    def _term(self, field: str, value: str) -> Query:
        return Query.term_query(self.schema, field, value)
