"""The values that the OCR function passes around: what is to be done with each page, and what was read on it."""

from enum import StrEnum
from typing import Literal

from shared.documents import Box, Frozen, Notice, Word

Quarter = Literal[0, 90, 180, 270]
"""A clockwise turn in degrees."""


class PageKind(StrEnum):
    """Where the text of a page comes from."""

    DIGITAL = "digital"
    """The page's own text is kept, nothing is recognized."""
    OCR = "ocr"
    """The page is a picture: all of it is recognized."""
    MIXED = "mixed"
    """The page's own text is kept, and the areas in `regions` are recognized."""
    BLANK = "blank"
    """Nothing is on the page."""


class PageGeometry(Frozen):
    """How a page lies in its own coordinates: `box` (x0, y0, x1, y1; y upwards) is what is shown of it.

    `rotation` is the page's /Rotate. `user_unit` is the size of one unit in points; it matters for resolutions only:
    boxes are given in units, as PDFium, Poppler and most viewers count them.
    """

    box: Box
    rotation: Quarter = 0
    user_unit: float = 1.0

    @property
    def size(self) -> tuple[float, float]:
        """Width and height as shown."""
        width, height = self.box[2] - self.box[0], self.box[3] - self.box[1]
        return (width, height) if self.rotation in (0, 180) else (height, width)


class PagePlan(Frozen):
    """The decision on one page. `regions` are boxes on the page as shown; `reason` says why, for logs and tests."""

    number: int
    kind: PageKind
    geometry: PageGeometry
    regions: tuple[Box, ...] = ()
    replaces_layer: bool = False
    """An invisible text layer of another tool is there and gives way to ours."""
    mutes_text: bool = False
    """Visible text without meaning (a font without a usable character map) is made unreadable to text extraction."""
    reason: str = ""

    @property
    def needs_recognition(self) -> bool:
        return self.kind in (PageKind.OCR, PageKind.MIXED)


class PagePicture(Frozen):
    """A page in the file that a recognition service is sent: its place there (from 1; 0: it was not sent, since it is
    blank or cannot be drawn), the box of the page as shown that is in the picture, and where words are known already.
    """

    number: int
    sent: int = 0
    frame: Box = (0.0, 0.0, 0.0, 0.0)
    known: tuple[Box, ...] = ()
    failure: str | None = None


class Line(Frozen):
    """Words that stand side by side on one line, in logical order.

    `hyphenated`: the last word goes on in the next line, and its hyphen is only there for the line break.
    """

    words: tuple[Word, ...]
    hyphenated: bool = False

    @property
    def box(self) -> Box:
        boxes = [word.box for word in self.words]
        return (
            min(box[0] for box in boxes),
            min(box[1] for box in boxes),
            max(box[2] for box in boxes),
            max(box[3] for box in boxes),
        )


class RecognizedPage(Frozen):
    """What an engine read on one page.

    Boxes are those of the page after it has been turned clockwise by `turn`. `failure` (a sentence) says that nothing
    could be read for a technical reason; an empty page without it is a legitimate result.
    """

    number: int
    turn: Quarter = 0
    lines: tuple[Line, ...] = ()
    notices: tuple[Notice, ...] = ()
    failure: str | None = None

    @property
    def words(self) -> tuple[Word, ...]:
        return tuple(word for line in self.lines for word in line.words)
