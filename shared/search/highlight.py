"""Which words of a text a query matched, and the excerpts around them. Pure; the same for every search engine."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from shared.search import analyzer
from shared.search.port import Snippet, SnippetPart
from shared.search.query import Clause

EXCERPT_CHARACTERS = 220
"""About how long a snippet is."""

EXACT, OPENING, PART, TYPO = 4.0, 2.0, 1.5, 1.0
"""What a match counts when the best page and the best excerpt are chosen."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Characters `start` to `end` of a text matched the clause with this index."""

    start: int
    end: int
    clause: int
    weight: float


@dataclass(frozen=True, slots=True)
class _Span:
    """What of a word matched: characters from the word's start, and how well."""

    start: int
    end: int
    weight: float


class _WordTest:
    """Whether a single word matches a clause; asked for every word of a result page, so the cheap tests come first."""

    __slots__ = ("_clause", "_inner", "_letters", "_longest", "_shortest", "index", "wanted")

    def __init__(self, index: int, clause: Clause) -> None:
        self.index = index
        self.wanted = clause.code if _is_sequence(clause) else clause.terms[0]
        self._clause = clause
        # A part may lose its first letter to the umlaut before it, so only the rest is looked for at first.
        self._inner = tuple(opening[1:] for opening in clause.openings) if clause.parts else ()
        self._letters = frozenset(clause.code)
        self._shortest = len(clause.code) - clause.typos
        self._longest = analyzer.LONGEST_TERM if clause.unfinished else len(clause.code) + clause.typos

    def span(self, word: str, terms: tuple[str, ...]) -> _Span | None:
        if self.wanted in terms:
            return _exact(self.wanted, word)
        if len(terms) != 1:
            return None
        term = terms[0]
        if term.startswith(self._clause.openings):
            return _Span(0, _covered(word, 0, self._clause.openings), OPENING)
        for inner in self._inner:
            if inner in term and (part := _part(self._clause, word)):
                return part
        return self._typo(word, term)

    def _typo(self, word: str, term: str) -> _Span | None:
        if not self._clause.typos or not self._shortest <= len(term) <= self._longest:
            return None
        if len(self._letters.difference(term)) > self._clause.typos or not _close(self._clause, term):
            return None
        return _Span(0, len(word), TYPO)


class Matcher:
    """Finds in a text what the clauses of one query match. Not to be shared between threads."""

    def __init__(self, clauses: Sequence[Clause]) -> None:
        self._clauses = tuple(clauses)
        self._seen: dict[str, tuple[tuple[int, _Span], ...]] = {}
        self._sequences = [(index, clause) for index, clause in enumerate(clauses) if _is_sequence(clause)]
        tests = (_WordTest(index, clause) for index, clause in enumerate(clauses))
        self._words = [test for test in tests if test.wanted]

    def marks(self, text: str) -> list[Mark]:
        """All matches in the text, by place; they may overlap."""
        if not self._clauses or not text:
            return []
        words = list(self._word_marks(text))
        found = [*words, *self._code_marks(text, words)]
        if self._sequences:
            found.extend(self._sequence_marks(text))
        return sorted(found, key=lambda mark: (mark.start, -mark.end))

    def _word_marks(self, text: str) -> Iterator[Mark]:
        if not self._words:
            return
        for match in analyzer.WORD.finditer(text):
            for index, span in self._in_word(match.group()):
                yield Mark(match.start() + span.start, match.start() + span.end, index, span.weight)

    def _in_word(self, word: str) -> tuple[tuple[int, _Span], ...]:
        seen = self._seen.get(word)
        if seen is None:
            terms = analyzer.terms_of(word)
            spans = ((test.index, test.span(word, terms)) for test in self._words)
            seen = self._seen[word] = tuple((index, span) for index, span in spans if span)
        return seen

    def _code_marks(self, text: str, words: Sequence[Mark]) -> Iterator[Mark]:
        clauses = [(index, clause) for index, clause in enumerate(self._clauses) if clause.code]
        if not clauses:
            return
        for piece in analyzer.codes(text):
            for index, clause in clauses:
                weight = _code_weight(clause, piece.term)
                if weight == EXACT or (weight and not _marked(words, index, piece)):
                    yield Mark(piece.start, piece.end, index, weight)

    def _sequence_marks(self, text: str) -> Iterator[Mark]:
        terms = analyzer.body_terms(text)
        firsts = [(clause, index, first) for index, clause in self._sequences for first in _occurrences(terms, clause)]
        pieces = analyzer.pieces(text) if firsts else []
        for clause, index, first in firsts:
            last = pieces[first + len(clause.terms) - 1]
            cut = last.start + len(clause.terms[-1]) if clause.open_end else last.end
            yield Mark(pieces[first].start, min(last.end, cut), index, EXACT)


