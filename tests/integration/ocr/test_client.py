from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from functions.ocr.client import JailedPdfTools, TesseractOcrEngine, merged_notices, usable_cores, worker_pool
from functions.ocr.models import RecognizedPage
from functions.ocr.settings import OcrSettings
from shared.documents import Notice
from shared.errors import FailureCode, StepFailed
from shared.jail import JailedPool
from tests.integration.ocr.pdf_maker import LETTER, PdfMaker, everything, picture, text_content

SETTINGS = OcrSettings(ocr_languages="eng", ocr_workers=2, ocr_max_pages=20)


@pytest.fixture(scope="module")
def pool() -> Iterator[JailedPool]:
    pool = worker_pool(SETTINGS)
    yield pool
    pool.close()


@pytest.fixture
def tools(pool: JailedPool) -> JailedPdfTools:
    return JailedPdfTools(pool, SETTINGS)


@pytest.fixture
def engine(pool: JailedPool) -> TesseractOcrEngine:
    return TesseractOcrEngine(pool, SETTINGS)


def test_a_document_goes_through_the_jail(
    maker: PdfMaker, tools: JailedPdfTools, engine: TesseractOcrEngine, tmp_path: Path
) -> None:
    maker.page(text_content(LETTER))
    for line in LETTER[:3]:
        maker.scan(picture([line]))
    source, output = maker.save(tmp_path / "in.pdf"), tmp_path / "out.pdf"
    plans = tools.inspect(source)
    pages = engine.recognize(source, plans)
    result = tools.assemble(source, plans, pages, output, engine.name)
    assert [page.number for page in pages] == [2, 3, 4]
    assert result.ocr_pages == 3
    assert result.mean_confidence is not None and result.mean_confidence > 0.85
    assert result.text.languages == ("en",)
    assert "warehouse" in everything(output)


def test_the_order_of_batches_does_not_change_the_result(
    maker: PdfMaker, tools: JailedPdfTools, engine: TesseractOcrEngine, tmp_path: Path
) -> None:
    for line in LETTER[:2]:
        maker.scan(picture([line]))
    source = maker.save(tmp_path / "in.pdf")
    plans = tools.inspect(source)
    one, two = (engine.recognize(source, [plan])[0] for plan in plans)
    tools.assemble(source, plans, (one, two), tmp_path / "a.pdf", engine.name)
    tools.assemble(source, plans, (two, one), tmp_path / "b.pdf", engine.name)
    assert (tmp_path / "a.pdf").read_bytes() == (tmp_path / "b.pdf").read_bytes()


def test_the_thumbnail_is_a_webp_of_the_wanted_width(maker: PdfMaker, tools: JailedPdfTools, tmp_path: Path) -> None:
    tools.thumbnail(maker.page(text_content(LETTER)).save(tmp_path / "in.pdf"), tmp_path / "small.webp")
    with Image.open(tmp_path / "small.webp") as image:
        assert (image.format, image.size) == ("WEBP", (480, 680))


def test_files_that_are_no_pdf_are_corrupt(tools: JailedPdfTools, tmp_path: Path) -> None:
    (tmp_path / "in.pdf").write_bytes(b"%PDF-1.7\nnothing follows")
    with pytest.raises(StepFailed) as failure:
        tools.inspect(tmp_path / "in.pdf")
    assert failure.value.code is FailureCode.CORRUPT


def test_too_many_pages_fail_before_any_work(maker: PdfMaker, tools: JailedPdfTools, tmp_path: Path) -> None:
    for _ in range(21):
        maker.page("")
    with pytest.raises(StepFailed) as failure:
        tools.inspect(maker.save(tmp_path / "in.pdf"))
    assert failure.value.code is FailureCode.TOO_MANY_PAGES


def test_a_language_that_is_not_installed_fails_by_name(engine: TesseractOcrEngine, tmp_path: Path) -> None:
    with pytest.raises(StepFailed) as failure:
        engine.recognize(tmp_path / "in.pdf", (), "tlh")
    assert failure.value.code is FailureCode.OCR_LANGUAGE_MISSING


def test_the_version_names_the_language_data(engine: TesseractOcrEngine) -> None:
    assert "eng:" in engine.version()
    assert engine.version("eng") == engine.version("en")


def test_pages_that_failed_are_named_and_the_others_kept(
    maker: PdfMaker, tools: JailedPdfTools, tmp_path: Path
) -> None:
    source = maker.scan(picture()).scan(picture()).save(tmp_path / "in.pdf")
    plans = tools.inspect(source)
    failed = RecognizedPage(number=2, failure="The work took longer than 60 seconds.")
    result = tools.assemble(source, plans, (RecognizedPage(number=1), failed), tmp_path / "out.pdf", "")
    assert [(notice.code, notice.pages) for notice in result.notices] == [("ocr_incomplete", (2,))]


def test_a_document_of_which_nothing_could_be_read_fails(
    maker: PdfMaker, tools: JailedPdfTools, tmp_path: Path
) -> None:
    source = maker.scan(picture()).save(tmp_path / "in.pdf")
    with pytest.raises(StepFailed) as failure:
        tools.assemble(source, tools.inspect(source), (RecognizedPage(number=1, failure="x"),), tmp_path / "o.pdf", "")
    assert (failure.value.code, failure.value.determined) == (FailureCode.OCR_FAILED, False)


def test_notices_of_one_kind_are_joined() -> None:
    pages = [RecognizedPage(number=n, notices=(Notice(code="low", message="m", pages=(n,)),)) for n in (3, 1)]
    assert merged_notices(pages) == (Notice(code="low", message="m", pages=(1, 3)),)


def test_there_is_always_a_core() -> None:
    assert usable_cores() >= 1
