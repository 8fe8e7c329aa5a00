"""What one document does to the workers is no other document's business (invariant I10)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from functions.ocr.engine import OcrEngine
from functions.ocr.models import PagePlan, RecognizedPage
from shared.errors import Unavailable
from tests.chaos.invariants import i10_others_are_unmoved
from tests.chaos.papers import PaperEngine, paper
from tests.chaos.scenarios import book, letter, scan
from tests.chaos.world import World

POISON = "POISON"


class _Allergic(PaperEngine):
    """Falls over a certain word, each time."""

    def recognize(
        self, pdf: Path, pages: Sequence[PagePlan], language: str | None = None, **how: Any
    ) -> tuple[RecognizedPage, ...]:
        if POISON.encode() in pdf.read_bytes():
            raise Unavailable("the worker was stopped")
        return super().recognize(pdf, pages, language, **how)


class AllergicWorld(World):
    def make_ocr_engine(self) -> OcrEngine:
        return _Allergic(self.calls, self.write_down)


def test_a_document_that_stops_every_worker_leaves_the_others_as_they_would_be(tmp_path: Path) -> None:
    alone, beside = AllergicWorld(tmp_path / "alone"), AllergicWorld(tmp_path / "beside")
    beside.upload("poison.pdf", paper(POISON, scanned=True))
    for world in (alone, beside):
        for make in (letter, scan, book):
            make(world)
        world.settle()
    assert list(i10_others_are_unmoved(alone.state(), beside.state(), "poison.pdf")) == []
    (poisoned,) = (each for each in beside.state()["documents"] if each["filename"] == "poison.pdf")
    assert (poisoned["status"], poisoned["code"]) == ("attention", "retries_exhausted")
    assert alone.violations() == []
    for world in (alone, beside):
        world.close()
