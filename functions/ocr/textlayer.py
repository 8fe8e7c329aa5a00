"""Reads the text layer of a page: words with their boxes, seen and unseen ones apart. Runs in the jail only."""

import ctypes
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pypdfium2.raw as raw

from functions.ocr.geometry import Matrix, area, centre_inside, map_box, to_shown, union
from functions.ocr.models import Line, PageGeometry
from functions.ocr.pdfium import Page, address
from functions.ocr.scripts import normalize, segments
from shared.documents import Box, Word

HYPHEN = 0x02
"""What PDFium puts in the place of a hyphen that divides a word at a line's end; the line break itself is left out."""
SOFT_HYPHEN = 0xAD
LINE_ENDS = frozenset({0x0A, 0x0D, 0x0C, 0x2028, 0x2029, HYPHEN})
NO_MEANING = frozenset({0x00, 0xFFFD, 0xFFFE, 0xFFFF})
SYMBOL_BULLETS = {0xF0B7: "•", 0xF0A7: "▪", 0xF0D8: "➢", 0xF0FC: "✓", 0xF0E0: "→", 0xF02D: "-"}
"""What the private codes of the usual symbol fonts look like."""
MAX_WORD_CHARACTERS = 400


@dataclass(frozen=True)
class TextLayer:
    """`visible` and `hidden` lines in written order; counts are of visible characters."""

    visible: tuple[Line, ...]
    hidden: tuple[Line, ...]
    characters: int
    damaged: int


@dataclass
class _Piece:
    """A run of characters without a space: their indexes and text, and how it ends."""

    indexes: list[int] = field(default_factory=list)
    text: list[str] = field(default_factory=list)
    ends_line: bool = False
    hyphenated: bool = False


@dataclass
class _Builder:
    lines: list[Line] = field(default_factory=list)
    words: list[Word] = field(default_factory=list)

    def end_line(self, hyphenated: bool) -> None:
        if self.words:
            self.lines.append(Line(words=tuple(self.words), hyphenated=hyphenated))
            self.words = []


def read_text_layer(page: Page, geometry: PageGeometry, is_hidden: Callable[[int], bool] | None = None) -> TextLayer:
    """The words of a page as shown. `is_hidden` tells by the address of its text object whether a word can be seen.

    Words outside of the shown part of the page are left out.
    """
    text_page = page.get_textpage()  # Kept: the handle lives no longer than this object.
    handle = text_page.raw
    visible, hidden = _Builder(), _Builder()
    characters = damaged = 0
    reader = _WordReader(handle, to_shown(geometry), (0.0, 0.0, *geometry.size))
    for piece in _pieces(handle):
        unseen = bool(is_hidden and piece.indexes and is_hidden(_object_address(handle, piece.indexes)))
        builder = hidden if unseen else visible
        if piece.indexes:
            builder.words += reader.words(piece)
        if not unseen:
            characters += len(piece.indexes)
            damaged += _damaged(handle, piece)
        if piece.ends_line:
            visible.end_line(piece.hyphenated and not unseen)
            hidden.end_line(piece.hyphenated and unseen)
    visible.end_line(False)
    hidden.end_line(False)
    return TextLayer(_rejoined(visible.lines), _rejoined(hidden.lines), characters, damaged)


class _WordReader:
    """Makes words of pieces: normalized text, boxes on the page as shown, Chinese and Japanese cut into words."""

    def __init__(self, handle: Any, matrix: Matrix, frame: Box) -> None:
        self._handle = handle
        self._matrix = matrix
        self._frame = frame

    def words(self, piece: _Piece) -> list[Word]:
        text = "".join(piece.text)
        parts = segments(text) if not text.isascii() else [text]
        words: list[Word] = []
        at = 0
        for part in parts:
            # One index per character of `piece.text`; surrogate pairs were joined into one character and one index.
            words += self._word(part, piece.indexes[at : at + len(part)], piece.hyphenated and part is parts[-1])
            at += len(part)
        return words

    def _word(self, text: str, indexes: list[int], hyphenated: bool) -> list[Word]:
        cleaned = normalize(text)
        if hyphenated:
            cleaned += "-"
        box = self._box(indexes)
        if not cleaned or box is None or not centre_inside(box, self._frame):
            return []
        return [Word(text=cleaned, box=_rounded(box))]

    def _box(self, indexes: list[int]) -> Box | None:
        """Around the first and the last character, or around all where the word is not set straight."""
        ends = indexes if len(indexes) < 3 or not self._is_straight(indexes[0]) else (indexes[0], indexes[-1])
        box: Box | None = None
        for index in ends:
            one = self._character_box(index)
            if one is not None:
                box = one if box is None else union(box, one)
        return map_box(self._matrix, box) if box else None

    def _is_straight(self, index: int) -> bool:
        angle = raw.FPDFText_GetCharAngle(self._handle, index) % (math.pi / 2)
        return bool(min(angle, math.pi / 2 - angle) < 0.02)

    def _character_box(self, index: int) -> Box | None:
        loose = raw.FS_RECTF()
        if raw.FPDFText_GetLooseCharBox(self._handle, index, loose):
            box = (loose.left, loose.bottom, loose.right, loose.top)
            if area(box) > 0:
                return box
        left, right, bottom, top = (ctypes.c_double() for _ in range(4))
        if raw.FPDFText_GetCharBox(self._handle, index, left, right, bottom, top):
            return (left.value, bottom.value, right.value, top.value)
        return None


