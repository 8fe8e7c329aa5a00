"""enrich between store and extractor: work is done once, and only on the text that the event names."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from functions.enrich.calls import StoredCalls
from functions.enrich.extractor import Extraction, ExtractorFailed, Hints, Usage
from functions.enrich.handler import Enricher
from functions.enrich.rule_extractor import RuleMetadataExtractor
from shared.documents import DocumentText, Notice, ObjectReference, PageText, Step, new_document_id
from shared.errors import DocuElevateError, FailureCode, StepFailed, Unavailable
from shared.events import DocumentRecognized, Event, RunOptions, new_event
from shared.metadata import Metadata
from shared.step import Deadline, StepContext
from shared.storage import keys
from shared.storage.directory import DirectoryObjectStore


@dataclass
class Counting:
    """An extractor that only counts what it is asked."""

    asked: list[Hints] = field(default_factory=list)
    script: list[DocuElevateError | Extraction] = field(default_factory=list)

    def extract(self, text: DocumentText, hints: Hints) -> Extraction:
        self.asked.append(hints)
        outcome = self.script.pop(0) if self.script else Extraction(Metadata(), "counting")
        if isinstance(outcome, DocuElevateError):
            raise outcome
        return outcome

    def version(self) -> str:
        return "1"


class Desk:
    """One recognized document and the step."""

    def __init__(self, root: Path) -> None:
        self.store = DirectoryObjectStore(root)
        self.extractor = Counting()
        self.enricher = Enricher(self.store, self.extractor, RuleMetadataExtractor())
        self.id = new_document_id()
        text = DocumentText(pages=(PageText(number=1, width=1, height=1, source="ocr", text="hello"),))
        key = keys.document_prefix(self.id) + "ocr/o1/a/text.json"
        self.text = self.store.put(key, text.model_dump_json().encode(), media_type="application/json")

    def enrich(
        self,
        text: ObjectReference | None = None,
        *,
        runid: str = "run",
        force: str | None = None,
        engine: str | None = None,
    ) -> Event:
        data = DocumentRecognized(
            document_id=self.id,
            fingerprint="o1",
            options=RunOptions(force=force, enrich_engine=engine),
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


def test_where_the_extractor_fails_the_rules_values_stand_and_somebody_is_asked_to_see_to_it(desk: Desk) -> None:
    desk.extractor.script = [ExtractorFailed("The key is wrong.")]
    reply = desk.enrich()
    assert reply.payload["extractor"] == "rules"
    (warning,) = reply.payload["warnings"]
    assert (warning["code"], warning["needs_decision"]) == ("enrich_failed", True)
    assert warning["message"] == "The key is wrong. The values are those of the built-in rules."


def test_nothing_is_committed_for_an_extractor_that_failed(desk: Desk) -> None:
    """rules 5: once it works again, an unforced run asks it."""
    desk.extractor.script = [ExtractorFailed("The key is wrong.")]
    stopgap, later = desk.enrich(), desk.enrich(runid="next")
    assert (later.payload["extractor"], later.payload["warnings"]) == ("counting", [])
    assert stopgap.payload["fingerprint"] != later.payload["fingerprint"]


def test_a_duplicate_of_a_stopgap_gets_the_same_answer(desk: Desk) -> None:
    desk.extractor.script = [ExtractorFailed("The key is wrong."), ExtractorFailed("The key is wrong.")]
    first, again = desk.enrich(), desk.enrich()
    assert (first.id, first.payload) == (again.id, again.payload)


def test_an_outage_is_nobodys_result(desk: Desk) -> None:
    """rules 5."""
    desk.extractor.script = [Unavailable("down")]
    with pytest.raises(Unavailable):
        desk.enrich()
    assert desk.enrich().payload["extractor"] == "counting"


def test_warnings_of_the_extractor_are_part_of_its_result(desk: Desk) -> None:
    notice = Notice(code="enrich_failed", message="The model declined.")
    desk.extractor.script = [Extraction(Metadata(), "rules", model="m", tokens=912, cost="0.1", warnings=(notice,))]
    first, again = desk.enrich(), desk.enrich()
    assert first.payload == again.payload
    assert first.payload["warnings"] == [notice.model_dump(mode="json")]
    assert (first.payload["tokens"], first.payload["cost"]) == (912, "0.1")
    assert len(desk.extractor.asked) == 1


def test_a_run_may_keep_a_document_from_the_model(desk: Desk) -> None:
    reply = desk.enrich(engine="local")
    assert reply.payload["extractor"] == "rules" and desk.extractor.asked == []


def test_calls_are_counted_over_deliveries_and_crashes_and_their_tokens_over_runs(tmp_path: Path) -> None:
    store = DirectoryObjectStore(tmp_path)
    prefix = f"documents/{new_document_id()}/enrich/f1/"
    StoredCalls(store, prefix, "one").begin()
    again = StoredCalls(store, prefix, "one")
    again.begin()
    again.finish(Usage(100, 20))
    other = StoredCalls(store, prefix, "two")
    assert (again.made(), other.made()) == (2, 0)
    other.begin()
    other.finish(Usage(7, 1))
    assert other.used() == Usage(107, 21)
