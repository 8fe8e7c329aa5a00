"""The OCR function's work, done in this process so that its parts can be looked at."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from functions.ocr import worker
from functions.ocr.languages import data_directory, installed_packs
from functions.ocr.models import PagePlan, RecognizedPage
from shared.documents import DocumentText
from tests.integration.ocr.pdf_maker import Outcome, PdfMaker

TESSDATA = data_directory()


@pytest.fixture(scope="session", autouse=True)
def _tesseract() -> None:
    assert "eng" in installed_packs(TESSDATA), "Tesseract's English is missing: run scripts/install-system test"


@pytest.fixture
def maker() -> PdfMaker:
    return PdfMaker()


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[[Path], Outcome]]:
    def work(pdf: Path) -> Outcome:
        common = {"pdf": str(pdf), "max_pixels": 100_000_000}
        plans = worker.inspect({**common, "max_pages": 100})
        reading = {**common, "packs": ["eng"], "tessdata": str(TESSDATA), "timeout_seconds": 60}
        reading["installed"] = sorted(installed_packs(TESSDATA) & {"eng", "deu", "osd"})
        pages = [worker.recognize({**reading, "plan": plan}) for plan in plans if plan["kind"] in ("ocr", "mixed")]
        files = {name: str(tmp_path / name) for name in ("parts", "output", "text")}
        Path(files["parts"]).write_text(json.dumps({"plans": plans, "pages": pages}))
        answer = worker.assemble({**common, **files, "engine": "test"})
        return Outcome(
            plans=tuple(map(PagePlan.model_validate, plans)),
            pages=tuple(map(RecognizedPage.model_validate, pages)),
            text=DocumentText.model_validate_json(Path(files["text"]).read_bytes()),
            pdf=Path(files["output"]),
            notices=tuple(notice["code"] for notice in answer["notices"]),
        )

    yield work
    worker.close_document()
