"""Files that the tests make for themselves: letters as text, PDF and office files, and scans of them."""

import io
import zipfile
from collections.abc import Mapping, Sequence
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


def flat_text(*paragraphs: str) -> bytes:
    """A flat OpenDocument text."""
    spaces = " ".join(f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for name in ("office", "text"))
    body = "".join(f"<text:p>{paragraph}</text:p>" for paragraph in paragraphs)
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><office:document {spaces} office:version="1.3" '
        'office:mimetype="application/vnd.oasis.opendocument.text">'
        f"<office:body><office:text>{body}</office:text></office:body></office:document>"
    ).encode()


def workbook(sheets: Mapping[str, str], *, hidden: str = "") -> bytes:
    """The smallest workbook with these sheets, each of one cell."""
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    links = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006/relationships"
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    numbers = range(1, len(sheets) + 1)
    overrides = "".join(
        f'<Override PartName="/xl/worksheets/sheet{number}.xml" ContentType="{kind}.worksheet+xml"/>'
        for number in numbers
    )
    listed = "".join(
        f'<sheet name="{name}" sheetId="{number}" {_state(name == hidden)} r:id="r{number}"/>'
        for number, name in enumerate(sheets, 1)
    )
    targets = "".join(
        f'<Relationship Id="r{number}" Type="{links}/worksheet" Target="worksheets/sheet{number}.xml"/>'
        for number in numbers
    )
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(
            "[Content_Types].xml",
            '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
            '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            f'<Override PartName="/xl/workbook.xml" ContentType="{kind}.sheet.main+xml"/>{overrides}</Types>',
        )
        archive.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{package}"><Relationship Id="r1" Type="{links}/officeDocument" '
            'Target="xl/workbook.xml"/></Relationships>',
        )
        archive.writestr(
            "xl/workbook.xml", f'<workbook xmlns="{main}" xmlns:r="{links}"><sheets>{listed}</sheets></workbook>'
        )
        archive.writestr("xl/_rels/workbook.xml.rels", f'<Relationships xmlns="{package}">{targets}</Relationships>')
        for number, text in enumerate(sheets.values(), 1):
            archive.writestr(
                f"xl/worksheets/sheet{number}.xml",
                f'<worksheet xmlns="{main}"><sheetData><row><c t="inlineStr"><is><t>{text}</t></is></c></row>'
                "</sheetData></worksheet>",
            )
    return out.getvalue()


def _state(is_hidden: bool) -> str:
    return 'state="hidden"' if is_hidden else ""
