"""Reads the text layer of a page: words with their boxes, seen and unseen ones apart. Runs in the jail only."""

import ctypes
import math
import re
import unicodedata
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import repeat
from operator import sub
from statistics import median
from typing import Any

import pypdfium2.raw as raw

from functions.ocr.geometry import Matrix, bounding, centre_inside, map_box, to_shown, union
from functions.ocr.models import Line, PageGeometry
from functions.ocr.pdfium import Page, address
from functions.ocr.scripts import normalize, segments
from functions.ocr.spacing import DOUBLED_SHIFT, Glyphs, Span, is_raised, words_of_line
from shared.documents import Box, Word

HYPHEN = "\x02"
"""What PDFium puts in the place of a hyphen that divides a word at a line's end; the line break itself is left out."""
SOFT_HYPHEN = "\xad"
SYMBOL_BULLETS = {"\uf0b7": "•", "\uf0a7": "▪", "\uf0d8": "➢", "\uf0fc": "✓", "\uf0e0": "→", "\uf02d": "-"}
"""What the private codes of the usual symbol fonts look like."""
UNKNOWN = "\ufffd"
MAX_WORD_CHARACTERS = 400
LINES_BACK = 3
"""So many lines before may be the one that goes on."""
ROW_UNITS = 8.0
"""Equal words are remembered by the stripe of the page where they stand, of this height,"""
MOST_COMPARED = 50
"""and so many of them, the last ones, are compared with a new one."""
ENOUGH_GAPS = 4
"""So many spaces in one font tell what is usual there."""
MOST_GAPS = 250
"""No more spaces than about this are looked at."""

_LINE_ENDS = "\n\r\f\u2028\u2029" + HYPHEN
_SPACES = "\t \xa0\u2000-\u200a\u202f\u205f\u3000"
_TOKEN = re.compile(f"[^{_SPACES}{_LINE_ENDS}]{{1,{MAX_WORD_CHARACTERS}}}|[{_LINE_ENDS}]")
_LETTERS_APART = re.compile(r"(?<=[^\W\d_])[ \xa0](?=[^\W\d_])")
_RARE = re.compile("[\u0800-\uffff]")
_HYPHENS = re.compile("[\x02\ufffe]")
_MEANINGLESS = re.compile("[\x00\x01\x03-\x08\x0b\x0e-\x1f\x7f-\x9f\uffff]")
_SYMBOL = re.compile(f"[{''.join(SYMBOL_BULLETS)}]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_MARK = re.compile(r"[\d*∗†‡§¶]+[.,;:)]*")


BOX_BYTES = ctypes.sizeof(raw.FS_RECTF)
_loose_box = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)(
    address(raw.FPDFText_GetLooseCharBox)
)
"""FPDFText_GetLooseCharBox by plain addresses: called for each character, objects would cost more than it does."""


@dataclass(frozen=True)
class TextLayer:
    """`visible` and `hidden` lines in written order; counts are of visible characters."""

    visible: tuple[Line, ...]
    hidden: tuple[Line, ...]
    characters: int
    damaged: int


