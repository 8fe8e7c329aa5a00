"""Makes the grey picture of a page, or of a part of it, from which text is recognized. Runs in the jail only.

A page that is one image is read from that image, without rendering; JPEG is decoded at the size that is needed.
"""

import ctypes
import io
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pypdfium2
import pypdfium2.raw as raw
from PIL import Image, ImageFile

from functions.ocr.geometry import Matrix, apply, area, bounding, intersection, map_box, multiply, to_shown
from functions.ocr.models import PageGeometry
from functions.ocr.pdfium import (
    IMAGE,
    TEXT,
    Page,
    PageObject,
    address,
    box_of,
    hide,
    image_size,
    matrix_of,
    page_objects,
)
from functions.ocr.pictures import tidy
from shared.documents import Box

TARGET_DPI = 150
"""Text of usual size is read fastest, and no worse, at this resolution; finer print is looked at again."""
FINE_DPI = 300
MIN_SIDE_PIXELS = 1500
"""Pictures smaller than this are enlarged: twice, tiny ones three times."""
TINY_SIDE_PIXELS = 500
MIN_SHEET_INCHES, SHEET_INCHES, MAX_SHEET_INCHES = 5.0, 11.7, 18.0
"""The short side of sheets of paper. Other pages are pictures: their resolution tells nothing of their text."""
PAGE_SHARE = 0.98
MAX_DIRECT_PIXELS = 80_000_000
"""Larger images are rendered instead: PDFium scales them down while it decodes."""

ImageFile.LOAD_TRUNCATED_IMAGES = True


@dataclass(frozen=True)
class Raster:
    """A grey picture and the box that it shows, on the page as shown. `native_dpi` is the finest that makes sense."""

    picture: Image.Image
    frame: Box
    dpi: float
    native_dpi: float


def page_raster(
    page: Page, geometry: PageGeometry, hidden: set[int], max_pixels: int, dpi: float = TARGET_DPI
) -> Raster:
    """The whole page: its one image if it is one, else a rendering without the text that `hidden` names."""
    items = list(page_objects(page))
    image = _only_image(page, items, geometry, hidden)
    raster = _from_image(page, image, geometry, max_pixels, dpi) if image is not None else None
    if raster is not None:
        return raster
    return region_raster(page, geometry, (0.0, 0.0, *geometry.size), max_pixels, dpi, native_dpi(items, geometry))


def region_raster(
    page: Page, geometry: PageGeometry, region: Box, max_pixels: int, dpi: float = TARGET_DPI, native: float = FINE_DPI
) -> Raster:
    """A rendering of a part of the page as it is now (text may have been hidden before)."""
    width, height = region[2] - region[0], region[3] - region[1]
    if min(geometry.size) * geometry.user_unit / 72 < MIN_SHEET_INCHES:
        dpi = FINE_DPI
    scale = _within(width, height, min(dpi, max(native, 72.0)) * geometry.user_unit / 72, max_pixels)
    page_width, page_height = geometry.size
    # What to cut off on each side, in points; PDFium rounds each up to whole pixels.
    cut = tuple(max(0.0, side) for side in (region[0], page_height - region[3], page_width - region[2], region[1]))
    picture = page.render(scale=scale, crop=cut, grayscale=True, may_draw_forms=False).to_pil()
    left, top = math.ceil(cut[0] * scale) / scale, math.ceil(cut[3] * scale) / scale
    frame = (left, top, left + picture.width / scale, top + picture.height / scale)
    return Raster(tidy(picture), frame, scale * 72 / geometry.user_unit, native)


def without_text(page: Page) -> None:
    """Leaves all text out of the following renderings, so that only what is pictured is recognized."""
    hide([item.handle for item in page_objects(page) if item.kind == TEXT])


def _only_image(page: Page, items: list[PageObject], geometry: PageGeometry, hidden: set[int]) -> PageObject | None:
    """The image that is all there is to see: over (nearly) the whole page, with nothing painted after it."""
    matrix = to_shown(geometry)
    frame: Box = (0.0, 0.0, *geometry.size)
    seen = [item for item in items if not (item.kind == TEXT and address(item.handle) in hidden)]
    if not seen or seen[-1].kind != IMAGE:
        return None
    image = seen[-1]
    box = box_of(image)
    if box is None or raw.FPDFPageObj_HasTransparency(image.handle) or not _is_unclipped(image, box):
        return None
    # Where something lies beneath, the image must cover all of it; alone it may leave margins.
    share = area(intersection(map_box(matrix, box), frame)) / area(frame)
    return image if len(seen) == 1 or share >= PAGE_SHARE else None


