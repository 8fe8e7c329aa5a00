"""What the events of a run mean for a document. A fold over all of them, so that their order does not matter.

Pure: events and the former standing in, the new standing out. A result counts only where it was made from what the
document stands on: text for this PDF, metadata for this text (rules 11 and 12). Success of a step beats its failure.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.documents import PIPELINE, Notice, Status, Step, StepState
from shared.errors import EXPLANATIONS, FailureCode
from shared.events import (
    DocumentConverted,
    DocumentEnriched,
    DocumentFailed,
    DocumentReceived,
    DocumentRecognized,
    Event,
    PagesRecognized,
    PagesRequested,
)
from shared.letters import STEP_OF_TRIGGER

RESULTS = {
    Step.CONVERT: DocumentConverted.type,
    Step.OCR: DocumentRecognized.type,
    Step.ENRICH: DocumentEnriched.type,
}
_STARTS = {
    Step.CONVERT: DocumentReceived.type,
    Step.OCR: DocumentConverted.type,
    Step.ENRICH: DocumentRecognized.type,
}

Payload = dict[str, Any]


@dataclass(frozen=True)
class Letter:
    """An event of this run that a trigger gave up on, as often as it arrived, with what a person is told about it.

    `status` is the last answer's, None for a time-out.
    """

    trigger: str
    status: int | None
    at: datetime
    message: str = EXPLANATIONS[FailureCode.RETRIES_EXHAUSTED].message
    hint: str = EXPLANATIONS[FailureCode.RETRIES_EXHAUSTED].hint
    arrivals: int = 1


@dataclass(frozen=True)
class Standing:
    """The results that a document stands on, as the data of their events."""

    source_sha256: str
    converted: Payload | None = None
    recognized: Payload | None = None
    enriched: Payload | None = None


@dataclass(frozen=True)
class StepView:
    """Where one step of the run stands."""

    step: Step
    state: StepState
    started_at: datetime | None = None
    finished_at: datetime | None = None
    attempts: int = 0
    code: str | None = None
    message: str | None = None
    hint: str | None = None
    done: int | None = None
    total: int | None = None


@dataclass(frozen=True)
class Projection:
    """What the row is to say."""

    standing: Standing
    steps: tuple[StepView, ...]
    status: Status
    code: str | None
    message: str | None
    hint: str | None
    warnings: tuple[Notice, ...]


def project(standing: Standing, run_from: Step, events: Sequence[Event], letters: Sequence[Letter] = ()) -> Projection:
    """Fold the events of the current run over what the document stood on before."""
    now = _results(standing, events)
    steps = _steps(now, run_from, events, letters)
    warnings = _warnings(now)
    status, code, message, hint = _status(steps, warnings)
    return Projection(now, steps, status, code, message, hint, warnings)


def content(projection: Projection) -> tuple[object, ...]:
    """What readers and search see: the version moves when this does, and not on progress."""
    standing = projection.standing
    settled = (projection.status, projection.code) if projection.status is not Status.PROCESSING else None
    results = (standing.converted, standing.recognized, standing.enriched)
    return (*(result and result.get("fingerprint") for result in results), settled)


def _results(standing: Standing, events: Sequence[Event]) -> Standing:
    converted = _latest(events, DocumentConverted.type, standing.source_sha256) or standing.converted
    recognized = _latest(events, DocumentRecognized.type, _fingerprint(converted)) or standing.recognized
    enriched = _latest(events, DocumentEnriched.type, _fingerprint(recognized)) or standing.enriched
    return Standing(standing.source_sha256, converted, recognized, enriched)


def _latest(events: Iterable[Event], event_type: str, made_from: str | None) -> Payload | None:
    event = _latest_event(events, event_type, made_from)
    return event.payload if event else None


def _latest_event(events: Iterable[Event], event_type: str, made_from: str | None) -> Event | None:
    matching = [e for e in events if e.type == event_type and e.payload.get("input_fingerprint") == made_from]
    return max(matching, key=lambda event: (event.time, event.id), default=None)


def _fingerprint(result: Payload | None) -> str | None:
    return result.get("fingerprint") if result else None


def _steps(
    standing: Standing, run_from: Step, events: Sequence[Event], letters: Sequence[Letter]
) -> tuple[StepView, ...]:
    made_from = {
        Step.CONVERT: standing.source_sha256,
        Step.OCR: _fingerprint(standing.converted),
        Step.ENRICH: _fingerprint(standing.recognized),
    }
    views: list[StepView] = []
    for step in PIPELINE:
        if PIPELINE.index(step) < PIPELINE.index(run_from):
            views.append(StepView(step, StepState.DONE))
            continue
        result = _latest_event(events, RESULTS[step], made_from[step])
        views.append(_step(step, result, events, letters, views))
    return tuple(views)


def _step(
    step: Step, result: Event | None, events: Sequence[Event], letters: Sequence[Letter], before: Sequence[StepView]
) -> StepView:
    started = max((e.time for e in events if e.type == _STARTS[step]), default=None)
    done, total = _progress(events) if step is Step.OCR else (None, None)
    if result is not None:
        return StepView(step, StepState.DONE, started, result.time, attempts=1, done=total, total=total)
    failure = _failure(step, events, letters)
    if failure is not None:
        return StepView(step, StepState.FAILED, started, *failure, done=done, total=total)
    if before and before[-1].state in (StepState.FAILED, StepState.SKIPPED):
        return StepView(step, StepState.SKIPPED)
    if before and before[-1].state is not StepState.DONE:
        return StepView(step, StepState.WAITING)
    return StepView(step, StepState.RUNNING, started, done=done, total=total)


def _failure(
    step: Step, events: Sequence[Event], letters: Sequence[Letter]
) -> tuple[datetime, int, str, str, str] | None:
    """Finished, attempts, code, message, hint."""
    failures = [e for e in events if e.type == DocumentFailed.type and e.payload.get("step") == step]
    if failures:
        last = max(failures, key=lambda event: (event.time, event.id))
        data = last.payload
        return last.time, 1, data["code"], data["message"], data["hint"]
    # A letter that says "held" tells of somebody at work, not of a failure.
    given_up = [a for a in letters if STEP_OF_TRIGGER.get(a.trigger) == step and a.status != 409]
    if given_up:
        latest = max(given_up, key=lambda letter: letter.at)
        arrivals = sum(letter.arrivals for letter in given_up)
        return latest.at, arrivals, FailureCode.RETRIES_EXHAUSTED.value, latest.message, latest.hint
    return None


def _progress(events: Sequence[Event]) -> tuple[int | None, int | None]:
    asked = {_range(e) for e in events if e.type == PagesRequested.type}
    ready = {_range(e) for e in events if e.type == PagesRecognized.type}
    if not asked and not ready:
        return None, None
    return _pages(ready), _pages(asked | ready)


def _range(event: Event) -> tuple[int, int]:
    batch = event.payload["batch"]
    return batch["first"], batch["last"]


def _pages(ranges: Iterable[tuple[int, int]]) -> int:
    return sum(last - first + 1 for first, last in ranges)


def _warnings(standing: Standing) -> tuple[Notice, ...]:
    results = (standing.converted, standing.recognized)
    return tuple(Notice.model_validate(n) for result in results if result for n in result.get("warnings", ()))


def _status(steps: Sequence[StepView], warnings: Sequence[Notice]) -> tuple[Status, str | None, str | None, str | None]:
    for view in steps:
        if view.state is StepState.FAILED:
            return Status.ATTENTION, view.code, view.message, view.hint
    if any(view.state is not StepState.DONE for view in steps):
        return Status.PROCESSING, None, None, None
    for notice in warnings:
        if notice.needs_decision:
            return Status.ATTENTION, notice.code, notice.message, _hint(notice.code)
    return Status.READY, None, None, None


def _hint(code: str) -> str:
    try:
        return EXPLANATIONS[FailureCode(code)].hint
    except ValueError:
        return "Check the document, and accept it as it is or replace it."
