"""The projection of a run: a fold over its events, whatever their order."""

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.documents import Status, Step, StepState
from shared.events import Event
from shared.projection import Letter, Projection, Run, Standing, project

START = datetime(2026, 3, 1, tzinfo=UTC)
SOURCE = "a" * 64


def event(kind: str, minute: int, **payload: Any) -> Event:
    return Event(
        id=f"{kind}-{minute}",
        source="/docuelevate/functions/x",
        type=f"org.docuelevate.{kind}.v1",
        subject="d",
        time=START + timedelta(minutes=minute),
        payload=payload,
        runid="r",
    )


RECEIVED = event("document.received", 0)
CONVERTED = event("document.converted", 1, fingerprint="c1", input_fingerprint=SOURCE, pages=2)
RECOGNIZED = event("document.recognized", 2, fingerprint="o1", input_fingerprint="c1")
ENRICHED = event("document.enriched", 3, fingerprint="e1", input_fingerprint="o1", metadata={"key": "k"})
OCR_FAILED = event("document.failed", 2, step="ocr", code="ocr_failed", message="m", hint="h", fingerprint="c1")


def fold(*events: Event, standing: Standing | None = None, start: Step = Step.CONVERT, **more: Any) -> Projection:
    return project(standing or Standing(SOURCE), events, Run(start, **more))


def states(projection: Projection) -> list[str]:
    return [view.state.value for view in projection.steps]


@pytest.mark.parametrize(
    ("events", "expected", "status"),
    [
        ((), ["running", "waiting", "waiting"], Status.PROCESSING),
        ((RECEIVED,), ["running", "waiting", "waiting"], Status.PROCESSING),
        ((RECEIVED, CONVERTED), ["done", "running", "waiting"], Status.PROCESSING),
        ((RECEIVED, CONVERTED, RECOGNIZED), ["done", "done", "running"], Status.PROCESSING),
        ((RECEIVED, CONVERTED, RECOGNIZED, ENRICHED), ["done", "done", "done"], Status.READY),
        ((RECEIVED, CONVERTED, OCR_FAILED), ["done", "failed", "skipped"], Status.ATTENTION),
    ],
)
def test_steps_and_status_follow_the_results(events: tuple[Event, ...], expected: list[str], status: Status) -> None:
    projection = fold(*events)
    assert states(projection) == expected
    assert projection.status == status


@pytest.mark.parametrize("order", list(itertools.permutations((RECEIVED, CONVERTED, OCR_FAILED, RECOGNIZED, ENRICHED))))
def test_every_order_of_events_ends_in_the_same_projection(order: tuple[Event, ...]) -> None:
    assert fold(*order) == fold(RECEIVED, CONVERTED, OCR_FAILED, RECOGNIZED, ENRICHED)


def test_success_of_a_step_beats_its_failure() -> None:
    projection = fold(CONVERTED, OCR_FAILED, RECOGNIZED)
    assert projection.steps[1].state == StepState.DONE
    assert projection.code is None


def test_a_result_made_from_other_inputs_is_not_projected() -> None:
    other = event("document.recognized", 5, fingerprint="o2", input_fingerprint="another conversion")
    projection = fold(CONVERTED, RECOGNIZED, other, event("document.enriched", 6, input_fingerprint="o2"))
    assert projection.standing.recognized == RECOGNIZED.payload
    assert projection.standing.enriched is None


def test_the_former_standing_stays_until_the_new_run_has_something_better() -> None:
    before = Standing(SOURCE, CONVERTED.payload, RECOGNIZED.payload, ENRICHED.payload)
    projection = fold(RECEIVED, standing=before)
    assert projection.standing == before
    assert projection.status == Status.PROCESSING


def test_a_run_from_enrich_needs_only_enrich() -> None:
    before = Standing(SOURCE, CONVERTED.payload, RECOGNIZED.payload, ENRICHED.payload)
    assert states(fold(standing=before, start=Step.ENRICH)) == ["done", "done", "running"]
    again = event("document.enriched", 9, fingerprint="e2", input_fingerprint="o1", metadata={"key": "k2"})
    projection = fold(again, standing=before, start=Step.ENRICH)
    assert projection.status == Status.READY
    assert projection.standing.enriched == again.payload


