"""What the events of a run mean for a document. A fold over all of them, so that their order does not matter.

Pure: the events and what stood when the run began in, what stands now out. A result counts only where it was made from
what the document stands on: text for this PDF, metadata for this text (rules 11 and 12). Success of a step beats its
failure.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
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
)
from shared.letters import MAX_CODE_CHARACTERS, STEP_OF_TRIGGER
from shared.progress import Progress

RESULTS = {
    Step.CONVERT: DocumentConverted.type,
    Step.OCR: DocumentRecognized.type,
    Step.ENRICH: DocumentEnriched.type,
}
STARTS = {
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

    @property
    def fingerprints(self) -> tuple[str | None, ...]:
        """What tells two standings apart: equal fingerprints mean equal bytes."""
        return tuple(_fingerprint(result) for result in (self.converted, self.recognized, self.enriched))

    def renewed(self, made: "Standing") -> "Standing":
        """The same results, each as `made` names it where that has it too: what was lost lies elsewhere once remade."""
        return replace(
            self,
            converted=_renewed(self.converted, made.converted),
            recognized=_renewed(self.recognized, made.recognized),
            enriched=_renewed(self.enriched, made.enriched),
        )


@dataclass(frozen=True)
class Run:
    """What is known of the current run besides its events. `progress` is that of batches whose events are left out.

    `accepted` is the failure, or the notice that needs a decision, with which a person has taken the document as it is.
    """

    start: Step = Step.CONVERT
    began_at: datetime | None = None
    letters: Sequence[Letter] = ()
    progress: Progress = field(default_factory=Progress)
    accepted: str | None = None


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
    pages: Progress | None = None


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

    @property
    def failed(self) -> StepView | None:
        """The step that did not pass."""
        return next((view for view in self.steps if view.state is StepState.FAILED), None)


_Chain = tuple[Event | None, ...]
"""The events of one result of each step of the pipeline, each made from the one before."""


def project(base: Standing, events: Sequence[Event], run: Run) -> Projection:
    """Fold the events of the current run over what the document stood on when the run began."""
    chain = _best_chain(base, events)
    results = [event.payload if event else None for event in chain]
    standing = Standing(
        base.source_sha256,
        results[0] or base.converted,
        results[1] or base.recognized,
        results[2] or base.enriched,
    )
    steps = _steps(chain, events, run)
    return _judged(standing, steps, run.accepted)


def _best_chain(base: Standing, events: Sequence[Event]) -> _Chain:
    """The results of this run that got furthest, the latest of those.

    Two workers of different releases may convert the same original differently; what one of them led to stands until
    the other's has come as far, whatever order they arrive in.
    """
    return max(_chains(base, events), key=_rank)


def _chains(base: Standing, events: Sequence[Event]) -> Iterator[_Chain]:
    for converted in _made_from(events, DocumentConverted.type, base.source_sha256):
        pdf = _fingerprint(converted.payload if converted else base.converted)
        for recognized in _made_from(events, DocumentRecognized.type, pdf):
            text = _fingerprint(recognized.payload if recognized else base.recognized)
            for enriched in _made_from(events, DocumentEnriched.type, text):
                yield converted, recognized, enriched


def _made_from(events: Sequence[Event], event_type: str, source: str | None) -> Sequence[Event | None]:
    """The results of one step from this input, of equal ones the latest; [None] where there is none."""
    latest: dict[str | None, Event] = {}
    for event in sorted(events, key=_moment):
        if event.type == event_type and source and event.payload.get("input_fingerprint") == source:
            latest[_fingerprint(event.payload)] = event
    return list(latest.values()) or [None]


def _rank(chain: _Chain) -> tuple[object, ...]:
    got_to = tuple(event is not None for event in chain)
    return got_to, tuple(_moment(event) for event in chain if event)


def _moment(event: Event) -> tuple[datetime, str]:
    return event.time, event.id


def _renewed(stood: Payload | None, made: Payload | None) -> Payload | None:
    return made if stood is not None and _fingerprint(stood) == _fingerprint(made) else stood


def _fingerprint(result: Payload | None) -> str | None:
    return result.get("fingerprint") if result else None


def _steps(chain: _Chain, events: Sequence[Event], run: Run) -> tuple[StepView, ...]:
    views: list[StepView] = []
    for step, result in zip(PIPELINE, chain, strict=True):
        if PIPELINE.index(step) < PIPELINE.index(run.start):
            views.append(StepView(step, StepState.DONE))
        else:
            views.append(_step(step, result, events, run, views))
    return tuple(views)


def _step(step: Step, result: Event | None, events: Sequence[Event], run: Run, before: Sequence[StepView]) -> StepView:
    view = StepView(step, StepState.RUNNING, _started(step, events, run))
    if step is Step.OCR and (progress := run.progress.plus(events)):
        view = replace(view, done=progress.done, total=progress.total, pages=progress)
    if result is not None:
        # How many pages it was is the result's to say: what told of some of its batches may have been lost.
        pages = result.payload.get("ocr_pages") or None
        return replace(view, state=StepState.DONE, finished_at=result.time, attempts=1, done=pages, total=pages)
    if (failed := _failure(view, events, run.letters)) is not None:
        return failed
    if before and before[-1].state in (StepState.FAILED, StepState.SKIPPED):
        return StepView(step, StepState.SKIPPED, pages=view.pages)
    if before and before[-1].state is not StepState.DONE:
        return StepView(step, StepState.WAITING, pages=view.pages)
    return view


def _started(step: Step, events: Sequence[Event], run: Run) -> datetime | None:
    started = max((e.time for e in events if e.type == STARTS[step]), default=None)
    # The event that starts a replay has the time of the one that it repeats.
    return max(started, run.began_at) if started and run.began_at else started


def _failure(view: StepView, events: Sequence[Event], letters: Sequence[Letter]) -> StepView | None:
    failures = [e for e in events if e.type == DocumentFailed.type and e.payload.get("step") == view.step]
    if failures:
        last = max(failures, key=_moment)
        code, message, hint = (last.payload[name] for name in ("code", "message", "hint"))
        failed = replace(view, state=StepState.FAILED, finished_at=last.time, attempts=1)
        return replace(failed, code=code[:MAX_CODE_CHARACTERS], message=message, hint=hint)
    # A letter that says "held" tells of somebody at work, not of a failure.
    given_up = [a for a in letters if STEP_OF_TRIGGER.get(a.trigger) == view.step and a.status != 409]
    return _given_up(view, given_up) if given_up else None


def _given_up(view: StepView, letters: Sequence[Letter]) -> StepView:
    latest = max(letters, key=lambda letter: letter.at)
    return replace(
        view,
        state=StepState.FAILED,
        finished_at=latest.at,
        attempts=sum(letter.arrivals for letter in letters),
        code=FailureCode.RETRIES_EXHAUSTED.value,
        message=latest.message,
        hint=latest.hint,
    )


def _judged(standing: Standing, steps: tuple[StepView, ...], accepted: str | None) -> Projection:
    warnings = _warnings(standing)
    status, code, message, hint = _status(steps, warnings)
    if status is not Status.ATTENTION or code != accepted:
        return Projection(standing, steps, status, code, message, hint, warnings)
    settled = tuple(notice.model_copy(update={"needs_decision": False}) for notice in warnings)
    if any(view.state is StepState.FAILED for view in steps):
        settled += (Notice(code=code or "", message=message or ""),)
    return Projection(standing, steps, Status.READY, None, None, None, settled)


def _warnings(standing: Standing) -> tuple[Notice, ...]:
    results = (standing.converted, standing.recognized, standing.enriched)
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
