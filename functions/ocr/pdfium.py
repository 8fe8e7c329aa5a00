"""Typed access to the few parts of PDFium that are needed here. Runs in the jail only.

Works on raw handles where the wrapper would make an object per character or per drawing: pages have thousands of them.
"""

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pypdfium2
import pypdfium2.raw as raw

from functions.ocr.geometry import IDENTITY, Matrix, bounding, multiply, quarter
from functions.ocr.models import PageGeometry
from shared.documents import Box
from shared.errors import FailureCode, StepFailed

Document = Any
"""pypdfium2.PdfDocument; the library carries no types."""
Page = Any
"""pypdfium2.PdfPage."""

TEXT, PATH, IMAGE, SHADING, FORM = 1, 2, 3, 4, 5
MAX_FORM_DEPTH = 8
MAX_OBJECTS = 200_000
INVISIBLE_RENDER_MODES = frozenset({3, 7})
"""Neither filled nor stroked; 7 only clips."""


@dataclass(frozen=True)
class PageObject:
    """An object on a page: `box` in the page's own coordinates, `matrix` from the object's space to them."""

    handle: Any
    kind: int
    matrix: Matrix


def open_document(path: Path) -> Document:
    """Opens a PDF. Raises StepFailed (encrypted, corrupt)."""
    try:
        return pypdfium2.PdfDocument(path)
    except pypdfium2.PdfiumError as error:
        code = (
            FailureCode.ENCRYPTED if getattr(error, "err_code", None) == raw.FPDF_ERR_PASSWORD else FailureCode.CORRUPT
        )
        raise StepFailed(code) from error


def open_page(document: Document, number: int) -> Page:
    """A page by its number from 1, with the visible values of form fields and notes made part of its content.

    Raises StepFailed(corrupt) if PDFium cannot read it.
    """
    try:
        page = document[number - 1]
        if raw.FPDFPage_GetAnnotCount(page.raw) and raw.FPDFPage_Flatten(page.raw, raw.FLAT_NORMALDISPLAY) == 1:
            page.close()
            page = document[number - 1]
    except pypdfium2.PdfiumError as error:
        raise StepFailed(FailureCode.CORRUPT, f"Page {number} is damaged and could not be read.") from error
    return page


def geometry_of(page: Page, user_unit: float) -> PageGeometry:
    """The page as PDFium shows it: crop box within media box, defaults where the file has none."""
    box = raw.FS_RECTF()
    raw.FPDF_GetPageBoundingBox(page.raw, box)
    rotation = quarter(90 * raw.FPDFPage_GetRotation(page.raw))
    return PageGeometry(box=(box.left, box.bottom, box.right, box.top), rotation=rotation, user_unit=user_unit)


def page_objects(page: Page) -> Iterator[PageObject]:
    """All objects in painting order, those inside of forms with the form's matrix."""
    budget = [MAX_OBJECTS]
    count = raw.FPDFPage_CountObjects(page.raw)
    for index in range(count):
        yield from _expanded(raw.FPDFPage_GetObject(page.raw, index), IDENTITY, 0, budget)


def box_of(item: PageObject) -> Box | None:
    """The object's box in the page's own coordinates; None if it has none."""
    left, bottom, right, top = (ctypes.c_float() for _ in range(4))
    if not raw.FPDFPageObj_GetBounds(item.handle, left, bottom, right, top):
        return None
    corners = [(x, y) for x in (left.value, right.value) for y in (bottom.value, top.value)]
    a, b, c, d, e, f = item.matrix
    return bounding([(a * x + c * y + e, b * x + d * y + f) for x, y in corners])


def matrix_of(handle: Any) -> Matrix:
    matrix = raw.FS_MATRIX()
    if not raw.FPDFPageObj_GetMatrix(handle, matrix):
        return IDENTITY
    return (matrix.a, matrix.b, matrix.c, matrix.d, matrix.e, matrix.f)


def is_invisible_text(handle: Any) -> bool:
    """Text in render mode 3 or 7, or painted with no opacity at all."""
    if raw.FPDFTextObj_GetTextRenderMode(handle) in INVISIBLE_RENDER_MODES:
        return True
    red, green, blue, alpha = (ctypes.c_uint() for _ in range(4))
    return bool(raw.FPDFPageObj_GetFillColor(handle, red, green, blue, alpha)) and alpha.value == 0


def address(handle: Any) -> int:
    """A number that is the same for two handles of the same object."""
    return ctypes.cast(handle, ctypes.c_void_p).value or 0


def image_size(handle: Any) -> tuple[int, int]:
    """Width and height in pixels."""
    width, height = ctypes.c_uint(), ctypes.c_uint()
    raw.FPDFImageObj_GetImagePixelSize(handle, width, height)
    return width.value, height.value


def hide(handles: list[Any]) -> None:
    """Leaves the objects out of what is rendered from now on."""
    for handle in handles:
        raw.FPDFPageObj_SetIsActive(handle, False)


def _expanded(handle: Any, matrix: Matrix, depth: int, budget: list[int]) -> Iterator[PageObject]:
    budget[0] -= 1
    if budget[0] < 0:
        return
    kind = raw.FPDFPageObj_GetType(handle)
    if kind != FORM:
        yield PageObject(handle, kind, matrix)
    elif depth < MAX_FORM_DEPTH:
        inner = multiply(matrix_of(handle), matrix)
        for index in range(raw.FPDFFormObj_CountObjects(handle)):
            yield from _expanded(raw.FPDFFormObj_GetObject(handle, index), inner, depth + 1, budget)
