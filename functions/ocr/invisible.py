"""Writes words as invisible text (render mode 3) that viewers select, search and copy where the picture shows them.

One font without outlines serves every script: each character of the document has its own code, a width of a usual size,
and an entry in the ToUnicode map (ISO 32000-1 §9.7, §9.10.3). A word is stretched (Tz) to its box exactly.
"""

import base64
import struct
import unicodedata
from collections.abc import Iterable, Sequence
from itertools import pairwise

import pikepdf

from functions.ocr.geometry import apply, inverse, to_shown
from functions.ocr.models import Line, PageGeometry
from functions.ocr.scripts import is_spaceless, visual_order
from shared.documents import Word

FONT_NAME = "DocuElevateInvisible"
RESOURCE_NAME = "/DocuElevateInvisible"
ASCENT, DESCENT = 800, -200
"""In thousandths of the font size. They add up to 1000: a word's font size is the height of its box."""

# A TrueType font made with fontTools' FontBuilder (1000 units per em): an empty glyph, and one 500 units wide that is a
# line without area from (0, -200) to (500, 800). An empty one would do for the eye, but PDFium leaves out text whose
# glyphs have no extent across the page.
_FONT_FILE = base64.b64decode(
    "AAEAAAAHAEAAAgAwY21hcAAMAEYAAAEAAAAALGdseWYYSBPFAAABNAAAABhoZWFkYQtDOAAAAHwAAAA2aGhlYQUWAS4AAAC0AAAAJGhtdHgB9A"
    "AAAAAA+AAAAAZsb2NhAAwAAAAAASwAAAAGbWF4cAAEAAUAAADYAAAAIAABAAAAAQAA0s4FUF8PPPUAAwPoAAAAAAAAAAAAAAAAAAAAAAAA/zgB"
    "9AMgAAAAAwACAAAAAAAAAAEAAAMg/zgAAAH0AAAAAAH0AAEAAAAAAAAAAAAAAAAAAAABAAEAAAACAAMAAQAAAAAAAgAAAAAAAAAAAAAAAAAAAA"
    "AB9AAAAAAAAAAAAAIAAAADAAAAFAADAAEAAAAUAAQAGAAAAAIAAgAAAAD//wAA//8AAQAAAAAAAAAMAAAAAQAA/zgB9AMgAAIAABUTE/r6yAH0"
    "AfQ="
)
_NARROW = frozenset("iIíìîïjlftr1.,:;!|'’‘()[]{}/\\-·")
_WIDE = frozenset("mwMWÆŒæœ@%—…")
MAX_CODES_PER_BLOCK = 100
"""A ToUnicode map may hold no more entries than this in one block."""


class InvisibleFont:
    """The font for all pages of one document, made from the characters that occur in it."""

    def __init__(self, characters: Iterable[str]) -> None:
        self._codes = {character: code for code, character in enumerate(sorted({*characters, " "}), 1)}

    def encode(self, text: str) -> str:
        """The text as a hexadecimal string operand."""
        return "<" + "".join(f"{self._codes[character]:04X}" for character in text) + ">"

    def width(self, text: str) -> float:
        """The advance at size 1."""
        return sum(_width(character) for character in text) / 1000

    def add_to(self, pdf: pikepdf.Pdf) -> pikepdf.Object:
        """Writes the font into a document; returns the reference for the pages' resources."""
        highest = len(self._codes)
        file = pdf.make_stream(_FONT_FILE, Length1=len(_FONT_FILE))
        descriptor = pikepdf.Dictionary(
            Type=pikepdf.Name.FontDescriptor,
            FontName=pikepdf.Name("/" + FONT_NAME),
            Flags=4,
            FontBBox=[0, DESCENT, 1000, ASCENT],
            ItalicAngle=0,
            Ascent=ASCENT,
            Descent=DESCENT,
            CapHeight=700,
            StemV=80,
            FontFile2=file,
        )
        descendant = pikepdf.Dictionary(
            Type=pikepdf.Name.Font,
            Subtype=pikepdf.Name.CIDFontType2,
            BaseFont=pikepdf.Name("/" + FONT_NAME),
            CIDSystemInfo=pikepdf.Dictionary(
                Registry=pikepdf.String("Adobe"), Ordering=pikepdf.String("Identity"), Supplement=0
            ),
            FontDescriptor=pdf.make_indirect(descriptor),
            DW=500,
            W=[1, [_width(character) for character in self._codes]],
            CIDToGIDMap=pdf.make_stream(b"\0\0" + struct.pack(">H", 1) * highest),
        )
        font = pikepdf.Dictionary(
            Type=pikepdf.Name.Font,
            Subtype=pikepdf.Name.Type0,
            BaseFont=pikepdf.Name("/" + FONT_NAME),
            Encoding=pikepdf.Name("/Identity-H"),
            DescendantFonts=[pdf.make_indirect(descendant)],
            ToUnicode=pdf.make_stream(_to_unicode(self._codes)),
        )
        return pdf.make_indirect(font)


