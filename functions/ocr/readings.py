"""Azure Document Intelligence's answers as our pages. Pure: JSON in, recognized pages out.

The shapes are those of the REST reference, version 2024-11-30 (AnalyzeOperation, DocumentPage, DocumentWord), and its
error guide; what is not needed here is not looked at.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import Field

from functions.ocr.core import doubtful_notice, is_doubtful, without_doubles
from functions.ocr.engine import NoResult
from functions.ocr.geometry import area, bounding, intersection, quarter, turn_box, turned
from functions.ocr.layout import with_hyphenation
from functions.ocr.models import Line, PageKind, PagePicture, PagePlan, Quarter, RecognizedPage
from shared.documents import Box, Frozen, Notice, Word
from shared.errors import FailureCode, StepFailed

NOT_ANSWERED = "The text recognition service did not answer this page."
FEWER_PAGES = (
    "The text recognition service answered fewer pages than it was sent. Its free tier reads two pages of each "
    "request: use a paid tier, or set OCR_BATCH_PAGES=2."
)
UNREADABLE = frozenset({"InvalidContent", "UnsupportedContent", "InvalidContentSourceFormat"})
TOO_LARGE = frozenset({"InvalidContentLength", "InvalidContentDimensions", "ContentTooLarge", "RequestEntityTooLarge"})
MAX_NESTING = 5


class Span(Frozen):
    """A place in the whole text, by which words find their lines."""

    offset: int
    length: int

    def holds(self, other: "Span") -> bool:
        """Whether the other one begins inside."""
        return self.offset <= other.offset < self.offset + self.length


class ReadWord(Frozen):
    """A word: `polygon` are x and y of its corners, in the unit of its page."""

    content: str
    polygon: tuple[float, ...] = ()
    span: Span
    confidence: float = 0.0


class ReadLine(Frozen):
    """A line, by the spans of its words."""

    spans: tuple[Span, ...] = ()


class ReadPage(Frozen):
    """A page of what was sent; `angle` is the clockwise orientation of its content in degrees."""

    number: int = Field(alias="pageNumber")
    angle: float | None = None
    width: float | None = None
    height: float | None = None
    words: tuple[ReadWord, ...] | None = None
    lines: tuple[ReadLine, ...] | None = None


class Problem(Frozen):
    """An error, with what is known of its cause inside."""

    code: str | None = None
    message: str | None = None
    inner: "Problem | None" = Field(None, alias="innererror")
    details: tuple["Problem", ...] | None = None

    def codes(self, depth: int = 0) -> frozenset[str]:
        """Every code, however deep."""
        if depth > MAX_NESTING:
            return frozenset()
        found = {self.code} if self.code else set()
        for each in (*(self.details or ()), *((self.inner,) if self.inner else ())):
            found |= each.codes(depth + 1)
        return frozenset(found)


class Analysis(Frozen):
    """What was read."""

    pages: tuple[ReadPage, ...] = ()


class Operation(Frozen):
    """Where an operation stands."""

    status: Literal["notStarted", "running", "succeeded", "failed", "canceled", "skipped"]
    result: Analysis | None = Field(None, alias="analyzeResult")
    error: Problem | None = None


class Refusal(Frozen):
    """The body of an error answer."""

    error: Problem = Problem()


def failure_of(problem: Problem) -> StepFailed | None:
    """The failure that the content itself determines; None for anything that may pass.

    https://learn.microsoft.com/azure/ai-services/document-intelligence/v3-error-guide
    """
    codes = problem.codes()
    if codes & TOO_LARGE:
        return StepFailed(FailureCode.TOO_LARGE, "The pages are too large for the text recognition service.")
    if codes & UNREADABLE:
        return StepFailed(FailureCode.OCR_FAILED)
    return None


def recognized_pages(
    analysis: Analysis, plans: Sequence[PagePlan], pictures: Sequence[PagePicture]
) -> tuple[RecognizedPage, ...]:
    """The pages as planned, in order. Raises NoResult where the answer is about pages that were not sent."""
    sent = [picture.sent for picture in pictures if picture.sent]
    numbers = [page.number for page in analysis.pages]
    if len(set(numbers)) != len(numbers) or not set(numbers) <= set(sent):
        raise NoResult("The text recognition service answered other pages than it was sent.")
    answered = {page.number: page for page in analysis.pages}
    shown = {plan.number: plan for plan in plans}
    return tuple(_recognized(shown[picture.number], picture, answered) for picture in pictures)


def _recognized(plan: PagePlan, picture: PagePicture, answered: Mapping[int, ReadPage]) -> RecognizedPage:
    if not picture.sent:
        return RecognizedPage(number=plan.number, failure=picture.failure)
    page = answered.get(picture.sent)
    if page is None:
        code = FailureCode.OCR_INCOMPLETE.value
        notice = Notice(code=code, message=FEWER_PAGES, pages=(plan.number,), needs_decision=True)
        return RecognizedPage(number=plan.number, notices=(notice,), failure=NOT_ANSWERED)
    turn: Quarter = quarter(-(page.angle or 0.0)) if plan.kind is PageKind.OCR and page.words else 0
    lines = with_hyphenation(_lines(page, plan, picture, turn))
    notices = (doubtful_notice(plan.number),) if is_doubtful([word for line in lines for word in line.words]) else ()
    return RecognizedPage(number=plan.number, turn=turn, lines=lines, notices=notices)


def _lines(page: ReadPage, plan: PagePlan, picture: PagePicture, turn: Quarter) -> list[Line]:
    groups: dict[int, list[Word]] = {}
    known = [Word(text="", box=box) for box in picture.known]
    for word in page.words or ():
        placed = _placed(word, page, plan, picture, turn)
        if placed is not None and without_doubles([placed], known):
            groups.setdefault(_line_of(word, page), []).append(placed)
    return [Line(words=tuple(words)) for words in groups.values()]


def _line_of(word: ReadWord, page: ReadPage) -> int:
    """The line's place on the page; a word that is in none stands alone."""
    for place, line in enumerate(page.lines or ()):
        if any(span.holds(word.span) for span in line.spans):
            return place
    return -1 - word.span.offset


def _placed(word: ReadWord, page: ReadPage, plan: PagePlan, picture: PagePicture, turn: Quarter) -> Word | None:
    """The word on our page; proportions are the same in inches and in pixels. None where it has no place on it."""
    text = "".join(character for character in word.content if character.isprintable()).strip()
    if not text or len(word.polygon) < 6 or not page.width or not page.height:
        return None
    x0, y0, x1, y1 = bounding(zip(word.polygon[::2], word.polygon[1::2], strict=False))
    left, top, right, bottom = picture.frame
    x_scale, y_scale = (right - left) / page.width, (bottom - top) / page.height
    shown: Box = (left + x0 * x_scale, top + y0 * y_scale, left + x1 * x_scale, top + y1 * y_scale)
    box = turn_box(shown, plan.geometry.size, turn)
    inside = intersection(box, (0.0, 0.0, *turned(plan.geometry, turn).size))
    if area(inside) <= 0:
        return None
    x0, y0, x1, y1 = (round(value, 2) for value in inside)
    return Word(text=text, box=(x0, y0, x1, y1), confidence=round(min(max(word.confidence, 0.0), 1.0), 3))