def _marked(words: Iterable[Mark], clause: int, piece: analyzer.Piece) -> bool:
    """Whether one of the code's own words has the match, which says more than the whole code."""
    return any(mark.clause == clause and piece.start <= mark.start < piece.end for mark in words)


def _is_sequence(clause: Clause) -> bool:
    return len(clause.terms) > 1 or clause.open_end


def _exact(wanted: str, word: str) -> _Span:
    place = next(piece for piece in analyzer.pieces(word) if piece.term == wanted)
    return _Span(place.start, place.end, EXACT)


def _occurrences(terms: list[str], clause: Clause) -> Iterator[int]:
    wanted, length = list(clause.terms), len(clause.terms)
    for first in _candidates(terms, clause):
        found = terms[first : first + length]
        if found == wanted or (
            clause.open_end and found[:-1] == wanted[:-1] and len(found) == length and found[-1].startswith(wanted[-1])
        ):
            yield first


def _candidates(terms: list[str], clause: Clause) -> Iterator[int]:
    """Where the clause's first term stands."""
    first = clause.terms[0]
    if clause.open_end and len(clause.terms) == 1:
        yield from (index for index, term in enumerate(terms) if term.startswith(first))
        return
    index = -1
    with suppress(ValueError):
        while True:
            index = terms.index(first, index + 1)
            yield index


def _part(clause: Clause, word: str) -> _Span | None:
    ends = " " + analyzer.tails(word)
    if not any(f" {opening}" in ends for opening in clause.openings):
        return None
    for start in range(1, len(word)):
        if analyzer.canonical(analyzer.fold(word[start:])).startswith(clause.openings):
            return _Span(start, _covered(word, start, clause.openings), PART)
    return None


def _covered(word: str, start: int, openings: tuple[str, ...]) -> int:
    """Where the shortest stretch of the word ends that has the whole opening."""
    for end in range(start + 1, len(word)):
        if analyzer.canonical(analyzer.fold(word[start:end])).startswith(openings) and not _goes_on(word, end):
            return end
    return len(word)


def _goes_on(word: str, end: int) -> bool:
    """Whether the next character is only a mark on the one before."""
    return analyzer.fold(word[end]) == ""


def _code_weight(clause: Clause, code: str) -> float:
    if code == clause.code:
        return EXACT
    if clause.openings and code.startswith(clause.openings):
        return OPENING
    if clause.parts and any(opening in code for opening in clause.openings):
        return PART
    return TYPO if clause.typos and len(clause.terms) > 1 and _close(clause, code) else 0.0


def _close(clause: Clause, term: str) -> bool:
    if not clause.unfinished and abs(len(term) - len(clause.code)) > clause.typos:
        return False
    return distance(clause.code, term, unfinished=clause.unfinished) <= clause.typos


def distance(typed: str, term: str, *, unfinished: bool = False) -> int:
    """Letters wrong, missing, too many, or swapped with their neighbour (optimal string alignment).

    With `unfinished` it is the distance to the nearest beginning of the term.
    """
    before: list[int] = []
    row = list(range(len(typed) + 1))
    best = row[-1]
    for column, letter in enumerate(term, 1):
        following = [column]
        for index, other in enumerate(typed):
            cost = min(row[index + 1] + 1, following[index] + 1, row[index] + (letter != other))
            if index and before and letter == typed[index - 1] and term[column - 2] == other:
                cost = min(cost, before[index - 1] + 1)
            following.append(cost)
        before, row = row, following
        best = min(best, row[-1])
    return best if unfinished else row[-1]


