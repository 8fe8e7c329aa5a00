"""The search of the Meilisearch stand-in: filters, matching and ranking as documented, without an index.

Sources: https://www.meilisearch.com/docs/capabilities/full_text_search/relevancy/ranking_rules (buckets, in order),
…/relevancy/typo_tolerance_settings (typos by length, none in phrases, two for a first letter, words written as one),
…/full_text_search/getting_started/phrase_search, …/how_to/use_matching_strategy, and
…/filtering_sorting_faceting/advanced/filter_expression_syntax (equality without regard to case).
Not emulated: tokenizers of single languages, words split in two, synonyms, the limits of derivations, time cut-offs.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Any

Document = dict[str, Any]
MOST_TERMS = 10
BETWEEN_VALUES = 8
FARTHEST = 4
MOST_POSITIONS = 65_535
LONGEST_FILTERED = 468


class Invalid(Exception):
    """A request that the server refuses; `code` is the documented one without its `search` or `document`."""


def normalized(value: object) -> object:
    """As filters compare: numbers as numbers, texts without regard to case and compatibility forms."""
    if isinstance(value, bool | int | float):
        return float(value)
    return unicodedata.normalize("NFKD", str(value).strip()).lower()[:LONGEST_FILTERED]


def words_of(text: str) -> list[str]:
    plain = unicodedata.normalize("NFKD", text).lower()
    return re.findall(r"[^\W_]+", "".join(each for each in plain if not unicodedata.combining(each)))


@dataclass
class Indexed:
    """A document with the places of its words: word → [(attribute, position)]."""

    document: Document
    searchable: Sequence[str]

    @cached_property
    def places(self) -> dict[str, list[tuple[int, int]]]:
        found: dict[str, list[tuple[int, int]]] = {}
        for rank, name in enumerate(self.searchable):
            position = 0
            for value in _values(self.document.get(name)):
                for word in words_of(str(value)):
                    if position < MOST_POSITIONS:
                        found.setdefault(word, []).append((rank, position))
                    position += 1
                position += BETWEEN_VALUES
        return found

    @cached_property
    def by_length(self) -> dict[int, list[str]]:
        found: dict[int, list[str]] = {}
        for word in self.places:
            found.setdefault(len(word), []).append(word)
        return found


def _values(value: object) -> list[object]:
    return value if isinstance(value, list) else [] if value is None else [value]


# Filters

_TOKEN = re.compile(r"""\s*(?:(\()|(\))|("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')|(>=|<=|!=|=|<|>)|([\w.-]+))""")


@dataclass
class Filter:
    """One expression; parsed while it is evaluated, from the loosest operator to the tightest."""

    text: str
    filterable: Sequence[str]
    tokens: list[tuple[str, str]] = field(default_factory=list)
    at: int = 0

    def __post_init__(self) -> None:
        place = 0
        text = self.text.rstrip()
        while place < len(text):
            match = _TOKEN.match(text, place)
            if match is None:
                raise Invalid(f"filter: {text[place : place + 20]!r} is not understood")
            place = match.end()
            kinds = ("open", "close", "quoted", "operator", "word")
            self.tokens.append(next((kind, got) for kind, got in zip(kinds, match.groups(), strict=True) if got))

    def holds(self, document: Document) -> bool:
        self.at = 0
        result = self._any(document)
        if self.at != len(self.tokens):
            raise Invalid(f"filter: found {self.tokens[self.at][1]!r} after the end of {self.text!r}")
        return result

    def _is(self, *keywords: str) -> bool:
        ahead = [text for _, text in self.tokens[self.at : self.at + len(keywords)]]
        if ahead == list(keywords):
            self.at += len(keywords)
            return True
        return False

    def _any(self, document: Document) -> bool:
        result = self._all(document)
        while self._is("OR"):
            other = self._all(document)
            result = result or other
        return result

    def _all(self, document: Document) -> bool:
        result = self._one(document)
        while self._is("AND"):
            other = self._one(document)
            result = result and other
        return result

    def _one(self, document: Document) -> bool:
        if self._is("NOT"):
            return not self._one(document)
        if self._is("("):
            result = self._any(document)
            if not self._is(")"):
                raise Invalid("filter: a parenthesis is not closed")
            return result
        return self._condition(document)

    def _condition(self, document: Document) -> bool:
        _, name = self._next()
        if name not in self.filterable:
            raise Invalid(f"filter: attribute `{name}` is not filterable")
        if self._is("EXISTS"):
            return name in document
        if self._is("NOT", "EXISTS"):
            return name not in document
        kind, operator = self._next()
        if kind != "operator":
            raise Invalid(f"filter: no operator after `{name}`")
        return _compared(operator, _values(document.get(name)), self._value())

    def _value(self) -> str:
        kind, text = self._next()
        if kind == "quoted":
            return re.sub(r"\\(.)", r"\1", text[1:-1])
        if kind != "word":
            raise Invalid("filter: a value is missing")
        return text

    def _next(self) -> tuple[str, str]:
        if self.at >= len(self.tokens):
            raise Invalid("filter: it ends too soon")
        self.at += 1
        return self.tokens[self.at - 1]


def _compared(operator: str, values: Sequence[object], wanted: str) -> bool:
    equal = any(
        normalized(value) == normalized(wanted) or (isinstance(value, int | float) and _number(wanted) == value)
        for value in values
    )
    if operator in ("=", "!="):
        return equal == (operator == "=")
    bound = _number(wanted)
    if bound is None:
        raise Invalid("filter: only numbers are compared here")
    numbers = [value for value in values if isinstance(value, int | float)]
    tests = {">=": bound.__le__, "<=": bound.__ge__, ">": bound.__lt__, "<": bound.__gt__}
    return any(tests[operator](float(number)) is True for number in numbers)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def filtered(documents: Sequence[Indexed], wanted: object, filterable: Sequence[str]) -> list[Indexed]:
    """`wanted` is an expression, or several that must all hold."""
    expressions = [wanted] if isinstance(wanted, str) else list(wanted) if isinstance(wanted, list) else []
    filters = [Filter(expression, filterable) for expression in expressions]
    if not documents:
        for each in filters:
            each.holds({})
    return [each for each in documents if all(filter_.holds(each.document) for filter_ in filters)]


# Matching


@dataclass(frozen=True)
class Term:
    """A word, or a phrase (more words, or one in quotes: no typos, no prefix)."""

    words: tuple[str, ...]
    phrase: bool = False
    prefix: bool = False


@dataclass(frozen=True)
class Match:
    typos: int
    exact: bool
    places: tuple[tuple[int, int], ...]


def terms_of(query: str) -> tuple[list[Term], list[Term]]:
    """What is wanted and what is excluded. The last word is a prefix unless something follows it, be it a blank."""
    wanted: list[Term] = []
    excluded: list[Term] = []
    items = list(re.finditer(r'(?:(?<=\s)|^)(-)?(?:"([^"]*)(?:"|$)|([^\s"]+))|"([^"]*)(?:"|$)', query))
    for item in items:
        phrase = item[2] if item[2] is not None else item[4]
        words = tuple(words_of(phrase if phrase is not None else item[3]))
        last = item.end() == len(query) and phrase is None
        made = [Term(words, phrase=True)] if phrase is not None and words else []
        if phrase is None:
            made = [Term((word,), prefix=last and place == len(words) - 1) for place, word in enumerate(words)]
        (excluded if item[1] else wanted).extend(made)
    return wanted[:MOST_TERMS], excluded


@dataclass
class Matcher:
    """Matches by the typo settings of an index."""

    typos: Mapping[str, Any]
    searchable: Sequence[str]

    def __post_init__(self) -> None:
        names = self.typos["disableOnAttributes"]
        self.strict = {rank for rank, name in enumerate(self.searchable) if name in names}

    def allowed(self, word: str) -> int:
        sizes = self.typos["minWordSizeForTypos"]
        if not self.typos["enabled"] or (self.typos["disableOnNumbers"] and word.isnumeric()):
            return 0
        return 0 if len(word) < sizes["oneTypo"] else 1 if len(word) < sizes["twoTypos"] else 2

    def match(self, term: Term, indexed: Indexed) -> Match | None:
        """The best way in which the document has the term."""
        if term.phrase:
            places = tuple(_phrase_places(term.words, indexed))
            return Match(0, True, places) if places else None
        return self._word(term.words[0], indexed, prefix=term.prefix, allowed=self.allowed(term.words[0]))

    def together(self, terms: Sequence[Term], indexed: Indexed) -> Match | None:
        """Neighbouring words written as one, which counts as a typo each."""
        word = "".join(term.words[0] for term in terms)
        extra = len(terms) - 1
        found = self._word(word, indexed, prefix=terms[-1].prefix, allowed=max(0, self.allowed(word) - extra))
        return Match(found.typos + extra, False, found.places) if found else None

    def _word(self, word: str, indexed: Indexed, *, prefix: bool, allowed: int) -> Match | None:
        exact = indexed.places.get(word)
        if exact:
            return Match(0, True, tuple(exact))
        if prefix:
            begun = [place for each, places in indexed.places.items() if each.startswith(word) for place in places]
            if begun:
                return Match(0, False, tuple(sorted(begun)))
        return self._close(word, indexed, prefix=prefix, allowed=allowed)

    def _close(self, word: str, indexed: Indexed, *, prefix: bool, allowed: int) -> Match | None:
        best: Match | None = None
        if not allowed:
            return None
        for length, others in indexed.by_length.items():
            if length < len(word) - allowed or (not prefix and length > len(word) + allowed):
                continue
            for other in others:
                cost = _distance(word, other, allowed, prefix=prefix)
                places = [place for place in indexed.places[other] if place[0] not in self.strict]
                if cost <= allowed and places and (best is None or cost < best.typos):
                    best = Match(cost, False, tuple(places))
        return best


def _phrase_places(words: Sequence[str], indexed: Indexed) -> Iterator[tuple[int, int]]:
    following = [set(indexed.places.get(word, ())) for word in words[1:]]
    for rank, position in indexed.places.get(words[0], ()):
        if all((rank, position + 1 + index) in places for index, places in enumerate(following)):
            yield rank, position


def _distance(typed: str, word: str, most: int, *, prefix: bool) -> int:
    """Letters wrong, missing, too many or swapped; a wrong first letter counts twice."""
    first = 0 if typed[0] == word[0] else 1
    before: list[int] = []
    row = list(range(len(typed) + 1))
    best = row[-1]
    for column, letter in enumerate(word, 1):
        following = [column]
        for index, other in enumerate(typed):
            cost = min(row[index + 1] + 1, following[index] + 1, row[index] + (letter != other))
            if index and before and letter == typed[index - 1] and word[column - 2] == other:
                cost = min(cost, before[index - 1] + 1)
            following.append(cost)
        before, row = row, following
        best = min(best, row[-1])
        if min(row) > most:
            break
    return (best if prefix else row[-1]) + first


# Ranking


@dataclass
class Ranking:
    """Bucket sort by the index's ranking rules, as one key per document."""

    matcher: Matcher
    rules: Sequence[str]

    def key(self, terms: Sequence[Term], indexed: Indexed, sort: Sequence[str]) -> tuple[Any, ...] | None:
        """None where the document lacks a term; of the ways to write words together, the best."""
        ways = (self._matches(way, indexed) for way in _ways(terms))
        keys = [self._key(terms, matches, indexed, sort) for matches in ways if matches is not None]
        return min(keys) if keys else None

    def _matches(self, way: Sequence[Sequence[Term]], indexed: Indexed) -> list[Match] | None:
        found = []
        for group in way:
            together = len(group) > 1
            match = self.matcher.together(group, indexed) if together else self.matcher.match(group[0], indexed)
            if match is None:
                return None
            found.append(match)
        return found

    def _key(
        self, terms: Sequence[Term], matches: Sequence[Match], indexed: Indexed, sort: Sequence[str]
    ) -> tuple[Any, ...]:
        return tuple(self._rule(rule, terms, matches, indexed, sort) for rule in self.rules)

    def _rule(
        self, rule: str, terms: Sequence[Term], matches: Sequence[Match], indexed: Indexed, sort: Sequence[str]
    ) -> Any:
        match rule:
            case "words":
                return 0  # those without some of the terms come after all of these
            case "typo":
                return sum(match.typos for match in matches)
            case "proximity":
                return sum(_near(one.places, two.places) for one, two in pairwise(matches))
            case "exactness":
                return (not _is_whole(terms, indexed), sum(not match.exact for match in matches))
            case "attribute":
                return [min(match.places) for match in matches]
            case "sort":
                return tuple(_sort_key(each, indexed.document) for each in sort)
        return _sort_key(rule, indexed.document)


def _ways(terms: Sequence[Term]) -> Iterator[list[list[Term]]]:
    """All ways to take up to three neighbouring words as one; phrases stand alone."""
    if not terms:
        yield []
        return
    for size in range(1, min(3, len(terms)) + 1):
        group = list(terms[:size])
        if size > 1 and any(term.phrase for term in group):
            return
        for rest in _ways(terms[size:]):
            yield [group, *rest]


def _near(one: Sequence[tuple[int, int]], two: Sequence[tuple[int, int]]) -> int:
    best = FARTHEST
    for rank, position in one[:200]:
        for other_rank, other in two[:200]:
            if rank == other_rank:
                best = min(best, other - position if position <= other else position - other + 1)
    return best


def _is_whole(terms: Sequence[Term], indexed: Indexed) -> bool:
    """Whether a value of an attribute is the query and nothing else."""
    words = [word for term in terms for word in term.words]
    values = (value for name in indexed.searchable for value in _values(indexed.document.get(name)))
    return any(words_of(str(value)) == words for value in values if len(str(value)) < 200)


class _Descending:
    def __init__(self, value: Any) -> None:
        self.value = value

    def __lt__(self, other: "_Descending") -> bool:
        return bool(other.value < self.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Descending) and bool(other.value == self.value)


def _sort_key(rule: str, document: Document) -> tuple[bool, Any]:
    """Documents without the attribute come last."""
    name, _, direction = rule.partition(":")
    value = document.get(name)
    key = normalized(value) if value is not None else 0.0
    return value is None, _Descending(key) if direction == "desc" else key


# A whole search


def found(
    documents: Sequence[Indexed], settings: Mapping[str, Any], query: Mapping[str, Any]
) -> list[tuple[Document, float]]:
    """The documents of the result, best first, with a score that only falls."""
    candidates = filtered(documents, query.get("filter"), settings["filterableAttributes"])
    wanted, excluded = terms_of(query.get("q") or "")
    matcher = Matcher(settings["typoTolerance"], settings["searchableAttributes"])
    exact = Matcher(settings["typoTolerance"] | {"enabled": False}, settings["searchableAttributes"])
    candidates = [
        each for each in candidates if not any(exact.match(Term(term.words, phrase=True), each) for term in excluded)
    ]
    ranking = Ranking(matcher, settings["rankingRules"])
    keyed: list[tuple[int, Any, int]] = []
    left = dict(enumerate(candidates))
    for missing, terms in enumerate(_dropping(wanted, query["matchingStrategy"], candidates, matcher)):
        keys = {place: ranking.key(terms, each, query.get("sort") or []) for place, each in left.items()}
        keyed.extend((missing, key, place) for place, key in keys.items() if key is not None)
        left = {place: each for place, each in left.items() if keys[place] is None}
    keyed.sort(key=lambda item: (item[1][0] if query.get("sort") else (), item[0], item[1], item[2]))
    return [(candidates[place].document, 1 / (rank + 1)) for rank, (_, _, place) in enumerate(keyed)]


def _dropping(
    terms: list[Term], strategy: str, candidates: Sequence[Indexed], matcher: Matcher
) -> Iterator[list[Term]]:
    """All terms; then, unless all must match, fewer: without the last ones, or without the most frequent ones."""
    yield terms
    left = list(terms)
    while strategy != "all" and len(left) > 1:
        if strategy == "frequency":
            counts = [sum(matcher.match(term, each) is not None for each in candidates) for term in left]
            left = [term for place, term in enumerate(left) if place != counts.index(max(counts))]
        else:
            left = left[:-1]
        yield left


def distribution(documents: Sequence[Document], name: str, most: int) -> dict[str, int]:
    """How many documents have each value; values that filters hold for the same are counted together."""
    counts: Counter[object] = Counter()
    shown: dict[object, str] = {}
    for document in documents:
        for key in {normalized(value): value for value in _values(document.get(name))}.items():
            counts[key[0]] += 1
            shown.setdefault(key[0], str(key[1]))
    return {shown[key]: count for key, count in counts.most_common(most)}
