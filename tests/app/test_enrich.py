"""enrich between store and extractor: work is done once, and only on the text that the event names."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from functions.enrich.extractor import Extraction, Hints
from functions.enrich.handler import Enricher
from shared.documents import DocumentText, ObjectReference, PageText, Step, new_document_id
from shared.errors import FailureCode, StepFailed
from shared.events import DocumentRecognized, Event, RunOptions, new_event
from shared.metadata import Metadata
from shared.step import Deadline, StepContext
from shared.storage import keys
from shared.storage.directory import DirectoryObjectStore


@dataclass
class Counting:
    """An extractor that only counts what it is asked."""

    asked: list[Hints] = field(default_factory=list)

    def extract(self, text: DocumentText, hints: Hints) -> Extraction:
        self.asked.append(hints)
        return Extraction(Metadata(), "counting")

    def version(self) -> str:
        return "1"


class Desk:
    """One recognized document and the step."""

    def __init__(self, root: Path) -> None:
        self.store = DirectoryObjectStore(root)
        self.extractor = Counting()
        self.enricher = Enricher(self.store, self.extractor)
        self.id = new_document_id()
        text = DocumentText(pages=(PageText(number=1, width=1, height=1, source="ocr", text="hello"),))
        key = keys.document_prefix(self.id) + "ocr/o1/a/text.json"
        self.text = self.store.put(key, text.model_dump_json().encode(), media_type="application/json")

    def enrich(self, text: ObjectReference | None = None, *, runid: str = "run", force: str | None = None) -> Event:
        data = DocumentRecognized(
            document_id=self.id,
            fingerprint="o1",
            options=RunOptions(force=force),
            text=text or self.text,
            searchable_pdf=self.text,
            pages=1,
            ocr_pages=1,
        )
        event = new_event(data, source="/docuelevate/functions/ocr", runid=runid)
        return self.enricher.enrich(StepContext(Step.ENRICH, "1", event, self.store, Deadline.after(30)), data)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_a_duplicate_and_another_run_ask_nobody_again(desk: Desk) -> None:
    first, again, later = desk.enrich(), desk.enrich(), desk.enrich(runid="next")
    assert len(desk.extractor.asked) == 1
    assert first.id == again.id != later.id
    assert first.payload == later.payload


def test_a_forced_run_asks_once_more(desk: Desk) -> None:
    desk.enrich()
    forced, again = (desk.enrich(runid="next", force="enrich") for _ in range(2))
    assert forced.id == again.id
    assert len(desk.extractor.asked) == 2


def test_force_for_another_step_asks_nobody(desk: Desk) -> None:
    desk.enrich()
    desk.enrich(runid="next", force="ocr")
    assert len(desk.extractor.asked) == 1


def test_text_that_is_not_the_one_named_is_not_read(desk: Desk) -> None:
    with pytest.raises(StepFailed) as failed:
        desk.enrich(desk.text.model_copy(update={"sha256": "0" * 64}))
    assert failed.value.code is FailureCode.SOURCE_GONE
    assert desk.extractor.asked == []
    assert not [info for info in desk.store.list(keys.document_prefix(desk.id)) if info.key.endswith("result.json")]
