"""Rows into what the API answers and pages show. Reads no database: whoever calls brings the rows."""

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

from shared.database.charges import Cost
from shared.database.documents import shown_metadata
from shared.database.reviews import ReviewState, review_state
from shared.database.tables import ArchivedEvent, Document, DocumentStep
from shared.documents import PIPELINE, Notice, ObjectReference, Status, Step, StepState
from shared.errors import EXPLANATIONS, FailureCode
from shared.events import DocumentConverted, DocumentRecognized
from shared.metadata import Money
from shared.search.port import SearchHit
from web.actions import possible_actions
from web.api.models import (
    ArchivedEventView,
    CostView,
    DocumentDetail,
    DocumentLinks,
    DocumentSummary,
    Failure,
    FileVersion,
    Progress,
    SearchHitView,
    StepView,
    TimelineEntry,
)

_STEP_ORDER = {step.value: place for place, step in enumerate(Step)}


def shown_status(document: Document) -> Status:
    """The status as people see it: a document in the trash is trashed, whatever its run does."""
    return Status.TRASHED if document.trashed_at else Status(document.status)


def links(document: Document) -> DocumentLinks:
    """Where the document's parts are."""
    here = f"/api/documents/{document.id}"
    return DocumentLinks(
        self=here,
        page=f"/documents/{document.id}",
        original=f"{here}/original",
        metadata=f"{here}/metadata",
        events=f"{here}/events",
        pdf=f"{here}/pdf" if document.converted else None,
        text=f"{here}/text" if document.recognized else None,
        thumbnail=f"{here}/thumbnail" if document.recognized else None,
    )


def summary(document: Document, tags: Iterable[str], steps: Sequence[DocumentStep]) -> DocumentSummary:
    """The document as lists show it. `steps` are those of its current run."""
    return DocumentSummary.model_validate(_summary_fields(document, tags, steps))


def cost_view(cost: Cost) -> CostView:
    """What was spent."""
    return CostView(ocr_pages=cost.ocr_pages, tokens=cost.tokens, cost=cost.cost)


def detail(
    document: Document,
    tags: Iterable[str],
    steps: Sequence[DocumentStep],
    cost: Cost,
    replaces: str | None = None,
    *,
    choice_of_engines: bool = False,
) -> DocumentDetail:
    """The document with everything that is known of it; `replaces` names the one that it stands in for."""
    current = sorted(
        (step for step in steps if step.runid == document.runid), key=lambda step: _STEP_ORDER.get(step.step, 99)
    )
    failed = _failed_step(document, current)
    return DocumentDetail.model_validate(
        _summary_fields(document, tags, current)
        | {
            "runid": document.runid,
            "run_from": document.run_from,
            "run_started_at": document.run_started_at,
            "options": document.options,
            "steps": tuple(_step(step) for step in current),
            "metadata": shown_metadata(document),
            "locked": tuple(document.locked),
            "warnings": tuple(Notice.model_validate(notice) for notice in document.warnings or ()),
            "failure": _failure(document, current),
            "actions": possible_actions(
                document,
                failed.step if failed else None,
                in_review=review_state(document) is ReviewState.PENDING,
                choice_of_engines=choice_of_engines,
            ),
            "replaces": replaces,
            "replaced_by": document.replaced_by,
            "versions": _versions(document),
            "indexed": document.indexed_version >= document.version,
            "cost": cost_view(cost),
        }
    )


def timeline_entry(row: ArchivedEvent, current_run: str) -> TimelineEntry:
    """An archived event as an entry of the document's timeline."""
    event = json.loads(row.body)
    data = event.get("data") or {}
    return TimelineEntry(
        number=row.number,
        id=row.id,
        type=row.type,
        source=row.source,
        subject=row.subject,
        time=row.time,
        recorded_at=row.recorded_at,
        runid=row.runid,
        current_run=row.runid in (None, current_run),
        replayof=event.get("replayof"),
        replayrun=event.get("replayrun"),
        step=_step_of(row, data),
        summary=event_sentence(row.type, data),
        data=data,
    )


def archived_event(row: ArchivedEvent) -> ArchivedEventView:
    """An event of the archive, whole."""
    return ArchivedEventView(
        number=row.number,
        id=row.id,
        type=row.type,
        source=row.source,
        subject=row.subject,
        time=row.time,
        recorded_at=row.recorded_at,
        document_id=row.document_id,
        runid=row.runid,
        event=json.loads(row.body),
    )


def search_hit(found: SearchHit, shown: DocumentSummary) -> SearchHitView:
    """A document found, with what matched."""
    return SearchHitView(
        **shown.model_dump(),
        score=found.score,
        page_numbers=found.pages,
        snippet=found.snippets[0].parts if found.snippets else (),
        snippets=found.snippets,
        highlights=found.highlights,
        matched_fields=found.matched_fields,
    )


