"""Small PDFs made on the spot: scans, text layers, mixed pages; and what other programs see in a PDF."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pikepdf
import pypdfium2
from PIL import Image, ImageDraw, ImageFont

from functions.ocr.models import PagePlan, RecognizedPage
from shared.documents import DocumentText, Word

FONT = "/usr/share/fonts/truetype/liberation/LiberationSans-Regular.ttf"
LETTER = (
    "Dear customer, thank you for your order of spare parts.",
    "Please transfer the amount of 119.00 EUR within thirty days.",
    "The goods leave our warehouse on Monday morning by truck.",
    "Questions are answered by our office between nine and five.",
    "With kind regards, the bookkeeping of Example Limited.",
)


@dataclass(frozen=True)
class Outcome:
    plans: tuple[PagePlan, ...]
    pages: tuple[RecognizedPage, ...]
    text: DocumentText
    pdf: Path
    notices: tuple[str, ...]


def picture(lines: Sequence[str] = LETTER, *, size: tuple[int, int] = (1240, 1754), points: int = 28) -> Image.Image:
    """A4 at 150 dpi with black text on white."""
    image = Image.new("L", size, 255)
    draw = ImageDraw.Draw(image)
    font = ImageFont.truetype(FONT, points)
    for at, line in enumerate(lines):
        draw.text((120, 160 + at * int(points * 1.8)), line, font=font, fill=20)
    return image


class PdfMaker:
    """Builds small PDFs out of images and content streams."""

    def __init__(self) -> None:
        self.pdf = pikepdf.new()
        font = pikepdf.Dictionary(Type=pikepdf.Name.Font, Subtype=pikepdf.Name.Type1, BaseFont=pikepdf.Name.Helvetica)
        self.font = self.pdf.make_indirect(font)

    def page(
        self,
        content: str,
        *,
        image: Image.Image | None = None,
        size: tuple[float, float] = (595.0, 842.0),
        **keys: object,
    ) -> "PdfMaker":
        """`content` may draw the image as /Im and set text in /F."""
        page = self.pdf.add_blank_page(page_size=size)
        resources = pikepdf.Dictionary(Font=pikepdf.Dictionary(F=self.font))
        if image is not None:
            resources.XObject = pikepdf.Dictionary(Im=self._image(image))
        page.obj.Resources = resources
        page.obj.Contents = self.pdf.make_stream(content.encode("latin-1"))
        for key, value in keys.items():
            page.obj["/" + key] = value
        return self

    def scan(self, image: Image.Image, **keys: object) -> "PdfMaker":
        return self.page("q 595 0 0 842 0 0 cm /Im Do Q", image=image, **keys)

    def save(self, path: Path) -> Path:
        self.pdf.save(path, deterministic_id=True)
        return path

    def _image(self, image: Image.Image) -> pikepdf.Object:
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=85)
        stream = self.pdf.make_stream(buffer.getvalue())
        stream.Type, stream.Subtype = pikepdf.Name.XObject, pikepdf.Name.Image
        stream.Width, stream.Height, stream.BitsPerComponent = image.width, image.height, 8
        stream.ColorSpace = pikepdf.Name.DeviceGray if image.mode == "L" else pikepdf.Name.DeviceRGB
        stream.Filter = pikepdf.Name.DCTDecode
        return stream


def text_content(lines: Sequence[str], *, x: float = 60, y: float = 760, size: float = 12, mode: int = 0) -> str:
    shown = "".join(f"({line}) Tj 0 -{size * 1.5} Td " for line in lines)
    return f"BT {mode} Tr /F {size} Tf {x} {y} Td {shown}ET\n"


def selected(pdf: Path, word: Word, number: int = 1) -> str:
    """What a viewer selects when the box of a word is dragged over."""
    document = pypdfium2.PdfDocument(pdf)
    page = document[number - 1]
    x0, y0, x1, y1 = word.box
    left, bottom, right, top = page.get_bbox()
    corners = {
        0: (left + x0, top - y1, left + x1, top - y0),
        90: (left + y0, bottom + x0, left + y1, bottom + x1),
        180: (right - x1, bottom + y0, right - x0, bottom + y1),
        270: (right - y1, top - x1, right - y0, top - x0),
    }[page.get_rotation()]
    return str(page.get_textpage().get_text_bounded(*corners)).strip()


def everything(pdf: Path) -> str:
    """All text that another program extracts."""
    return "\n".join(page.get_textpage().get_text_range() for page in pypdfium2.PdfDocument(pdf))
