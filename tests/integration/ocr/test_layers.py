from pathlib import Path

import pytest

from functions.ocr import worker
from functions.ocr.inspection import inspect_document
from functions.ocr.layers import LayerMemory, PageLayers
from functions.ocr.models import PagePlan
from functions.ocr.searchable import page_texts
from tests.integration.ocr.pdf_maker import LETTER, PdfMaker, text_content


@pytest.fixture
def pdf(maker: PdfMaker, tmp_path: Path) -> Path:
    hidden = text_content(LETTER, mode=3)
    return maker.page(text_content(LETTER)).page("").page(hidden + text_content(LETTER[:1])).save(tmp_path / "in.pdf")


def test_the_text_is_the_same_whether_its_layers_are_known_or_not(pdf: Path) -> None:
    known = PageLayers()
    plans = inspect_document(pdf, 10, known)
    assert [known.get(number) is not None for number in (1, 2, 3, 4)] == [True, True, True, False]
    assert page_texts(pdf, plans, {}, known) == page_texts(pdf, plans, {})


def test_layers_are_known_by_the_content_of_the_file(pdf: Path, maker: PdfMaker, tmp_path: Path) -> None:
    memory = LayerMemory()
    inspect_document(pdf, 10, memory.of(pdf))
    copy = tmp_path / "copy.pdf"
    copy.write_bytes(pdf.read_bytes())
    assert memory.of(copy).get(1) is not None
    other = maker.page(text_content(["something else"])).save(tmp_path / "other.pdf")
    assert memory.of(other).get(1) is None
    assert memory.of(pdf).get(1) is None


def test_no_more_words_are_kept_than_there_is_room_for(pdf: Path) -> None:
    known = PageLayers(max_words=50)
    plans = inspect_document(pdf, 10, known)
    assert known.get(1) is not None
    assert known.get(3) is None
    assert page_texts(pdf, plans, {}, known)[2].words


def test_plans_of_a_worker_do_not_depend_on_what_it_read_before(pdf: Path) -> None:
    common = {"pdf": str(pdf), "max_pages": 10, "max_pixels": 1_000_000}
    first, second = worker.inspect(common), worker.inspect(common)
    assert first == second
    assert [PagePlan.model_validate(plan).number for plan in first] == [1, 2, 3]
