"""Makes the file that a recognition service is sent: pictures of pages, and nothing else of the document.

What is recognized is then what can be seen: no text layer of doubtful origin, no annotations, attachments or names, and
one system of coordinates whatever rotation, crop box or unit a page has. Runs in the jail only.
"""

import io
from collections.abc import Sequence
from pathlib import Path

import pikepdf
from PIL import Image, ImageDraw

from functions.ocr.inspection import hidden_text_addresses
from functions.ocr.models import PageKind, PagePicture, PagePlan
from functions.ocr.pdfium import Document, open_page, page_objects
from functions.ocr.pictures import is_blank
from functions.ocr.raster import Raster, native_dpi, page_raster, region_raster, without_text
from functions.ocr.textlayer import read_text_layer
from shared.documents import Box
from shared.errors import StepFailed

SENDING_DPI = 200.0
MAX_SIDE_PIXELS = 9_800
"""Services take pictures of up to 10,000 pixels a side."""
MAX_SIDE_POINTS = 17 * 72.0
"""… and PDF pages of up to 17 inches."""
JPEG_QUALITY = 88
WHITE = 255


def write_pictures(document: Document, plans: Sequence[PagePlan], max_pixels: int, output: Path) -> list[PagePicture]:
    """Write a PDF with a page for each page that has something on it, in order; tell what was made of each plan."""
    made: list[PagePicture] = []
    with pikepdf.new() as pdf:
        for plan in plans:
            try:
                raster, known = _seen(document, plan, max_pixels)
            except StepFailed as failed:
                made.append(PagePicture(number=plan.number, failure=failed.message))
                continue
            if is_blank(raster.picture):
                made.append(PagePicture(number=plan.number))
                continue
            _add_page(pdf, raster.picture)
            made.append(PagePicture(number=plan.number, sent=len(pdf.pages), frame=raster.frame, known=known))
        pdf.save(output, deterministic_id=True)
    return made


def _seen(document: Document, plan: PagePlan, max_pixels: int) -> tuple[Raster, tuple[Box, ...]]:
    page = open_page(document, plan.number)
    try:
        items = list(page_objects(page))
        hidden = hidden_text_addresses(items, plan.geometry)
        if plan.kind is not PageKind.MIXED:
            return page_raster(page, plan.geometry, hidden, max_pixels, SENDING_DPI), ()
        layer = read_text_layer(page, plan.geometry, hidden.__contains__)
        without_text(page)
        whole = (0.0, 0.0, *plan.geometry.size)
        native = native_dpi(items, plan.geometry)
        raster = region_raster(page, plan.geometry, whole, max_pixels, SENDING_DPI, native)
        _keep_regions(raster, plan.regions)
        return raster, tuple(word.box for line in layer.visible for word in line.words)
    finally:
        page.close()


def _keep_regions(raster: Raster, regions: Sequence[Box]) -> None:
    """Leaves white what is not to be recognized."""
    picture, frame = raster.picture, raster.frame
    x_scale, y_scale = picture.width / (frame[2] - frame[0]), picture.height / (frame[3] - frame[1])
    mask = Image.new("1", picture.size, 1)
    pencil = ImageDraw.Draw(mask)
    for region in regions:
        x0, y0 = (region[0] - frame[0]) * x_scale, (region[1] - frame[1]) * y_scale
        x1, y1 = (region[2] - frame[0]) * x_scale, (region[3] - frame[1]) * y_scale
        pencil.rectangle((x0, y0, max(x0, x1), max(y0, y1)), fill=0)
    picture.paste(WHITE, (0, 0, *picture.size), mask)


def _add_page(pdf: pikepdf.Pdf, picture: Image.Image) -> None:
    picture.thumbnail((MAX_SIDE_PIXELS, MAX_SIDE_PIXELS), Image.Resampling.BOX)
    jpeg = io.BytesIO()
    picture.save(jpeg, "JPEG", quality=JPEG_QUALITY)
    scale = min(72 / SENDING_DPI, MAX_SIDE_POINTS / max(picture.size))
    size = (picture.width * scale, picture.height * scale)
    image = pikepdf.Stream(
        pdf,
        jpeg.getvalue(),
        Type=pikepdf.Name.XObject,
        Subtype=pikepdf.Name.Image,
        Width=picture.width,
        Height=picture.height,
        ColorSpace=pikepdf.Name.DeviceGray,
        BitsPerComponent=8,
        Filter=pikepdf.Name.DCTDecode,
    )
    page = pdf.add_blank_page(page_size=size)
    page.obj.Resources = pikepdf.Dictionary(XObject=pikepdf.Dictionary(Im=pdf.make_indirect(image)))
    page.obj.Contents = pdf.make_stream(f"q {size[0]:.3f} 0 0 {size[1]:.3f} 0 0 cm /Im Do Q".encode())
