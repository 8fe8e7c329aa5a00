"""A run recorded in any order, with repetitions, leaves the row that it leaves in order; on real databases."""

import random

import pytest

from shared.errors import FailureCode
from shared.events import Event, PageRange, PagesRecognized, PagesRequested
from tests.app.recorded import Archive


def batch(archive: Archive, number: int) -> list[Event]:
    pages = PageRange(first=8 * number + 1, last=8 * number + 8)
    pdf = archive.object("convert/c1/a/document.pdf", b"c1")
    names = {"document_id": archive.id, "fingerprint": "o1", "input_fingerprint": "c1", "batch": pages, "batches": 6}
    asked = PagesRequested.model_validate({**names, "pdf": pdf})
    ready = PagesRecognized.model_validate({**names, "batches_done": 1})
    return [archive.event(asked, f"{number}"), archive.event(ready, f"{number}")]


def run_of(archive: Archive, *, complete: bool) -> list[Event]:
    batches = [event for number in range(6) for event in batch(archive, number)]
    start = [archive.start(), archive.converted()]
    stale = archive.enriched("Of another text", "e0", "o0")
    failed = archive.failed("ocr", FailureCode.OCR_FAILED)
    rest = [archive.recognized(), archive.enriched()] if complete else []
    return [*start, *batches[: None if complete else -3], failed, stale, *rest]


def outcome(archive: Archive) -> dict[str, object]:
    shown, row = archive.shown(), archive.row
    names = ("status", "code", "message", "title", "sender", "tags", "pages", "warnings", "review", "cost")
    steps = [(s["step"], s["state"], s["code"], s["progress"] and s["progress"]["done"]) for s in shown["steps"]]
    results = (row.converted, row.recognized, row.enriched)
    marks = [result and result["fingerprint"] for result in results]
    return {name: shown[name] for name in names} | {"steps": steps, "results": marks, "machine": row.machine_metadata}


@pytest.mark.parametrize("complete", [True, False])
@pytest.mark.parametrize("seed", range(4))
def test_order_and_repetition_leave_the_same_row(archive: Archive, complete: bool, seed: int) -> None:
    """Rules 11 and 12."""
    archive.record(*run_of(archive, complete=complete))
    expected = outcome(archive)
    assert expected["status"] == ("ready" if complete else "attention")
    other = Archive(archive.engine, archive.store, archive.client, "another.txt")
    events = run_of(other, complete=complete)
    chance = random.Random(seed)
    disturbed = events + chance.choices(events, k=len(events))
    chance.shuffle(disturbed)
    other.record(*disturbed)
    assert outcome(other) | {"title": expected["title"]} == expected
