"""Files that the tests make for themselves: letters as text, PDF and office files, and scans of them."""

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path

import img2pdf
from PIL import Image, ImageDraw, ImageFont

FONT = Path("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf")
A4_AT_200_DPI = (1654, 2339)

INVOICE = """Nordlicht Energie GmbH
Hafenstraße 12 · 20457 Hamburg

Frau
Erika Beispiel
Lindenweg 5
22765 Hamburg

Hamburg, 14.03.2025

Rechnung Nr. RE-2025-0417

Sehr geehrte Frau Beispiel,

für die Lieferung von Strom im Februar 2025 berechnen wir Ihnen:

Nettobetrag                 84,00 EUR
Umsatzsteuer 19 %           15,96 EUR
Rechnungsbetrag             99,96 EUR

Bitte zahlen Sie bis zum 28.03.2025.

Mit freundlichen Grüßen
Nordlicht Energie GmbH
"""

LETTER = """Harbour Lighthouse Society
4 Quay Street, Whitby

12 May 2025

Dear Ms Carpenter,

thank you for your generous offer to restore the lantern room.
The keeper of the lighthouse will meet you at the pier on Friday.
Please bring the brass fittings and the spare mantles with you.

Yours sincerely,
Margaret Holloway
"""


def picture(text: str, *, size: tuple[int, int] = A4_AT_200_DPI, points: int = 34, turn: int = 0) -> Image.Image:
    """A page as a scanner would see it; `turn` in degrees anticlockwise."""
    page = Image.new("L", size, 255)
    font = ImageFont.truetype(str(FONT), points)
    ImageDraw.Draw(page).multiline_text((150, 160), text, fill=0, font=font, spacing=14)
    return page.rotate(turn, expand=True)


def png(text: str, **how: int) -> bytes:
    """A page as PNG with its resolution."""
    out = io.BytesIO()
    picture(text, **how).save(out, "PNG", dpi=(200, 200))  # type: ignore[arg-type]
    return out.getvalue()


def scan(pages: Sequence[str]) -> bytes:
    """A PDF of pictures, without any text."""
    jpegs = []
    for page in pages:
        out = io.BytesIO()
        picture(page).save(out, "JPEG", quality=80, dpi=(200, 200))
        jpegs.append(out.getvalue())
    return bytes(img2pdf.convert(jpegs))


def docx(*paragraphs: str) -> bytes:
    """The smallest word-processor file that says these things."""
    body = "".join(f"<w:p><w:r><w:t>{paragraph}</w:t></w:r></w:p>" for paragraph in paragraphs)
    namespace = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    parts = {
        "[Content_Types].xml": '<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/'
        'content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships'
        '+xml"/><Override PartName="/word/document.xml" ContentType="application/vnd.openxmlformats-officedocument.'
        'wordprocessingml.document.main+xml"/></Types>',
        "_rels/.rels": '<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/'
        'relationships"><Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relation'
        'ships/officeDocument" Target="word/document.xml"/></Relationships>',
        "word/document.xml": f'<?xml version="1.0"?><w:document xmlns:w="{namespace}"><w:body>{body}</w:body>'
        "</w:document>",
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return out.getvalue()
