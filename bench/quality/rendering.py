# ruff: noqa: E501 - page templates and word lists read better unbroken
"""HTML to PDF, and PDF to a scan of itself (grey, 150 dpi, slightly turned, JPEG)."""

import io
import logging
import random

import img2pdf
import pypdfium2
import weasyprint

logging.getLogger("weasyprint").setLevel(logging.ERROR)
logging.getLogger("fontTools").setLevel(logging.ERROR)

_STYLE = "@page{size:%s;margin:%s} body{font:%spt %s;line-height:1.35} table{border-collapse:collapse;width:100%%} td,th{padding:2pt 4pt;text-align:left;vertical-align:top} .r{text-align:right} h1{font-size:1.7em} h2{font-size:1.25em} .small{font-size:.7em} .right{margin-left:60%%} p{margin:.5em 0}"


def pdf_of(body: str, rng: random.Random, size: str = "A4", margin: str = "18mm") -> bytes:
    """A PDF with a text layer, in one of several typefaces and sizes."""
    font = rng.choice(["DejaVu Sans", "Liberation Serif", "Liberation Sans", "Carlito"])
    style = _STYLE % (size, margin, rng.choice([9, 10, 11]), font)
    pdf: bytes = weasyprint.HTML(string=f"<style>{style}</style>{body}").write_pdf()
    return pdf


def scanned(pdf: bytes, rng: random.Random) -> bytes:
    """The same pages as a scanner would deliver them."""
    document, pages = pypdfium2.PdfDocument(pdf), []
    for page in document:
        image = page.render(scale=150 / 72).to_pil().convert("L").rotate(rng.uniform(-0.5, 0.5), fillcolor=255)
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=70, dpi=(150, 150))
        pages.append(buffer.getvalue())
    scan: bytes = img2pdf.convert(pages)
    return scan
