"""Decides where words begin on a line of a text layer, by the gaps between the glyphs. Pure geometry, no engine.

A PDF need not have spaces, and PDFium guesses them from single gaps: it takes wide kerning for the end of a word, takes
letters that were set apart for words of their own, and overlooks gaps between the cells of a table. Here a gap is
judged against the size of the letters, the gaps around it, and the usual gap between words in the same font.
"""

import re
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import count, pairwise
from operator import sub
from statistics import median

from functions.ocr.scripts import is_right_to_left, is_spaceless

CLOSE_LOOK_GAP = 0.12
"""In heights of a glyph, which are known for nothing; narrower gaps never end a word."""
NARROW_GAP = 0.2
"""In heights as well: wider gaps end a word, unless its own letters are set apart."""
CELL_GAP = 0.2
"""A gap wider than this many ems beyond the usual one ends a word even if nothing was written there."""
PUNCTUATION_GAP = 0.6
"""The same before signs that close a word: some are set far off, and still belong to it."""
KERNING_GAP = 0.125
"""A gap between letters narrower than this many ems may be kerning, """
KERNING_SHARE = 0.6
"""and is if it is narrower than this share of the usual gap between words."""
LOOSE_GAP = 0.05
"""A gap is one of letters set apart if it is wider than the others around it by no more than this."""
MAX_LETTER_GAP = 1.0
"""Letters further apart than this are not one word, however even their gaps."""
MIN_SPACED_LETTERS = 4
MIN_TYPED_LETTERS = 5
"""Fewer letters with even gaps may be anything; more are wanted where somebody typed spaces between them."""
WORD_GAP_RATIO = 1.4
BACKWARD = -2.5
"""Text that goes on this many ems before the end of the last glyph is not the same word."""
DOUBLED_SHIFT = 0.25
"""The same glyph again, shifted by less than this share of its width, is drawn twice to look bold."""

_CLOSING = frozenset(".,;:!?)]}»”’'\"%-‐‑–")
_INNER = frozenset("-‐‑'’")
_TWICE = re.compile(r"(\S)\1")
_MARKED = re.compile(r"[^\W\d_]{3}[.,;:!?)]?(?=([\d*∗†‡§¶]))|(?:(?<=\s)|^)[\d*∗†‡§¶]+(?=[^\W\d_]{2})")
"""Where a mark that points to a note may start or end: not on units and formulas, which have fewer letters."""


Span = Sequence[int]
"""The glyphs of a word, in the order of the text."""


@dataclass(frozen=True)
class Glyphs:
    """The glyphs of a page in the order of the text: one character each, and its extent along the lines.

    `starts` and `ends` are the left and right edges (bottom and top on lines that run up or down the page), the advance
    included; `bases` and `heights` say where a glyph stands across the line.
    """

    text: str
    starts: Sequence[float]
    ends: Sequence[float]
    bases: Sequence[float]
    heights: Sequence[float]
    is_written: Callable[[int], bool]
    """False for a space that is in the text but not on the page."""
    size: Callable[[int], float]
    """The font size of a glyph in units of the page; slow, asked only where it matters."""
    word_gap: Callable[[int], float]
    """The usual gap between words in the font of a glyph, on this page; 0 if there is no telling. Slow as well."""

    def gap(self, first: int, second: int) -> float:
        """Between two glyphs, whichever way the line runs; negative where they overlap."""
        return max(self.starts[second] - self.ends[first], self.starts[first] - self.ends[second])

    @cached_property
    def odd(self) -> list[int]:
        """In order, the glyphs after which there is an unusual gap or the same glyph again; few, on most pages."""
        gaps = zip(count(), map(sub, self.starts[1:], self.ends), self.heights, strict=False)
        wide = [at for at, gap, height in gaps if gap > CLOSE_LOOK_GAP * height or gap < BACKWARD * height]
        twice = [found.start() for found in _TWICE.finditer(self.text) if _is_doubled(self, found.start() + 1)]
        return sorted(wide + twice)

    def has_odd(self, first: int, last: int) -> bool:
        return bisect_left(self.odd, first) < bisect_left(self.odd, last)


