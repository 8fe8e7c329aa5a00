"""Recognizes one page: the right picture at the right size, the right way up, in the right script.

Most pages are read once. A page whose first reading is doubtful is looked at again: turned, finer, or in another
script. Runs in the jail only.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from PIL import Image

from functions.ocr.core import DOUBTFUL_PAGE_CONFIDENCE, doubtful_notice, without_doubles
from functions.ocr.geometry import turn_box, turned
from functions.ocr.inspection import hidden_text_addresses
from functions.ocr.languages import packs_for_script
from functions.ocr.layout import with_hyphenation
from functions.ocr.models import Line, PageKind, PagePlan, Quarter, RecognizedPage
from functions.ocr.pdfium import Document, Page, open_page, page_objects
from functions.ocr.pictures import (
    FRAME_PIXELS,
    framed,
    is_blank,
    lines_run,
    painted_over,
    turned_picture,
    unread_share,
    unread_spots,
)
from functions.ocr.raster import FINE_DPI, TARGET_DPI, Raster, native_dpi, page_raster, region_raster, without_text
from functions.ocr.tesseract import (
    GOOD_CONFIDENCE,
    SURE_CONFIDENCE,
    TURN_GAIN,
    Orientation,
    PictureReader,
    Reading,
    ReadWord,
    Search,
)
from functions.ocr.textlayer import read_text_layer
from shared.documents import Box, Notice, Word
from shared.errors import FailureCode

SIMPLE_DPI, SIMPLE_MAX_PIXELS = 120.0, 4_000_000
SMALL_TEXT_PIXELS = 12.0
"""Lines lower than this are read better from a larger picture."""
COMFORTABLE_TEXT_PIXELS = 26.0
UNREAD_SHARE = 0.15
SURE_SCATTERED_CONFIDENCE = 0.70
SURE_FIGURE_CONFIDENCE = 0.90
SPOT_TEXT_PIXELS = 32.0
SURE_SCRIPT_CONFIDENCE = 3.0
SURE_ORIENTATION_CONFIDENCE = 5.0
FEW_WORDS = 3
SURE_WORD_CONFIDENCE = 0.80


@dataclass
class PageRecognizer:
    """Recognizes pages of a document with the packs chosen for it; `installed` are those that could be used besides."""

    reader: PictureReader
    packs: tuple[str, ...]
    installed: frozenset[str]
    max_pixels: int
    simple: bool = False

    def recognize(self, document: Document, plan: PagePlan) -> RecognizedPage:
        page = open_page(document, plan.number)
        try:
            return self._mixed(page, plan) if plan.kind is PageKind.MIXED else self._whole(page, plan)
        finally:
            page.close()

    def _whole(self, page: Page, plan: PagePlan) -> RecognizedPage:
        hidden = hidden_text_addresses(list(page_objects(page)), plan.geometry)

        if self.simple:
            return self._simply(page, plan)

        def raster_at(dpi: float) -> Raster:
            return page_raster(page, plan.geometry, hidden, self.max_pixels, dpi)

        raster = raster_at(TARGET_DPI)
        if is_blank(raster.picture):
            return RecognizedPage(number=plan.number)
        reading, script = self._read_any_way_up(raster)
        reading, raster = self._improved(reading, raster, raster_at)
        reading = self._completed(reading, raster)
        lines = _placed(reading, raster, plan.geometry.size)
        missing = _missing_script(script, reading, self.packs, self.installed)
        if missing or reading.confidence < DOUBTFUL_PAGE_CONFIDENCE:
            lines = _only_sure(lines)
        size = turned(plan.geometry, reading.turn).size
        notices = _notices(plan.number, reading, missing)
        return RecognizedPage(number=plan.number, turn=reading.turn, lines=_within(lines, size), notices=notices)

    def _simply(self, page: Page, plan: PagePlan) -> RecognizedPage:
        """One reading of a coarse rendering."""
        raster = region_raster(page, plan.geometry, (0.0, 0.0, *plan.geometry.size), SIMPLE_MAX_PIXELS, SIMPLE_DPI)
        reading = self.reader.read(raster.picture, self.packs, raster.dpi)
        return RecognizedPage(number=plan.number, lines=_placed(reading, raster, plan.geometry.size))

    def _mixed(self, page: Page, plan: PagePlan) -> RecognizedPage:
        """The images only; words that stand on words of the page's own text are left out."""
        hidden = hidden_text_addresses(list(page_objects(page)), plan.geometry)
        layer = read_text_layer(page, plan.geometry, hidden.__contains__)
        known = [word for line in layer.visible for word in line.words]
        without_text(page)
        native = native_dpi(list(page_objects(page)), plan.geometry)
        lines: list[Line] = []
        for region in plan.regions:

            def raster_at(dpi: float, region: Box = region) -> Raster:
                return region_raster(page, plan.geometry, region, self.max_pixels, dpi, native)

            raster = raster_at(TARGET_DPI)
            if is_blank(raster.picture):
                continue
            reading = self.reader.read(raster.picture, self.packs, raster.dpi)
            reading, raster = self._improved(reading, raster, raster_at)
            if _is_sure(reading):
                lines += _placed(reading, raster, plan.geometry.size)
        kept = [line.model_copy(update={"words": without_doubles(line.words, known)}) for line in lines]
        return RecognizedPage(number=plan.number, lines=tuple(line for line in kept if line.words))

    def _read_any_way_up(self, raster: Raster) -> tuple[Reading, str]:
        """The best reading of a picture that may lie any way up, and the script that nobody here reads ("" if none)."""
        picture, dpi = raster.picture, raster.dpi
        direction = lines_run(picture)
        first = Reading(size=picture.size)
        if direction != "down":
            first = self.reader.read(picture, self.packs, dpi)
            if _is_good(first):
                return first, ""
        orientation = self.reader.orientation(picture, dpi)
        if orientation is None and not first.words and direction != "down":
            return first, ""
        best = first
        for turn in _turns_to_try(direction, orientation):
            reading = self.reader.read(picture, self.packs, dpi, turn)
            if _is_sure(reading) and reading.value > best.value * TURN_GAIN:
                best = reading
            if _is_good(best):
                break
        if best is first and direction == "down":
            best = self.reader.read(picture, self.packs, dpi)
        return self._in_script(best, picture, dpi, orientation)

    def _in_script(
        self, reading: Reading, picture: Image.Image, dpi: float, orientation: Orientation | None
    ) -> tuple[Reading, str]:
        """Reads again with the packs of the script that was detected, if there are any."""
        if orientation is None or _is_good(reading):
            return reading, ""
        packs = packs_for_script(orientation.script, self.packs, self.installed)
        if packs:
            again = self.reader.read(picture, (*packs, *self.packs), dpi, orientation.turn)
            return (again, "") if again.value > reading.value else (reading, "")
        unread = packs is None and orientation.script_confidence >= SURE_SCRIPT_CONFIDENCE
        return reading, orientation.script if unread else ""

    def _improved(
        self, reading: Reading, raster: Raster, raster_at: Callable[[float], Raster]
    ) -> tuple[Reading, Raster]:
        """Small or doubtful text is read again from a picture with more pixels; the better reading counts."""
        if not reading.words or (reading.confidence >= GOOD_CONFIDENCE and reading.text_height >= SMALL_TEXT_PIXELS):
            return reading, raster
        wanted = raster.dpi * max(1.3, COMFORTABLE_TEXT_PIXELS / max(reading.text_height, 1.0))
        finer = (
            raster_at(min(wanted, FINE_DPI)) if raster.native_dpi > 1.25 * raster.dpi else _enlarged(raster, reading)
        )
        if finer is None:
            return reading, raster
        again = self.reader.read(finer.picture, self.packs, finer.dpi, reading.turn)
        return (again, finer) if again.value > reading.value else (reading, raster)

    def _completed(self, reading: Reading, raster: Raster) -> Reading:
        """Adds words that stand alone in cells or on coloured ground, which reading by paragraphs passes over."""
        picture = turned_picture(raster.picture, reading.turn)
        boxes = [word.box for word in reading.words]
        if not boxes or unread_share(picture, boxes) < UNREAD_SHARE:
            return reading
        rest = self.reader.read(painted_over(picture, boxes), self.packs, raster.dpi, search=Search.WORDS)
        found = tuple(filter(None, (tuple(filter(_stands_out, line)) for line in rest.lines)))
        boxes += [word.box for line in found for word in line]
        for spot in unread_spots(picture, boxes, reading.text_height):
            found += self._read_spot(picture, spot, reading.text_height, raster.dpi)
        return replace(reading, lines=reading.lines + found)

    def _read_spot(
        self, picture: Image.Image, spot: Box, text_height: float, dpi: float
    ) -> tuple[tuple[ReadWord, ...], ...]:
        """The words of one spot, if they are sure, with boxes on the whole picture."""
        margin = int(0.3 * text_height) + 2
        left, top = max(0, int(spot[0]) - margin), max(0, int(spot[1]) - margin)
        right, bottom = int(spot[2]) + margin, int(spot[3]) + margin
        part = picture.crop((left, top, min(picture.width, right), min(picture.height, bottom)))
        scale = max(1.0, SPOT_TEXT_PIXELS / text_height)
        larger = part.resize((round(part.width * scale), round(part.height * scale)), Image.Resampling.LANCZOS)
        lines = self.reader.read(framed(larger), self.packs, dpi * scale, search=Search.LINE).lines
        moved = [tuple(_moved(word, left, top, scale) for word in line if _stands_out(word)) for line in lines]
        return tuple(filter(None, moved))


