"""Gathers the facts about each page on which the decision rests. Runs in the jail only."""

from pathlib import Path

import pikepdf
import pypdfium2.raw as raw
from PIL import Image

from functions.ocr.core import ImageFacts, PageFacts, needs_ink, plan_page
from functions.ocr.geometry import area, intersection, map_box, to_shown
from functions.ocr.layers import PageLayers
from functions.ocr.models import Line, PageGeometry, PagePlan
from functions.ocr.pdfium import (
    IMAGE,
    PATH,
    SHADING,
    TEXT,
    Document,
    Page,
    PageObject,
    address,
    box_of,
    geometry_of,
    hide,
    image_size,
    is_invisible_text,
    open_document,
    open_page,
    page_objects,
)
from functions.ocr.textlayer import read_text_layer
from shared.documents import Box, Word
from shared.errors import FailureCode, StepFailed

INK_DPI = 36
INK_CELL_PIXELS = 4
INK_CONTRAST = 60
"""Grey levels (of 255) between the darkest and the lightest pixel of a cell with ink."""


def inspect_document(path: Path, max_pages: int, layers: PageLayers | None = None) -> list[PagePlan]:
    """Plans all pages, and leaves the text that it read in `layers`.

    Raises StepFailed (encrypted, corrupt, too_many_pages).
    """
    document = open_document(path)
    try:
        units = user_units(path)
        if len(units) != len(document):
            raise StepFailed(FailureCode.CORRUPT, "The file is damaged: its pages cannot be counted reliably.")
        if len(units) > max_pages:
            raise StepFailed(
                FailureCode.TOO_MANY_PAGES, f"The document has {len(units)} pages; the limit is {max_pages}."
            )
        kept = layers or PageLayers()
        return [plan_page(page_facts(document, number, unit, kept)) for number, unit in enumerate(units, 1)]
    finally:
        document.close()


def user_units(path: Path) -> list[float]:
    """The size of one unit of each page in points (ISO 32000-1 table 30, UserUnit), which PDFium does not tell."""
    try:
        with pikepdf.open(path) as pdf:
            return [_unit(page.obj.get("/UserUnit")) for page in pdf.pages]
    except pikepdf.PasswordError as error:
        raise StepFailed(FailureCode.ENCRYPTED) from error
    except pikepdf.PdfError as error:
        raise StepFailed(FailureCode.CORRUPT) from error


def page_facts(document: Document, number: int, user_unit: float, layers: PageLayers) -> PageFacts:
    page = open_page(document, number)
    try:
        return _facts(page, number, geometry_of(page, user_unit), layers)
    finally:
        page.close()


def hidden_text_addresses(items: list[PageObject], geometry: PageGeometry) -> set[int]:
    """Text that nobody sees: painted invisibly, or covered by an image over the whole page that is painted later."""
    hidden: set[int] = set()
    earlier: list[int] = []
    matrix = to_shown(geometry)
    for item in items:
        if item.kind == TEXT:
            earlier.append(address(item.handle))
            if is_invisible_text(item.handle):
                hidden.add(earlier[-1])
        elif item.kind == IMAGE and _covers_page(item, matrix, geometry):
            hidden.update(earlier)
    return hidden


def _facts(page: Page, number: int, geometry: PageGeometry, layers: PageLayers) -> PageFacts:
    items = list(page_objects(page))
    hidden = hidden_text_addresses(items, geometry)
    layer = read_text_layer(page, geometry, hidden.__contains__ if hidden else None)
    layers.keep(number, layer)
    facts = PageFacts(
        number=number,
        geometry=geometry,
        visible=_words(layer.visible),
        hidden=_words(layer.hidden),
        characters=layer.characters,
        damaged=layer.damaged,
        images=tuple(_image_facts(items, geometry)),
        drawings=sum(item.kind in (PATH, SHADING) for item in items),
    )
    if not needs_ink(facts):
        return facts
    return PageFacts(**{**vars(facts), "uncovered_ink": _uncovered_ink(page, items, facts)})


def _words(lines: tuple[Line, ...]) -> tuple[Word, ...]:
    return tuple(word for line in lines for word in line.words)


def _image_facts(items: list[PageObject], geometry: PageGeometry) -> list[ImageFacts]:
    matrix = to_shown(geometry)
    page = (0.0, 0.0, *geometry.size)
    facts = []
    for item in items:
        box = box_of(item) if item.kind == IMAGE else None
        if box is not None and area(intersection(map_box(matrix, box), page)) > 0:
            facts.append(ImageFacts(intersection(map_box(matrix, box), page), *image_size(item.handle)))
    return facts


def _covers_page(
    item: PageObject, matrix: tuple[float, float, float, float, float, float], geometry: PageGeometry
) -> bool:
    box = box_of(item)
    page: Box = (0.0, 0.0, *geometry.size)
    if box is None or raw.FPDFPageObj_HasTransparency(item.handle):
        return False
    return area(intersection(map_box(matrix, box), page)) > 0.9 * area(page)


def _uncovered_ink(page: Page, items: list[PageObject], facts: PageFacts) -> float:
    """The share of the inked cells of the page, without its text, that lie outside of the words' boxes."""
    hide([item.handle for item in items if item.kind == TEXT])
    scale = INK_DPI / 72
    picture = page.render(scale=scale, grayscale=True, may_draw_forms=False).to_pil()
    cells = _inked_cells(picture)
    if not cells:
        return 0.0
    covered: set[tuple[int, int]] = set()
    for word in facts.hidden + facts.visible:
        x0, y0, x1, y1 = (int(value * scale // INK_CELL_PIXELS) for value in word.box)
        covered.update((x, y) for x in range(x0 - 1, x1 + 2) for y in range(y0 - 1, y1 + 2))
    return len(cells - covered) / len(cells)


def _inked_cells(picture: Image.Image) -> set[tuple[int, int]]:
    size = (max(1, picture.width // INK_CELL_PIXELS), max(1, picture.height // INK_CELL_PIXELS))
    mean = picture.resize(size, Image.Resampling.BOX)
    background = sorted(mean.tobytes())[int(0.9 * (size[0] * size[1] - 1))]
    levels = mean.tobytes()
    return {
        (at % size[0], at // size[0]) for at, level in enumerate(levels) if abs(background - level) > INK_CONTRAST // 2
    }


def _unit(value: object) -> float:
    try:
        unit = float(value)  # type: ignore[arg-type]  # a pikepdf number; anything else is caught
    except (TypeError, ValueError):
        return 1.0
    return unit if 0.01 <= unit <= 10_000 else 1.0
