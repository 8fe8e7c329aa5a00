"""The same world with the real engines in their jails: what the doubles stand in for works here as they say."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pikepdf
import pytest

from functions.convert.converter import Converter
from functions.convert.handler import Converting, PdfMaker
from functions.convert.office import LibreOfficeConverter
from functions.convert.settings import ConvertSettings
from functions.ocr.client import JailedPdfTools, TesseractOcrEngine, worker_pool
from functions.ocr.engine import OcrEngine
from functions.ocr.handler import PdfTools, Recognizer
from functions.ocr.settings import OcrSettings
from shared.search.port import SearchQuery
from tests.chaos.world import World
from tests.papers import INVOICE, LETTER, docx, scan


class RealWorld(World):
    """LibreOffice, PDFium and Tesseract."""

    def make_maker(self) -> PdfMaker:
        settings = ConvertSettings()
        office = LibreOfficeConverter(
            program=Path(settings.libreoffice_program),
            python=Path(settings.libreoffice_python),
            max_files=settings.libreoffice_max_files,
            memory_bytes=settings.convert_memory_bytes,
        )
        return Converter(office, memory_bytes=settings.convert_memory_bytes)

    def make_tools(self) -> PdfTools:
        self.settings = OcrSettings()
        self.pool = worker_pool(self.settings)
        return JailedPdfTools(self.pool, self.settings)

    def make_ocr_engine(self) -> OcrEngine:
        return TesseractOcrEngine(self.pool, self.settings)

    def make_converting(self) -> Converting:
        settings = ConvertSettings()
        seconds = settings.convert_timeout_seconds
        return Converting(self.store, self.maker, settings.limits(), engines=lambda: "real", timeout_seconds=seconds)

    def make_recognizer(self) -> Recognizer:
        return Recognizer(self.store, self.tools, self.ocr_engine, self.publisher, 2)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    opened = RealWorld(tmp_path / "world")
    yield opened
    opened.close()


def test_real_documents_pass_and_none_is_lost(world: World, full: bool) -> None:
    pages = 20 if full else 5
    world.upload("letter.txt", LETTER.encode())
    world.upload("minutes.docx", docx("The minutes of the lantern committee."))
    world.upload("scan.pdf", scan([INVOICE, LETTER]))
    world.upload("book.pdf", scan([f"Chapter {number}\n\n{LETTER}" for number in range(1, pages + 1)]))
    world.upload("secret.pdf", _encrypted())
    world.upload("broken.pdf", b"%PDF-1.7\nnothing that anybody could read")
    world.settle()
    assert world.violations() == []
    shown = {document["filename"]: (document["status"], document["code"]) for document in world.state()["documents"]}
    ready = dict.fromkeys(("letter.txt", "minutes.docx", "scan.pdf", "book.pdf"), ("ready", None))
    assert shown == ready | {"secret.pdf": ("attention", "encrypted"), "broken.pdf": ("attention", "corrupt")}
    assert world.search.search(SearchQuery(text="lighthouse")).total == 3


def _encrypted() -> bytes:
    out = BytesIO()
    with pikepdf.new() as pdf:
        pdf.add_blank_page()
        pdf.save(out, encryption=pikepdf.Encryption(user="open sesame", owner="open sesame"))
    return out.getvalue()