def _is_unclipped(item: PageObject, box: Box) -> bool:
    clip = raw.FPDFPageObj_GetClipPath(item.handle)
    for index in range(max(0, raw.FPDFClipPath_CountPaths(clip))):
        points = list(_clip_points(clip, index))
        if not points:
            return False
        clip_box = bounding(apply(item.matrix, x, y) for x, y in points)
        if area(intersection(clip_box, box)) < PAGE_SHARE * area(box):
            return False
    return True


def _clip_points(clip: Any, index: int) -> Iterator[tuple[float, float]]:
    for at in range(raw.FPDFClipPath_CountPathSegments(clip, index)):
        x, y = ctypes.c_float(), ctypes.c_float()
        raw.FPDFPathSegment_GetPoint(raw.FPDFClipPath_GetPathSegment(clip, index, at), x, y)
        yield x.value, y.value


def _from_image(page: Page, item: PageObject, geometry: PageGeometry, max_pixels: int, dpi: float) -> Raster | None:
    """None if the image stands askew, is too large, or is of a kind that only rendering does justice to."""
    matrix = multiply(multiply(matrix_of(item.handle), item.matrix), to_shown(geometry))
    turns = _transpositions(matrix)
    width, height = image_size(item.handle)
    if turns is None or width * height > min(MAX_DIRECT_PIXELS, max_pixels) or min(width, height) < 2:
        return None
    frame = map_box(matrix, (0.0, 0.0, 1.0, 1.0))
    shown_width = height if SIDEWAYS & set(turns) else width
    native = shown_width / _inches(frame, geometry)
    picture = _decode(page, item.handle, (width, height), _image_scale(width, height, native, dpi))
    if picture is None:
        return None
    for turn in turns:
        picture = picture.transpose(turn)
    picture, frame = _cropped(picture, frame, (0.0, 0.0, *geometry.size))
    return Raster(tidy(picture), frame, picture.width / _inches(frame, geometry), native)


def _inches(frame: Box, geometry: PageGeometry) -> float:
    return max(0.01, (frame[2] - frame[0]) * geometry.user_unit / 72)


SIDEWAYS = frozenset(
    {Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_270, Image.Transpose.TRANSPOSE, Image.Transpose.TRANSVERSE}
)
_TRANSPOSITIONS: dict[tuple[int, ...], tuple[Image.Transpose, ...]] = {
    # Where the pixel rows run to (x, y), where the pixel columns run to (x, y), on the page as shown (y downwards).
    (1, 0, 0, 1): (),
    (-1, 0, 0, -1): (Image.Transpose.ROTATE_180,),
    (0, 1, -1, 0): (Image.Transpose.ROTATE_270,),
    (0, -1, 1, 0): (Image.Transpose.ROTATE_90,),
    (-1, 0, 0, 1): (Image.Transpose.FLIP_LEFT_RIGHT,),
    (1, 0, 0, -1): (Image.Transpose.FLIP_TOP_BOTTOM,),
    (0, 1, 1, 0): (Image.Transpose.TRANSPOSE,),
    (0, -1, -1, 0): (Image.Transpose.TRANSVERSE,),
}


def _transpositions(matrix: Matrix) -> tuple[Image.Transpose, ...] | None:
    """What makes the pixels stand as on the page as shown; None if the image stands askew."""
    origin, right, down = apply(matrix, 0, 1), apply(matrix, 1, 1), apply(matrix, 0, 0)
    rows = _direction(right[0] - origin[0], right[1] - origin[1])
    columns = _direction(down[0] - origin[0], down[1] - origin[1])
    return _TRANSPOSITIONS.get((*rows, *columns)) if rows and columns else None


def _direction(x: float, y: float) -> tuple[int, int] | None:
    longest = max(abs(x), abs(y))
    if longest == 0 or min(abs(x), abs(y)) > 0.003 * longest:
        return None
    return (round(x / longest), 0) if abs(x) > abs(y) else (0, round(y / longest))