def _moved(word: ReadWord, left: int, top: int, scale: float) -> ReadWord:
    x0, y0, x1, y1 = ((value - FRAME_PIXELS) / scale for value in word.box)
    return ReadWord(word.text, (x0 + left, y0 + top, x1 + left, y1 + top), word.confidence)


def _stands_out(word: ReadWord) -> bool:
    """Whether a word is sure enough to be believed without a sentence around it."""
    if len(word.text) == 1:
        return word.confidence >= SURE_FIGURE_CONFIDENCE and word.text.isdigit()
    return word.confidence >= SURE_SCATTERED_CONFIDENCE


def _is_good(reading: Reading) -> bool:
    return reading.confidence >= GOOD_CONFIDENCE and len(reading.words) >= FEW_WORDS and not reading.is_sideways


def _is_sure(reading: Reading) -> bool:
    return reading.confidence >= SURE_CONFIDENCE and not reading.is_sideways


def _turns_to_try(direction: str, orientation: Orientation | None) -> list[Quarter]:
    if orientation is not None and orientation.confidence >= SURE_ORIENTATION_CONFIDENCE:
        return [orientation.turn] if orientation.turn or direction == "down" else []
    turns: list[Quarter] = [orientation.turn] if orientation is not None and orientation.turn else []
    if direction == "down":
        turns += [90, 270]
    elif direction == "across":
        turns.append(180)
    return list(dict.fromkeys(turns))


