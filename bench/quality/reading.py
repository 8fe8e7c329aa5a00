"""PDF bytes to `DocumentText`, read by the very code of the ocr step, in this process."""

import tempfile
from functools import cache
from pathlib import Path

from functions.ocr.inspection import inspect_document
from functions.ocr.languages import data_directory
from functions.ocr.models import PagePlan, RecognizedPage
from functions.ocr.pdfium import open_document
from functions.ocr.recognition import PageRecognizer
from functions.ocr.searchable import page_texts
from functions.ocr.tesseract import PictureReader
from shared.documents import DocumentText

MAX_PAGES = 12
MAX_PIXELS = 200_000_000
TIMEOUT_SECONDS = 120.0


def text_of(pdf: bytes, languages: str = "eng+deu") -> DocumentText:
    """The words of a PDF with their boxes; pages without a text layer of their own are recognized."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "document.pdf"
        path.write_bytes(pdf)
        plans = inspect_document(path, MAX_PAGES)
        return DocumentText(pages=tuple(page_texts(path, plans, _recognized(path, plans, languages))), engine="bench")


def _recognized(path: Path, plans: list[PagePlan], languages: str) -> dict[int, RecognizedPage]:
    wanted = [plan for plan in plans if plan.needs_recognition]
    if not wanted:
        return {}
    document = open_document(path)
    try:
        return {plan.number: _recognizer(languages).recognize(document, plan) for plan in wanted}
    finally:
        document.close()


@cache
def _recognizer(languages: str) -> PageRecognizer:
    packs = tuple(languages.split("+"))
    directory = data_directory()
    if directory is None:
        raise SystemExit("Tesseract's language data is not installed; run with --scans 0.")
    reader = PictureReader(directory, TIMEOUT_SECONDS)
    return PageRecognizer(reader=reader, packs=packs, installed=frozenset({*packs, "osd"}), max_pixels=MAX_PIXELS)