def text_operators(lines: Sequence[Line], geometry: PageGeometry, font: InvisibleFont) -> bytes:
    """The content stream that shows `lines` (boxes on the page as shown by `geometry`) invisibly."""
    to_page = inverse(to_shown(geometry))
    # Directions of the baseline and of its upward normal in the page's own coordinates; the scale is 1.
    a, b, c, d, _, _ = to_page
    direction = f"{_number(a)} {_number(b)} {_number(-c)} {_number(-d)}"
    operators = ["q BT 3 Tr 0 Tc 0 Tw 0 Ts 0 TL"]
    size = stretch = ""
    for line in lines:
        for word, space in _with_spaces(line):
            shown = visual_order(word.text)
            x0, _, x1, y1 = word.box
            height = max(word.box[3] - word.box[1], 0.1)
            x, y = apply(to_page, x0, y1 + height * DESCENT / 1000)
            wanted = f"{RESOURCE_NAME} {_number(height)} Tf"
            operators += [wanted] * (wanted != size)
            size = wanted
            operators.append(f"{direction} {_number(x)} {_number(y)} Tm")
            for text, width in ((shown, x1 - x0), (" ", space)):
                advance = font.width(text) * height
                if width <= 0 or advance <= 0:
                    continue
                wanted = f"{_number(100 * width / advance)} Tz"
                operators += [wanted] * (wanted != stretch)
                stretch = wanted
                operators.append(f"{font.encode(text)} Tj")
    operators.append("ET Q\n")
    return "\n".join(operators).encode("ascii")


def _with_spaces(line: Line) -> list[tuple[Word, float]]:
    """Each word with the width of the space after it: up to the next word on its right, none at the end of the line."""
    spaces = [0.0] * len(line.words)
    for at, (word, following) in enumerate(pairwise(line.words)):
        gap = following.box[0] - word.box[2]
        written_together = is_spaceless(word.text[-1]) and is_spaceless(following.text[0])
        if gap > 0 and not written_together:
            spaces[at] = gap
    return list(zip(line.words, spaces, strict=True))


def characters_of(lines: Iterable[Line]) -> set[str]:
    return {character for line in lines for word in line.words for character in word.text}


def _width(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    if is_spaceless(character) or unicodedata.east_asian_width(character) in ("W", "F"):
        return 1000
    if character in _NARROW:
        return 280
    if character in _WIDE:
        return 850
    return 670 if character.isupper() else 250 if character == " " else 530


def _to_unicode(codes: dict[str, int]) -> bytes:
    entries = [f"<{code:04X}> <{character.encode('utf-16-be').hex().upper()}>" for character, code in codes.items()]
    blocks = [entries[at : at + MAX_CODES_PER_BLOCK] for at in range(0, len(entries), MAX_CODES_PER_BLOCK)]
    lines = [
        "/CIDInit /ProcSet findresource begin",
        "12 dict begin",
        "begincmap",
        "/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def",
        "/CMapName /Adobe-Identity-UCS def",
        "/CMapType 2 def",
        "1 begincodespacerange",
        "<0000> <FFFF>",
        "endcodespacerange",
    ]
    for block in blocks:
        lines += [f"{len(block)} beginbfchar", *block, "endbfchar"]
    lines += ["endcmap", "CMapName currentdict /CMap defineresource pop", "end", "end"]
    return "\n".join(lines).encode("ascii")


def _number(value: float) -> str:
    text = f"{value:.3f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text