def _enlarged(raster: Raster, reading: Reading) -> Raster | None:
    """Twice as large, if the text is so small that this helps."""
    if reading.text_height >= SMALL_TEXT_PIXELS or max(raster.picture.size) > 2500:
        return None
    size = (raster.picture.width * 2, raster.picture.height * 2)
    return replace(raster, picture=raster.picture.resize(size, Image.Resampling.LANCZOS), dpi=raster.dpi * 2)


def _placed(reading: Reading, raster: Raster, page_size: tuple[float, float]) -> tuple[Line, ...]:
    """Lines with boxes on the page as shown after the turn."""
    if not reading.words:
        return ()
    turned_size = (page_size[1], page_size[0]) if reading.turn in (90, 270) else page_size
    frame = turn_box(raster.frame, page_size, reading.turn)
    x_scale = (frame[2] - frame[0]) / reading.size[0]
    y_scale = (frame[3] - frame[1]) / reading.size[1]

    def place(word: ReadWord) -> Word:
        x0, y0, x1, y1 = word.box
        box: Box = (
            round(max(0.0, frame[0] + x0 * x_scale), 2),
            round(max(0.0, frame[1] + y0 * y_scale), 2),
            round(min(turned_size[0], frame[0] + x1 * x_scale), 2),
            round(min(turned_size[1], frame[1] + y1 * y_scale), 2),
        )
        return Word(text=word.text, box=box, confidence=round(word.confidence, 3))

    return with_hyphenation([Line(words=tuple(map(place, line))) for line in reading.lines])


def _missing_script(script: str, reading: Reading, packs: Sequence[str], installed: frozenset[str]) -> str:
    covered = packs_for_script(script, packs, installed) is not None
    return "" if covered or reading.confidence >= SURE_CONFIDENCE else script


def _only_sure(lines: Sequence[Line]) -> tuple[Line, ...]:
    kept = [
        line.model_copy(update={"words": tuple(word for word in line.words if word.confidence >= SURE_WORD_CONFIDENCE)})
        for line in lines
    ]
    return tuple(line for line in kept if line.words)


def _within(lines: Sequence[Line], size: tuple[float, float]) -> tuple[Line, ...]:
    kept = [
        line.model_copy(update={"words": tuple(word for word in line.words if _has_extent(word.box, size))})
        for line in lines
    ]
    return tuple(line for line in kept if line.words)


def _has_extent(box: Box, size: tuple[float, float]) -> bool:
    return 0 <= box[0] < box[2] <= size[0] + 0.01 and 0 <= box[1] < box[3] <= size[1] + 0.01


def _notices(number: int, reading: Reading, missing: str) -> tuple[Notice, ...]:
    if missing:
        message = f"The text looks like {missing} script, for which no text recognition is installed on this server."
        return (
            Notice(code=FailureCode.OCR_LANGUAGE_MISSING.value, message=message, pages=(number,), needs_decision=True),
        )
    if reading.words and reading.confidence < DOUBTFUL_PAGE_CONFIDENCE:
        return (doubtful_notice(number),)
    return ()