def _image_scale(width: int, height: int, native_dpi: float, dpi: float) -> float:
    """How much of an image's pixels are needed. Its resolution is believed only if the page has the size of a sheet."""
    longest = max(width, height)
    is_sheet = MIN_SHEET_INCHES <= min(width, height) / native_dpi <= MAX_SHEET_INCHES
    wanted = dpi / native_dpi if is_sheet else SHEET_INCHES * dpi / longest
    enlarged = min(_largest_enlargement(longest), MIN_SIDE_PIXELS / longest)
    return max(min(wanted, 1.0), enlarged) if enlarged > 1 else min(wanted, 1.0)


def _largest_enlargement(longest: float) -> float:
    return 2.0 if longest > TINY_SIDE_PIXELS else 3.0


def _decode(page: Page, handle: Any, size: tuple[int, int], scale: float) -> Image.Image | None:
    """The image in grey at about `scale`; None if its data are of a kind that has to be rendered."""
    picture = _decode_jpeg(page, handle, size, scale) or _decode_bitmap(page, handle)
    if picture is None:
        return None
    target = (max(1, round(size[0] * scale)), max(1, round(size[1] * scale)))
    if picture.size == target:
        return picture
    enlarge = target[0] > picture.width
    return picture.resize(target, Image.Resampling.LANCZOS if enlarge else Image.Resampling.BOX, reducing_gap=2.0)


def _decode_jpeg(page: Page, handle: Any, size: tuple[int, int], scale: float) -> Image.Image | None:
    wrapped = pypdfium2.PdfImage(handle, page=page, pdf=page.pdf)
    if wrapped.get_filters() != ["DCTDecode"]:
        return None
    try:
        with Image.open(io.BytesIO(bytes(wrapped.get_data())), formats=["JPEG"]) as picture:
            if picture.mode not in ("L", "RGB") or picture.size != size:
                return None
            # Decodes at 1/2, 1/4, 1/8 where that still leaves the pixels that are wanted; only the brightness is read.
            picture.draft("L", (round(size[0] * scale), round(size[1] * scale)))
            return picture.convert("L")
    except (OSError, ValueError, SyntaxError):
        return None


def _decode_bitmap(page: Page, handle: Any) -> Image.Image | None:
    wrapped = pypdfium2.PdfImage(handle, page=page, pdf=page.pdf)
    try:
        picture: Image.Image = wrapped.get_bitmap(render=False).to_pil()
        return picture.convert("L")
    except (pypdfium2.PdfiumError, ValueError, KeyError):
        return None


def _cropped(picture: Image.Image, frame: Box, page: Box) -> tuple[Image.Image, Box]:
    """Cuts off what lies outside of the shown page."""
    shown = intersection(frame, page)
    if area(shown) <= 0 or area(shown) > 0.995 * area(frame):
        return picture, frame
    x_scale, y_scale = picture.width / (frame[2] - frame[0]), picture.height / (frame[3] - frame[1])
    left, top = int((shown[0] - frame[0]) * x_scale), int((shown[1] - frame[1]) * y_scale)
    right = max(left + 1, min(picture.width, round((shown[2] - frame[0]) * x_scale)))
    bottom = max(top + 1, min(picture.height, round((shown[3] - frame[1]) * y_scale)))
    exact = (
        frame[0] + left / x_scale,
        frame[1] + top / y_scale,
        frame[0] + right / x_scale,
        frame[1] + bottom / y_scale,
    )
    return picture.crop((left, top, right, bottom)), exact


def native_dpi(items: list[PageObject], geometry: PageGeometry) -> float:
    """The resolution of the finest large image on the page; `FINE_DPI` where there is none (drawings)."""
    finest = 0.0
    for item in items:
        box = box_of(item) if item.kind == IMAGE else None
        if box is None or area(box) < 0.05 * area((0.0, 0.0, *geometry.size)):
            continue
        width, height = image_size(item.handle)
        long_side = max(box[2] - box[0], box[3] - box[1]) * geometry.user_unit / 72
        finest = max(finest, max(width, height) / max(long_side, 0.01))
    return min(finest, 600.0) or FINE_DPI


def _within(width: float, height: float, scale: float, max_pixels: int) -> float:
    """The scale, less if the picture would have too many pixels, more if it would be tiny."""
    longest = max(width, height, 1.0)
    scale = max(scale, min(_largest_enlargement(longest * scale) * scale, MIN_SIDE_PIXELS / longest))
    limit = min(max_pixels, MAX_DIRECT_PIXELS) / max(width * height, 1.0)
    return min(scale, float(limit**0.5))