def words_of_line(glyphs: Glyphs, line: Sequence[range]) -> Sequence[Span]:
    """The words of a line, given what stands between the spaces that are in the text."""
    spans: Sequence[Span] = line
    is_odd = any(glyphs.has_odd(span[0], span[-1]) for span in line)
    if is_odd:
        spans = [part for span in line for part in _cut(glyphs, _without_doubled(glyphs, span))]
    if is_odd or _is_doubtful(glyphs, spans):
        spans = _joined(glyphs, _letters_joined(glyphs, spans))
    if _MARKED.search(glyphs.text, line[0][0], line[-1][-1] + 1):
        spans = [part for span in spans for part in _without_marks(glyphs, span)]
    return spans


def _is_doubtful(glyphs: Glyphs, spans: Sequence[Span]) -> bool:
    """Whether one of the spaces between the spans may be none."""
    singles = 0
    for before, after in pairwise(spans):
        last, first = before[-1], after[0]
        narrow = glyphs.gap(last, first) < NARROW_GAP * glyphs.heights[last]
        if narrow and not _is_written(glyphs, before, after):
            return True
        singles = singles + 1 if len(before) == 1 == len(after) and glyphs.text[first].isalpha() else 0
        if singles + 1 >= MIN_SPACED_LETTERS:
            return True
    return False


def _is_written(glyphs: Glyphs, before: Span, after: Span) -> bool:
    return any(map(glyphs.is_written, range(before[-1] + 1, after[0])))


def _without_doubled(glyphs: Glyphs, span: Span) -> Span:
    """Leaves out glyphs that are drawn twice at nearly the same place."""
    return [index for index in span if index == span[0] or not _is_doubled(glyphs, index)]


def _is_doubled(glyphs: Glyphs, index: int) -> bool:
    """Whether a glyph is the one before it once more."""
    width = glyphs.ends[index] - glyphs.starts[index]
    shift = abs(glyphs.starts[index] - glyphs.starts[index - 1])
    # The letters of a ligature have the same place exactly.
    return 0.0 < shift < DOUBLED_SHIFT * width and glyphs.text[index] == glyphs.text[index - 1]


def _cut(glyphs: Glyphs, span: Span) -> list[list[int]]:
    """Cuts where glyphs stand too far apart for one word."""
    gaps = [glyphs.gap(first, second) for first, second in pairwise(span)]
    if not gaps:
        return [list(span)]
    usual = max(0.0, median(gaps)) if len(gaps) > 2 else 0.0
    parts = [[span[0]]]
    for gap, (first, second) in zip(gaps, pairwise(span), strict=True):
        if _ends_word(glyphs, gap, usual, first, second):
            parts.append([])
        parts[-1].append(second)
    return parts


def _ends_word(glyphs: Glyphs, gap: float, usual: float, first: int, second: int) -> bool:
    if gap < CLOSE_LOOK_GAP * glyphs.heights[first]:
        return False
    before, after = glyphs.text[first], glyphs.text[second]
    if is_right_to_left(before) or is_right_to_left(after) or is_spaceless(before) or is_spaceless(after):
        return False
    size = max(glyphs.size(first), glyphs.size(second))
    if gap > MAX_LETTER_GAP * size:
        return True
    return gap - usual > (PUNCTUATION_GAP if after in _CLOSING else CELL_GAP) * size


def _joined(glyphs: Glyphs, spans: Sequence[Span]) -> list[list[int]]:
    """Joins what only kerning or even spacing of the letters keeps apart."""
    joined = [list(spans[0])]
    for after in spans[1:]:
        if _is_no_space(glyphs, joined[-1], after):
            joined[-1] += after
        else:
            joined.append(list(after))
    return joined


def _is_no_space(glyphs: Glyphs, before: Span, after: Span) -> bool:
    first, second = before[-1], after[0]
    gap, height = glyphs.gap(first, second), glyphs.heights[first]
    # Glyphs of slanted lines and columns that overlap reach over each other; there is nothing to be learnt from those.
    if not 0.0 < gap < MAX_LETTER_GAP * height or not _are_letters(glyphs.text[first], glyphs.text[second]):
        return False
    if second == first + 1 or _is_written(glyphs, before, after) or not _are_level(glyphs, first, second, 0.05):
        return False
    inner = [glyphs.gap(*pair) for span in (before, after) for pair in pairwise(span)]
    usual = max(0.0, median(inner)) if len(inner) > 2 else 0.0
    if gap > usual + NARROW_GAP * height:
        return False
    size = max(glyphs.size(first), glyphs.size(second))
    if gap < usual + LOOSE_GAP * size < 3 * usual:
        return True
    return gap < KERNING_GAP * size and gap < KERNING_SHARE * glyphs.word_gap(first)