def _pieces(handle: Any) -> Iterator[_Piece]:
    """Cuts the characters at spaces, line ends and dividing hyphens."""
    piece = _Piece()
    for index, code in _code_points(handle):
        if code in LINE_ENDS:
            piece.ends_line, piece.hyphenated = True, code == HYPHEN
            yield _without_soft_hyphen(piece)
            piece = _Piece()
        elif _is_space(code) or len(piece.indexes) >= MAX_WORD_CHARACTERS:
            yield piece
            piece = _Piece()
        else:
            piece.indexes.append(index)
            piece.text.append(_character(code))
    yield piece


def _code_points(handle: Any) -> Iterator[tuple[int, int]]:
    """Index and code point of each character; surrogate pairs are joined under the first one's index."""
    unicode_of = raw.FPDFText_GetUnicode
    high = (0, 0)
    for index in range(raw.FPDFText_CountChars(handle)):
        code = unicode_of(handle, index)
        if 0xD800 <= code < 0xDC00:
            high = (index, code)
        elif 0xDC00 <= code < 0xE000 and high[1]:
            yield high[0], 0x10000 + ((high[1] - 0xD800) << 10) + (code - 0xDC00)
            high = (0, 0)
        else:
            yield index, code


def _is_space(code: int) -> bool:
    return code in (0x09, 0x20, 0xA0, 0x202F, 0x205F, 0x3000) or 0x2000 <= code <= 0x200A


def _character(code: int) -> str:
    if code in NO_MEANING or code < 0x20 or 0x7F <= code <= 0x9F or 0xD800 <= code < 0xE000:
        return "\ufffd"
    return SYMBOL_BULLETS.get(code) or chr(code)


def _without_soft_hyphen(piece: _Piece) -> _Piece:
    """A soft hyphen at the end of a line divides a word; elsewhere it is not seen, and goes with normalization."""
    if piece.ends_line and piece.text and piece.text[-1] == chr(SOFT_HYPHEN):
        piece.text.pop()
        piece.indexes.pop()
        piece.hyphenated = True
    return piece


def _damaged(handle: Any, piece: _Piece) -> int:
    unknown = sum(character == "\ufffd" for character in piece.text)
    return unknown or sum(raw.FPDFText_HasUnicodeMapError(handle, index) == 1 for index in piece.indexes[:1]) * len(
        piece.indexes
    )


def _rejoined(lines: list[Line]) -> tuple[Line, ...]:
    """Puts together what PDFium takes for separate lines though it goes on at the same place: raised marks, vowel
    signs."""
    joined: list[Line] = []
    for line in lines:
        if joined and not joined[-1].hyphenated and _goes_on(joined[-1].words[-1].box, line.words[0].box):
            joined[-1] = _continued(joined[-1], line)
        else:
            joined.append(line)
    return tuple(joined)


def _goes_on(end: Box, start: Box) -> bool:
    height = min(end[3] - end[1], start[3] - start[1])
    shared = min(end[3], start[3]) - max(end[1], start[1])
    return shared > 0.4 * height and -0.3 * height < start[0] - end[2] < 0.5 * height and start[2] > end[2]


def _continued(line: Line, following: Line) -> Line:
    end, start = line.words[-1], following.words[0]
    words = line.words + following.words
    if start.box[0] - end.box[2] < 0.1 * (end.box[3] - end.box[1]):
        whole = Word(text=end.text + start.text, box=union(end.box, start.box))
        words = (*line.words[:-1], whole, *following.words[1:])
    return Line(words=words, hyphenated=following.hyphenated)


def _object_address(handle: Any, indexes: list[int]) -> int:
    return address(raw.FPDFText_GetTextObject(handle, indexes[0]))


def _rounded(box: Box) -> Box:
    return (round(box[0], 2), round(box[1], 2), round(box[2], 2), round(box[3], 2))