def test_a_dead_letter_fails_its_step() -> None:
    projection = fold(CONVERTED, letters=[Letter("ocr", 503, START)])
    assert projection.steps[1].code == "retries_exhausted"
    assert projection.status == Status.ATTENTION


def test_a_dead_letter_that_says_held_fails_nothing() -> None:
    assert fold(CONVERTED, letters=[Letter("ocr", 409, START)]).status == Status.PROCESSING


def test_dead_letters_of_index_and_record_fail_nothing() -> None:
    letters = [Letter("index", 503, START), Letter("record", 503, START)]
    assert fold(RECEIVED, CONVERTED, RECOGNIZED, ENRICHED, letters=letters).status == Status.READY


def test_a_warning_that_needs_a_decision_asks_for_attention() -> None:
    doubtful = CONVERTED.model_copy(
        update={
            "payload": {
                **CONVERTED.payload,
                "warnings": [{"code": "corrupt", "message": "Repaired.", "needs_decision": True}],
            }
        }
    )
    projection = fold(doubtful, RECOGNIZED, ENRICHED)
    assert (projection.status, projection.code) == (Status.ATTENTION, "corrupt")


def test_progress_counts_the_pages_of_the_batches() -> None:
    asked = [event("pages.requested", n, batch={"first": 8 * n + 1, "last": 8 * n + 8}) for n in range(3)]
    ready = event("pages.recognized", 9, batch={"first": 9, "last": 16})
    ocr = fold(CONVERTED, *asked, ready, ready).steps[1]
    assert (ocr.state, ocr.done, ocr.total) == (StepState.RUNNING, 8, 24)


def test_a_finished_scan_has_all_its_pages_whatever_was_lost_of_its_batches() -> None:
    recognized = RECOGNIZED.model_copy(update={"payload": {**RECOGNIZED.payload, "ocr_pages": 24}})
    asked = event("pages.requested", 0, batch={"first": 1, "last": 8})
    for batches in ((), (asked,)):
        ocr = fold(CONVERTED, *batches, recognized).steps[1]
        assert (ocr.state, ocr.done, ocr.total) == (StepState.DONE, 24, 24)


def test_a_second_conversion_does_not_take_away_what_the_first_led_to() -> None:
    """Rules 11: the same in any order."""
    second = event("document.converted", 4, fingerprint="c2", input_fingerprint=SOURCE, pages=2)
    events = (RECEIVED, CONVERTED, RECOGNIZED, second)
    found = [fold(*order) for order in itertools.permutations(events)]
    assert all(each == found[0] for each in found)
    assert found[0].standing.recognized == RECOGNIZED.payload
    complete = fold(*events, event("document.recognized", 5, fingerprint="o2", input_fingerprint="c2"))
    assert complete.standing.fingerprints == ("c2", "o2", None)


def test_a_run_that_repeats_an_old_event_did_not_begin_back_then() -> None:
    began = START + timedelta(days=90)
    assert fold(RECEIVED, began_at=began).steps[0].started_at == began


@pytest.mark.parametrize("code", ["ocr_failed", "corrupt"])
def test_what_a_person_accepted_is_told_but_no_longer_asked(code: str) -> None:
    doubt = {"code": "corrupt", "message": "Repaired.", "needs_decision": True}
    doubtful = CONVERTED.model_copy(update={"payload": {**CONVERTED.payload, "warnings": [doubt]}})
    events = (doubtful, OCR_FAILED) if code == "ocr_failed" else (doubtful, RECOGNIZED, ENRICHED)
    assert fold(*events).code == code
    accepted = fold(*events, accepted=code)
    assert (accepted.status, accepted.code) == (Status.READY, None)
    assert code in [notice.code for notice in accepted.warnings]
    assert not any(notice.needs_decision for notice in accepted.warnings)


def test_another_failure_than_the_accepted_one_is_asked_about() -> None:
    assert fold(CONVERTED, OCR_FAILED, accepted="encrypted").status == Status.ATTENTION
    assert fold(CONVERTED, accepted="ocr_failed").status == Status.PROCESSING