def parts(text: str, marks: Iterable[Mark]) -> tuple[SnippetPart, ...]:
    """The text cut into what matched and what did not; white space is made plain, nothing else is changed."""
    found: list[SnippetPart] = []
    at = 0
    for start, end in _merged(marks):
        found.extend((SnippetPart(text=text[at:start]), SnippetPart(text=text[start:end], hit=True)))
        at = end
    found.append(SnippetPart(text=text[at:]))
    return tuple(SnippetPart(text=_plain(part.text), hit=part.hit) for part in found if part.text)


def _plain(text: str) -> str:
    """One blank for each run of white space, also at the ends, where the neighbouring parts join."""
    if not text.strip():
        return " "
    head = " " if text[0].isspace() else ""
    tail = " " if text[-1].isspace() else ""
    return head + " ".join(text.split()) + tail


def _merged(marks: Iterable[Mark]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for mark in marks:
        if merged and mark.start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], mark.end))
        else:
            merged.append((mark.start, mark.end))
    return merged


@dataclass(frozen=True, slots=True)
class PageMatch:
    """A page with its matches; `worth` orders pages: more different words first, then better and more matches."""

    number: int
    text: str
    marks: tuple[Mark, ...]

    @property
    def worth(self) -> tuple[float, float]:
        return _worth(self.marks)


def _worth(marks: Iterable[Mark]) -> tuple[float, float]:
    best: dict[int, float] = {}
    count = 0
    for mark in marks:
        best[mark.clause] = max(best.get(mark.clause, 0.0), mark.weight)
        count += 1
    return sum(10 + weight for weight in best.values()), count


def best_pages(pages: Iterable[tuple[int, str]], matcher: Matcher, most: int) -> list[PageMatch]:
    """The pages that match, best first, at most `most`."""
    found = (PageMatch(number, text, tuple(matcher.marks(text))) for number, text in pages)
    matching = [page for page in found if page.marks]
    matching.sort(key=lambda page: (-page.worth[0], -page.worth[1], page.number))
    return matching[:most]


def snippet(page: PageMatch) -> Snippet:
    """The excerpt with the most different words of the query, marked."""
    start = _best_start(page.marks)
    return excerpt(page.number, page.text, page.marks, start)


def _best_start(marks: Sequence[Mark]) -> int:
    best, best_worth = 0, (-1.0, -1.0)
    for index, mark in enumerate(marks):
        near = [other for other in marks[index : index + 40] if other.end <= mark.start + EXCERPT_CHARACTERS * 3 // 4]
        worth = _worth(near or [mark])
        if worth > best_worth:
            best, best_worth = mark.start, worth
    return best


def excerpt(number: int | None, text: str, marks: Sequence[Mark], start: int) -> Snippet:
    """About EXCERPT_CHARACTERS of the text, from a little before `start`; an ellipsis where it was cut."""
    first = _word_start(text, max(0, start - EXCERPT_CHARACTERS // 4), start)
    marked = max((mark.end for mark in marks if mark.start <= start < mark.end), default=start)
    last = _word_end(text, max(first + EXCERPT_CHARACTERS, min(marked, first + 3 * EXCERPT_CHARACTERS)))
    inside = [
        Mark(max(mark.start, first) - first, min(mark.end, last) - first, mark.clause, mark.weight)
        for mark in marks
        if mark.end > first and mark.start < last
    ]
    return Snippet(page=number, parts=_framed(parts(text[first:last], inside), first > 0, last < len(text)))


def _framed(found: tuple[SnippetPart, ...], cut_before: bool, cut_after: bool) -> tuple[SnippetPart, ...]:
    framed = list(found)
    if cut_before and framed:
        framed[:1] = _with_text(framed[0], "… ", "")
    if cut_after and framed:
        framed[-1:] = _with_text(framed[-1], "", " …")
    return tuple(framed)


def _with_text(part: SnippetPart, before: str, after: str) -> list[SnippetPart]:
    if not part.hit:
        text = part.text.lstrip() if before else part.text.rstrip()
        return [SnippetPart(text=before + text + after)]
    return [SnippetPart(text=text, hit=text == part.text) for text in (before, part.text, after) if text]


def _word_start(text: str, at: int, limit: int) -> int:
    if at == 0:
        return 0
    for index in range(at, min(limit, at + 30)):
        if text[index - 1].isspace():
            return index
    return at


def _word_end(text: str, at: int) -> int:
    if at >= len(text):
        return len(text)
    for index in range(at, max(at - 30, 0), -1):
        if text[index].isspace():
            return index
    return at