def _summary_fields(document: Document, tags: Iterable[str], steps: Sequence[DocumentStep]) -> dict[str, Any]:
    same = ("id", "title", "filename", "media_type", "size", "sha256", "channel", "version", "revision", "pages")
    more = ("received_at", "changed_at", "trashed_at", "document_type", "sender", "language", "document_date")
    return {name: getattr(document, name) for name in (*same, *more)} | {
        "status": shown_status(document),
        "total": _total(document),
        "tags": tuple(tags),
        "code": document.code,
        "message": document.message,
        "review": "pending" if review_state(document) is ReviewState.PENDING else None,
        "progress": _current_progress(document, steps),
        "links": links(document),
    }


def _total(document: Document) -> Money | None:
    source = document.user_metadata if "total" in document.locked else document.machine_metadata
    total = (source or {}).get("total")
    return Money.model_validate(total["value"]) if total else None


def _current_progress(document: Document, steps: Sequence[DocumentStep]) -> Progress | None:
    if document.status != Status.PROCESSING.value:
        return None
    states = {step.step: step for step in steps if step.runid == document.runid}
    waiting = [states[step.value] for step in PIPELINE if step.value in states]
    unfinished = [step for step in waiting if step.state in (StepState.WAITING, StepState.RUNNING)]
    return _progress(unfinished[0]) if unfinished else None


def _progress(step: DocumentStep) -> Progress:
    return Progress(step=step.step, state=StepState(step.state), done=step.done, total=step.total)


def _step(step: DocumentStep) -> StepView:
    return StepView(
        step=step.step,
        state=StepState(step.state),
        attempts=step.attempts,
        started=step.started_at,
        finished=step.finished_at,
        code=step.code,
        message=step.message,
        hint=step.hint,
        progress=_progress(step) if step.total is not None else None,
    )


def _failure(document: Document, steps: Sequence[DocumentStep]) -> Failure | None:
    if document.code is None:
        return None
    known = document.code in FailureCode.__members__.values()
    explanation = EXPLANATIONS[FailureCode(document.code) if known else FailureCode.INTERNAL]
    failed = _failed_step(document, steps)
    return Failure(
        code=document.code,
        message=document.message or explanation.message,
        hint=document.hint or explanation.hint,
        actions=explanation.actions,
        retryable=explanation.retryable,
        step=failed.step if failed else None,
        attempts=failed.attempts if failed else None,
        at=failed.finished_at if failed else None,
    )


def _failed_step(document: Document, steps: Sequence[DocumentStep]) -> DocumentStep | None:
    return next((step for step in steps if document.code and step.code == document.code), None)


def _versions(document: Document) -> tuple[FileVersion, ...]:
    here = f"/api/documents/{document.id}"
    found = [_version("original", ObjectReference.model_validate(document.original), f"{here}/original")]
    if document.converted:
        pdf = DocumentConverted.model_validate(document.converted).pdf
        found.append(_version("pdf", pdf, f"{here}/pdf?kind=converted"))
    if document.recognized:
        recognized = DocumentRecognized.model_validate(document.recognized)
        found.append(_version("searchable_pdf", recognized.searchable_pdf, f"{here}/pdf"))
        found.append(_version("text", recognized.text, f"{here}/text"))
    return tuple(found)


def _version(kind: str, reference: ObjectReference, href: str) -> FileVersion:
    return FileVersion.model_validate(
        {
            "kind": kind,
            "media_type": reference.media_type,
            "size": reference.size,
            "sha256": reference.sha256,
            "href": href,
        }
    )


def _step_of(row: ArchivedEvent, data: dict[str, Any]) -> str | None:
    if isinstance(data.get("step"), str):
        return str(data["step"])
    _, _, step = row.source.partition("/docuelevate/functions/")
    return step or None


_SENTENCES = {
    "object.created": "A file arrived in the bucket",
    "document.received": "Received {filename} by {channel}",
    "document.converted": "Converted to PDF, {pages} pages",
    "pages.requested": "Pages {batch[first]} to {batch[last]} sent to text recognition",
    "pages.recognized": "Text recognized on pages {batch[first]} to {batch[last]}",
    "document.recognized": "Text recognized, {ocr_pages} of {pages} pages from images",
    "document.enriched": "Metadata extracted by {extractor}",
    "document.updated": "Version {version}",
    "document.indexed": "Version {version} can be found by search",
    "document.deleted": "Moved to the trash",
    "document.restored": "Taken out of the trash",
    "document.purged": "Removed for good",
    "document.failed": "{message}",
}


_ONE_PAGE = re.compile(r"\b1 pages\b")


def event_sentence(event_type: str, data: dict[str, Any]) -> str:
    """What an event tells, in one sentence."""
    short = event_type.removeprefix("org.docuelevate.").removesuffix(".v1")
    try:
        return _ONE_PAGE.sub("1 page", _SENTENCES.get(short, short).format_map(data))
    except (KeyError, TypeError, IndexError):
        return short