@dataclass
class _Builder:
    lines: list[Line] = field(default_factory=list)
    words: list[Word] = field(default_factory=list)
    rows: dict[tuple[str, int], list[Box]] = field(default_factory=dict)

    def add(self, words: Iterable[Word]) -> None:
        """Adds words but for those that stand on an equal one: text that was drawn twice, to look bold or shaded."""
        for word in words:
            if not self._is_doubled(word.text, word.box):
                self.words.append(word)

    def _is_doubled(self, text: str, box: Box) -> bool:
        """Whether the same word was added before, but for a small shift; remembers it if not."""
        left, top, right, bottom = box
        limit = min(DOUBLED_SHIFT / 2 * min(right - left, bottom - top), ROW_UNITS / 2)
        for row in {(top - limit) // ROW_UNITS, (top + limit) // ROW_UNITS}:
            for known in self.rows.get((text, int(row)), ())[-MOST_COMPARED:]:
                if max(abs(known[0] - left), abs(known[1] - top), abs(known[2] - right)) < limit:
                    return True
        self.rows.setdefault((text, int(top // ROW_UNITS)), []).append(box)
        return False

    def end_line(self, hyphenated: bool) -> None:
        if self.words:
            self.lines.append(Line(words=tuple(self.words), hyphenated=hyphenated))
            self.words = []


def read_text_layer(page: Page, geometry: PageGeometry, is_hidden: Callable[[int], bool] | None = None) -> TextLayer:
    """The words of a page as shown. `is_hidden` tells by the address of its text object whether a word can be seen.

    Words outside of the shown part of the page are left out.
    """
    text_page = page.get_textpage()  # Kept: the handle lives no longer than this object.
    characters = _Characters(text_page.raw)
    visible, hidden = _Builder(), _Builder()
    count = damaged = 0
    reader = _WordReader(characters, to_shown(geometry), (0.0, 0.0, *geometry.size))
    for line in _lines(characters.text):
        words = characters.words(line)
        unseen = False
        for span in words:
            unseen = bool(is_hidden and is_hidden(characters.object_address(span[0])))
            builder = hidden if unseen else visible
            builder.add(reader.words(span, line.hyphenated and span is words[-1]))
            if not unseen:
                count += len(span)
                damaged += characters.damaged(span)
        visible.end_line(line.hyphenated and not unseen)
        hidden.end_line(line.hyphenated and unseen)
    return TextLayer(_rejoined(visible.lines), _rejoined(hidden.lines), count, damaged)


@dataclass(frozen=True)
class _TextLine:
    """The runs of characters without a space on one line; `hyphenated`: the last one goes on in the next line."""

    spans: list[range]
    hyphenated: bool


def _lines(text: str) -> Iterator[_TextLine]:
    """Cuts the text at spaces, line ends and dividing hyphens."""
    spans: list[range] = []
    for token in _TOKEN.finditer(text):
        if token[0] not in _LINE_ENDS:
            spans.append(range(*token.span()))
        elif spans:
            yield _text_line(text, spans, token[0] == HYPHEN)
            spans = []
    if spans:
        yield _text_line(text, spans, False)


def _text_line(text: str, spans: list[range], hyphenated: bool) -> _TextLine:
    """A soft hyphen at the end of a line divides a word; elsewhere it is not seen, and goes with normalization."""
    last = spans[-1]
    if text[last[-1]] != SOFT_HYPHEN:
        return _TextLine(spans, hyphenated)
    if len(last) == 1:
        return _TextLine(spans[:-1], False)
    return _TextLine([*spans[:-1], last[:-1]], True)


class _Characters:
    """All characters of a text page with their boxes, asked of PDFium in one go."""

    def __init__(self, handle: Any) -> None:
        self._handle = handle
        count = max(0, raw.FPDFText_CountChars(handle))
        sides = array("f", bytes(count * BOX_BYTES))
        start = sides.buffer_info()[0]
        places = range(start, start + count * BOX_BYTES, BOX_BYTES)
        list(map(_loose_box, repeat(address(handle)), range(count), places))
        self.lefts, self.tops, self.rights, self.bottoms = (sides[at::4].tolist() for at in range(4))
        self.text = self._read_text(count)
        heights: list[float] = list(map(sub, self.tops, self.bottoms))
        self._across = self._glyphs(self.lefts, self.rights, self.bottoms, heights)

    def words(self, line: _TextLine) -> Sequence[Span]:
        if not line.spans:
            return []
        return words_of_line(self._up_and_down if self._is_upright(line) else self._across, line.spans)

    def box(self, span: Span) -> Box:
        """Around all of its characters, in the page's own coordinates."""
        first, end = span[0], span[-1] + 1
        if end - first != len(span):
            return bounding([point for index in span for point in self._corners(index)])
        left, right = min(self.lefts[first:end]), max(self.rights[first:end])
        return left, min(self.bottoms[first:end]), right, max(self.tops[first:end])

    def _corners(self, index: int) -> tuple[tuple[float, float], tuple[float, float]]:
        return (self.lefts[index], self.bottoms[index]), (self.rights[index], self.tops[index])

    def object_address(self, index: int) -> int:
        return address(raw.FPDFText_GetTextObject(self._handle, index))

    def damaged(self, span: Span) -> int:
        """How many of the characters have no known meaning."""
        unknown = self.text.count(UNKNOWN, span[0], span[-1] + 1)
        return unknown or (raw.FPDFText_HasUnicodeMapError(self._handle, span[0]) == 1) * len(span)

    def _read_text(self, count: int) -> str:
        """One character per index; both halves of a surrogate pair stand for themselves."""
        text = _MEANINGLESS.sub(UNKNOWN, self._whole_text(count) or self._single_characters(count))
        text = _SYMBOL.sub(lambda found: SYMBOL_BULLETS[found[0]], text)
        # The codes of dividing hyphens are those of glyphs without meaning in fonts without a character map as well.
        return _HYPHENS.sub(lambda found: HYPHEN if self._is_hyphen(found.start()) else UNKNOWN, text)

    def _whole_text(self, count: int) -> str:
        """The text in one go; "" if that leaves characters out, so that indexes would not fit, or cuts off codes."""
        units = (ctypes.c_ushort * (count + 1))()
        if raw.FPDFText_GetText(self._handle, 0, count, units) != count + 1:
            return ""
        text = "".join(map(chr, units[:count]))
        rare = {found[0]: found.start() for found in _RARE.finditer(text)}
        is_cut = any(raw.FPDFText_GetUnicode(self._handle, at) > 0x10FFFF for at in rare.values())
        return "" if is_cut else text

    def _single_characters(self, count: int) -> str:
        codes = map(raw.FPDFText_GetUnicode, repeat(self._handle), range(count))
        return "".join(chr(code) if code <= 0x10FFFF else UNKNOWN for code in codes)

    def _is_hyphen(self, index: int) -> bool:
        return bool(raw.FPDFText_IsHyphen(self._handle, index) == 1)

    def _is_upright(self, line: _TextLine) -> bool:
        """Whether a line runs up or down the page."""
        longest = max(line.spans, key=len)
        first, last = (longest[0], longest[-1]) if len(longest) > 1 else (line.spans[0][0], line.spans[-1][-1])
        return abs(self.bottoms[last] - self.bottoms[first]) > abs(self.lefts[last] - self.lefts[first])

    @cached_property
    def _up_and_down(self) -> Glyphs:
        widths: list[float] = list(map(sub, self.rights, self.lefts))
        return self._glyphs(self.bottoms, self.tops, self.lefts, widths)

    def _glyphs(self, starts: list[float], ends: list[float], bases: list[float], heights: list[float]) -> Glyphs:
        usual = _UsualGaps(self, starts, ends, heights)
        return Glyphs(self.text, starts, ends, bases, heights, self.is_written, self._size, usual.word_gap)

    def _size(self, index: int) -> float:
        """The font size on the page. Fonts that are drawn by the file itself may state any; then the height counts."""
        height = max(self.tops[index] - self.bottoms[index], 1e-3)
        matrix = raw.FS_MATRIX()
        if not raw.FPDFText_GetMatrix(self._handle, index, matrix):
            return height
        size = raw.FPDFText_GetFontSize(self._handle, index) * math.hypot(matrix.a, matrix.b)
        return size if 0.2 * height < size < 4 * height else height

    def font(self, index: int) -> Any:
        """The font's handle, false where there is none."""
        return raw.FPDFTextObj_GetFont(raw.FPDFText_GetTextObject(self._handle, index))

    def is_written(self, index: int) -> bool:
        """PDFium gives the spaces that it made up no extent."""
        return self.rights[index] > self.lefts[index] or self.tops[index] > self.bottoms[index]


class _UsualGaps:
    """The gaps that are usual between words, by font, along lines that run in one direction."""

    def __init__(
        self, characters: _Characters, starts: Sequence[float], ends: Sequence[float], heights: Sequence[float]
    ) -> None:
        self._characters = characters
        self._starts, self._ends, self._heights = starts, ends, heights

    def word_gap(self, index: int) -> float:
        """In the font of a character; 0 if there is no telling."""
        font = self._characters.font(index)
        return self._gaps.get(address(font), 0.0) * self._heights[index] if font else 0.0

    @cached_property
    def _gaps(self) -> dict[int, float]:
        """By the address of a font, in heights of its characters."""
        gaps: dict[int, list[float]] = {}
        leaning: dict[int, bool] = {}
        spaces = [found.start() for found in _LETTERS_APART.finditer(self._characters.text)]
        for space in spaces[:: 1 + len(spaces) // MOST_GAPS]:
            gap, font = self._relative(space - 1, space + 1), self._characters.font(space - 1)
            if not font or not 0 < gap < 1:
                continue
            place = address(font)
            if place not in leaning:
                leaning[place] = _leans(font)
            if not leaning[place] or self._characters.is_written(space):
                gaps.setdefault(place, []).append(gap)
        return {place: median(found) for place, found in gaps.items() if len(found) >= ENOUGH_GAPS}

    def _relative(self, before: int, after: int) -> float:
        gap = max(self._starts[after] - self._ends[before], self._starts[before] - self._ends[after])
        return gap / max(self._heights[before], 1e-3)


def _leans(font: Any) -> bool:
    """Letters of a slanted font reach into the gap beside them, which says little then."""
    angle = ctypes.c_int()
    return bool(raw.FPDFFont_GetItalicAngle(font, angle)) and angle.value != 0


class _WordReader:
    """Makes words of glyphs: normalized text, boxes on the page as shown, Chinese and Japanese cut into words."""

    def __init__(self, characters: _Characters, matrix: Matrix, frame: Box) -> None:
        self._characters = characters
        self._matrix = matrix
        self._frame = frame

    def words(self, span: Span, hyphenated: bool) -> list[Word]:
        page = self._characters.text
        text = page[span[0] : span[-1] + 1]
        if len(text) != len(span):
            text = "".join(page[index] for index in span)
        if text.isascii():
            return self._word(text, span, hyphenated)
        if _SURROGATE.search(text):
            text, span = _paired(text, span)
        words: list[Word] = []
        at = 0
        for part in segments(text):
            end = at + len(part)
            words += self._word(part, span[at:end], hyphenated and end == len(text))
            at = end
        return words

    def _word(self, text: str, span: Span, hyphenated: bool) -> list[Word]:
        cleaned = normalize(text)
        if hyphenated:
            cleaned += "-"
        box = map_box(self._matrix, self._characters.box(span))
        if not cleaned or not centre_inside(box, self._frame):
            return []
        return [Word(text=cleaned, box=_rounded(box))]


def _paired(text: str, span: Span) -> tuple[str, list[int]]:
    """Halves of surrogate pairs put together, under the index of the first one."""
    whole, kept = "", []
    for index, character in zip(span, text, strict=True):
        if whole and "\ud800" <= whole[-1] < "\udc00" <= character < "\ue000":
            whole = whole[:-1] + chr(0x10000 + ((ord(whole[-1]) - 0xD800) << 10) + (ord(character) - 0xDC00))
        else:
            whole += character
            kept.append(index)
    return _SURROGATE.sub(UNKNOWN, whole), kept


def _rejoined(lines: list[Line]) -> tuple[Line, ...]:
    """Puts together what PDFium takes for separate lines though it goes on at the same place: raised marks, vowel
    signs, words with something else drawn in between."""
    joined: list[Line] = []
    for line in lines:
        for at in range(len(joined) - 1, max(-1, len(joined) - 1 - LINES_BACK), -1):
            if not joined[at].hyphenated and _goes_on(joined[at], line, is_next=at == len(joined) - 1):
                joined[at] = _continued(joined[at], line)
                break
        else:
            joined.append(line)
    return tuple(joined)


def _goes_on(line: Line, following: Line, *, is_next: bool) -> bool:
    end, start = line.words[-1].box, following.words[0].box
    height = min(end[3] - end[1], start[3] - start[1])
    shared = min(end[3], start[3]) - max(end[1], start[1])
    gap = start[0] - end[2]
    if not is_next:
        return shared > 0.9 * height and abs(gap) < 0.05 * height
    if _is_combining(following.words[0].text):
        return shared > 0.4 * height and -height < gap < 0.5 * height
    return shared > 0.4 * height and -0.3 * height < gap < 0.5 * height and start[2] > end[2]


def _is_combining(text: str) -> bool:
    """Whether a word starts with a sign that belongs to the letter before it."""
    return unicodedata.category(text[0]) == "Mn"


def _continued(line: Line, following: Line) -> Line:
    end, start = line.words[-1], following.words[0]
    words = line.words + following.words
    near = start.box[0] - end.box[2] < 0.1 * (end.box[3] - end.box[1])
    if near and not _is_mark(start, end):
        whole = Word(text=end.text + start.text, box=union(end.box, start.box))
        words = (*line.words[:-1], whole, *following.words[1:])
    return Line(words=words, hyphenated=following.hyphenated)


def _is_mark(word: Word, letters: Word) -> bool:
    """Whether a word is the raised mark of a footnote on the word before."""
    mark, base = ((-one.box[3], one.box[3] - one.box[1]) for one in (word, letters))
    return bool(_MARK.fullmatch(word.text)) and letters.text[-3:].isalpha() and is_raised(mark, base)


def _rounded(box: Box) -> Box:
    return (round(box[0], 2), round(box[1], 2), round(box[2], 2), round(box[3], 2))