def _are_letters(before: str, after: str) -> bool:
    if before.isalpha() and after.isalpha():
        return not (before.islower() and after.isupper())
    return (before.isalpha() and after in _INNER) or (before in _INNER and after.isalpha())


def _are_level(glyphs: Glyphs, first: int, second: int, tolerance: float) -> bool:
    """Whether two glyphs stand on one straight line, give or take a share of the height.

    What PDFium takes for a line may be several, and need not run along a side of the page.
    """
    return abs(glyphs.bases[second] - glyphs.bases[first]) < tolerance * glyphs.heights[first]


def _letters_joined(glyphs: Glyphs, spans: Sequence[Span]) -> list[Span]:
    """Makes words of single letters that were set apart evenly, as in headings."""
    result: list[Span] = []
    run: list[Span] = []
    for span in spans:
        is_single = len(span) == 1 and not is_spaceless(glyphs.text[span[0]])
        is_last = len(span) == 2 and glyphs.text[span[1]] in _CLOSING
        if run and not ((is_single or is_last) and _are_level(glyphs, run[-1][0], span[0], 0.5)):
            result += _spaced_words(glyphs, run)
            run = []
        if is_single or (is_last and run):
            run.append(span)
        else:
            result.append(span)
        if is_last:
            result += _spaced_words(glyphs, run)
            run = []
    return result + _spaced_words(glyphs, run)


def _spaced_words(glyphs: Glyphs, run: Sequence[Span]) -> list[Span]:
    if len(run) < MIN_SPACED_LETTERS:
        return list(run)
    gaps = [glyphs.gap(before[-1], after[0]) for before, after in pairwise(run)]
    size = glyphs.size(run[0][0])
    narrow = sorted(gaps)[len(gaps) // 4]
    limit = 1.25 * narrow + 0.03 * size
    wide = [gap for gap in gaps if gap > limit]
    # Anything between the gaps of letters and those of words says that the gaps are not made on purpose.
    if not 0 < narrow < MAX_LETTER_GAP * size or any(gap < WORD_GAP_RATIO * narrow for gap in wide):
        return list(run)
    words: list[list[int]] = [[*run[0]]]
    for gap, after in zip(gaps, run[1:], strict=True):
        if gap > limit:
            words.append([])
        words[-1] += list(after)
    typed = any(_is_written(glyphs, before, after) for before, after in pairwise(run))
    texts = ["".join(glyphs.text[index] for index in word) for word in words]
    return [*words] if _is_set_apart(texts, typed) else list(run)


def _is_set_apart(words: Sequence[str], typed: bool) -> bool:
    """Whether single letters with even gaps make words: not the heads of columns, not an alphabet."""
    longest = max(words, key=len)
    if len(longest) < (MIN_TYPED_LETTERS if typed else MIN_SPACED_LETTERS):
        return False
    letters = [character for character in longest if character.isalpha()]
    if len(letters) < 0.7 * len(longest) or len(set(letters)) < 3:
        return False
    steps = [ord(after) - ord(before) for before, after in pairwise("".join(words))]
    return steps.count(1) < 0.7 * len(steps)


def _without_marks(glyphs: Glyphs, word: Span) -> list[Span]:
    """Splits the raised mark of a footnote from the word that it stands on, so that the word can be found."""
    text = "".join(glyphs.text[index] for index in word)
    found = None if text.isalpha() else _MARKED.search(text)
    if found is None:
        return [word]
    at = found.end()
    mark, letter = (at, at - 1) if found[1] else (at - 1, at)
    if not is_raised(_extent(glyphs, word[mark]), _extent(glyphs, word[letter])):
        return [word]
    return [word[:at], word[at:]]


def is_raised(mark: tuple[float, float], letter: tuple[float, float]) -> bool:
    """Whether something stands higher and is smaller than its neighbour; both are (base, height)."""
    return mark[1] < 0.9 * letter[1] and mark[0] > letter[0] + 0.15 * letter[1]


def _extent(glyphs: Glyphs, index: int) -> tuple[float, float]:
    return glyphs.bases[index], glyphs.heights[index]
