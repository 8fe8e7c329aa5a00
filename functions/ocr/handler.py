"""Orders the work on one document: plan, recognize in one go or in batches, join, reply.

A PDF with more pages to recognize than fit one batch gets a create-only `plan.json` and one event per batch. Each batch
commits its part and then looks whether all parts are there, also when its own was there already: a crash between the
last part and the join heals with the redelivery (docs/architecture.md, Fan-out).
"""

import logging
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Protocol

from functions.ocr.client import Assembled
from functions.ocr.core import batches
from functions.ocr.engine import NoResult, OcrEngine
from functions.ocr.models import PagePlan, RecognizedPage
from functions.ocr.operations import StoredOperations
from shared.documents import Frozen, Notice
from shared.errors import FailureCode, GivenUp, LeaseHeld, ObjectExists, ObjectNotFound, StepFailed
from shared.events import (
    AnyData,
    DocumentConverted,
    DocumentRecognized,
    Event,
    PageRange,
    PagesRecognized,
    PagesRequested,
    new_event,
    result_id,
)
from shared.fingerprints import fingerprint
from shared.inputs import fetch_source
from shared.publisher import EventPublisher, publish_all
from shared.results import JSON, Attempt, Failure, StepResult, Work, raise_failure
from shared.step import StepContext
from shared.storage import keys
from shared.storage.port import ObjectStore

PLAN = "plan.json"
THUMBNAIL = "thumbnail.webp"
ALL = "all"
"""The unit of work that is the whole document."""
ASSEMBLING_SECONDS = 45.0
"""Of a step's time, what is kept for the rest when a service is waited for."""
MAX_PAGES_IN_NOTICE = 200
"""Events stay small: a notice about more pages than this names the first ones."""

_log = logging.getLogger(__name__)


class PdfTools(Protocol):
    """Looks into PDFs and writes them; untrusted bytes are opened in the jail only."""

    def inspect(self, pdf: Path) -> tuple[PagePlan, ...]:
        """What is to be done with each page."""

    def assemble(
        self, pdf: Path, plans: Sequence[PagePlan], pages: Sequence[RecognizedPage], output: Path, engine: str
    ) -> Assembled:
        """Write the searchable PDF, and tell the text."""

    def thumbnail(self, pdf: Path, output: Path) -> None:
        """Draw the first page as WebP."""


class Plan(Frozen):
    """`plan.json`: the pages and how they are cut into batches, fixed whatever the settings become."""

    pages: tuple[PagePlan, ...]
    batches: tuple[tuple[int, ...], ...]

    @property
    def ranges(self) -> tuple[PageRange, ...]:
        """First and last page of each batch."""
        return tuple(PageRange(first=batch[0], last=batch[-1]) for batch in self.batches)

    def numbers(self, batch: PageRange) -> tuple[int, ...]:
        """The pages to recognize in a batch."""
        return next((b for b in self.batches if (b[0], b[-1]) == (batch.first, batch.last)), ())

    def of(self, numbers: Sequence[int]) -> tuple[PagePlan, ...]:
        """The plans of these pages."""
        wanted = set(numbers)
        return tuple(page for page in self.pages if page.number in wanted)


@dataclass(frozen=True)
class Recognizer:
    """Turns a PDF into a searchable one with its text."""

    store: ObjectStore
    tools: PdfTools
    engine: OcrEngine
    publisher: EventPublisher
    batch_pages: int
    others: Mapping[str, OcrEngine] = field(default_factory=dict)
    """Engines that a run can ask for by name; without a name it is `engine`."""

    def engine_for(self, name: str | None) -> OcrEngine:
        """The engine that a run asked for. Raises StepFailed for one that is not set up here."""
        if not name:
            return self.engine
        try:
            return self.others[name]
        except KeyError as error:
            message = "The text recognition that was asked for is not set up on this server."
            raise StepFailed(FailureCode.OCR_FAILED, message, determined=False) from error

    def handle(self, context: StepContext, data: AnyData) -> Event | None:
        """Answer `document.converted` or `pages.requested`."""
        assert isinstance(data, DocumentConverted | PagesRequested)
        job = self._job(context, data)
        if isinstance(data, PagesRequested) and job.work.fingerprint == data.fingerprint:
            return job.batch(data.batch)
        # A batch that other settings planned is done as its whole document, by a plan of its own.
        return job.document()

    def _job(self, context: StepContext, data: DocumentConverted | PagesRequested) -> "_Job":
        mark = fingerprint(
            "ocr",
            context.version,
            inputs={"pdf": data.pdf.sha256},
            settings={"engine": self.engine_for(data.options.ocr_engine).version(data.options.language)},
            forced_run=context.forced_run(data),
        )
        source = data.fingerprint if isinstance(data, DocumentConverted) else data.input_fingerprint
        work = context.work(data.document_id, mark, source or "")
        return _Job(self, context, data, work)


@dataclass(frozen=True)
class _Job:
    """One delivery: the document's work, and what is asked of it now."""

    recognizer: Recognizer
    context: StepContext
    data: DocumentConverted | PagesRequested
    work: Work

    @property
    def tools(self) -> PdfTools:
        return self.recognizer.tools

    @property
    def engine(self) -> OcrEngine:
        return self.recognizer.engine_for(self.data.options.ocr_engine)

    @property
    def language(self) -> str | None:
        return self.data.options.language

    def document(self) -> Event | None:
        """The whole document: at once, or by asking for its batches."""
        if (done := self.work.result()) is not None:
            return self._recognized(done)
        with _scratch() as directory:
            plan = self._plan() or self._new_plan(directory)
            if len(plan.batches) > 1:
                self._request(plan)
                return None
            return self._recognized(self.work.once(lambda attempt: self._in_one_go(attempt, plan, directory)))

    def batch(self, batch: PageRange) -> Event:
        """One batch, and the join when it was the last."""
        if (done := self.work.result()) is not None:
            return self._recognized(done)
        plan = self._plan()
        if plan is None or not plan.numbers(batch):
            raise StepFailed(FailureCode.INTERNAL, "The plan of this scan is gone.", determined=False)
        with _scratch() as directory:
            self._part(plan, batch, directory)
            parts = [self.work.result(_part_name(each)) for each in plan.ranges]
            ready = [part for part in parts if part is not None]
            if len(ready) == len(parts):
                # Who is at the join already will reply; the batch itself is done.
                with suppress(LeaseHeld):
                    return self._recognized(self._join(plan, ready, directory))
            return self._progress(batch, len(ready), len(parts))

    def _plan(self) -> Plan | None:
        try:
            return Plan.model_validate_json(self.work.store.get(self.work.prefix + PLAN))
        except ObjectNotFound:
            return None

    def _new_plan(self, directory: Path) -> Plan:
        pdf = self._pdf(directory)
        pages = self.tools.inspect(pdf)
        numbers = [page.number for page in pages if page.needs_recognition]
        plan = Plan(pages=pages, batches=batches(numbers, self.recognizer.batch_pages))
        self._thumbnail(pdf, directory)
        if len(plan.batches) > 1:
            body = plan.model_dump_json().encode()
            try:
                self.work.store.put(self.work.prefix + PLAN, body, media_type=JSON, create_only=True)
            except ObjectExists:
                return self._plan() or plan
        return plan

    def _request(self, plan: Plan) -> None:
        publish_all(self.recognizer.publisher, [self._requested(batch, plan) for batch in plan.ranges])

    def _requested(self, batch: PageRange, plan: Plan) -> Event:
        data = PagesRequested(
            document_id=self.work.document_id,
            fingerprint=self.work.fingerprint,
            input_fingerprint=self.work.input_fingerprint,
            options=self.data.options,
            pdf=self.data.pdf,
            batch=batch,
            batches=len(plan.batches),
            filename=self.data.filename,
        )
        runid = self.context.event.runid
        event_id = result_id(data.document_id, runid, data.type, self.work.fingerprint, _range_name(batch))
        return new_event(data, source=self.context.source, event_id=event_id, cause=self.context.event)

    def _in_one_go(self, attempt: Attempt, plan: Plan, directory: Path) -> StepResult:
        pdf = self._pdf(directory)
        numbers = [number for batch in plan.batches for number in batch]
        pages = self._read(pdf, plan.of(numbers), ALL)
        return self._assembled(attempt, plan, pages, directory)

    def _read(self, pdf: Path, plans: Sequence[PagePlan], unit: str) -> tuple[RecognizedPage, ...]:
        left = self.context.deadline.remaining_seconds() - ASSEMBLING_SECONDS
        memory = StoredOperations(self.work, unit)
        return self.engine.recognize(pdf, plans, self.language, memory=memory, timeout_seconds=max(left, 1.0))

    def _part(self, plan: Plan, batch: PageRange, directory: Path) -> None:
        def produce(attempt: Attempt) -> StepResult:
            plans = plan.of(plan.numbers(batch))
            pages = self._read(self._pdf(directory), plans, _range_name(batch))
            return self.work.outcome(attempt, data={"pages": [page.model_dump(mode="json") for page in pages]})

        name = _part_name(batch)
        try:
            self.work.once(produce, unit=_range_name(batch), name=name)
        except (GivenUp, NoResult) as given_up:
            # The other pages are not to suffer: the part says what happened, and the join goes on without them.
            self.work.once_free(partial(self._failed_part, given_up), name)

    def _failed_part(self, failed: StepFailed, attempt: Attempt) -> StepResult:
        return self.work.outcome(attempt, failure=Failure(code=failed.code, message=failed.message))

    def _join(self, plan: Plan, parts: Sequence[StepResult], directory: Path) -> StepResult:
        pages = [page for part in parts for page in _pages(part)]
        read = {page.number for page in pages}
        lost = [n for batch in plan.batches for n in batch if n not in read]
        failed = [RecognizedPage(number=n, failure="This page stopped the text recognition.") for n in lost]
        return self.work.once(lambda attempt: self._assembled(attempt, plan, [*pages, *failed], directory), unit="join")

    def _assembled(self, attempt: Attempt, plan: Plan, pages: Sequence[RecognizedPage], directory: Path) -> StepResult:
        output = directory / "searchable.pdf"
        assembled = self.tools.assemble(self._pdf(directory), plan.pages, pages, output, self.engine.name)
        text = assembled.text.model_dump_json().encode()
        return self.work.outcome(
            attempt,
            payloads={
                "searchable_pdf": attempt.store_file("searchable.pdf", output, "application/pdf"),
                "text": attempt.store_bytes("text.json", text, JSON),
            },
            data={
                "pages": len(plan.pages),
                "ocr_pages": assembled.ocr_pages,
                "languages": list(assembled.text.languages),
                "engine": assembled.text.engine,
                "mean_confidence": assembled.mean_confidence,
                "warnings": [_short(notice).model_dump(mode="json") for notice in assembled.notices],
            },
        )

    def _recognized(self, result: StepResult) -> Event:
        raise_failure(result)
        return self.context.reply(
            DocumentRecognized(
                document_id=self.work.document_id,
                fingerprint=self.work.fingerprint,
                input_fingerprint=self.work.input_fingerprint,
                options=self.data.options,
                filename=self.data.filename,
                text=result.payloads["text"],
                searchable_pdf=result.payloads["searchable_pdf"],
                **result.data,
            )
        )

    def _progress(self, batch: PageRange, done: int, total: int) -> Event:
        data = PagesRecognized(
            document_id=self.work.document_id,
            fingerprint=self.work.fingerprint,
            input_fingerprint=self.work.input_fingerprint,
            options=self.data.options,
            batch=batch,
            batches_done=done,
            batches=total,
        )
        return self.context.reply(data, part=_range_name(batch))

    def _pdf(self, directory: Path) -> Path:
        path = directory / "document.pdf"
        if not path.exists():
            fetch_source(self.work.store, self.data.pdf, path, gone="The converted PDF is gone.")
        return path

    def _thumbnail(self, pdf: Path, directory: Path) -> None:
        path = directory / THUMBNAIL
        try:
            self.tools.thumbnail(pdf, path)
        except StepFailed as failed:
            _log.warning("no thumbnail for %s: %s", self.work.document_id, failed)
            return
        self.work.store.put_file(keys.derived(self.work.document_id, THUMBNAIL), path, media_type="image/webp")


def _short(notice: Notice) -> Notice:
    return notice.model_copy(update={"pages": notice.pages[:MAX_PAGES_IN_NOTICE]})


def _pages(part: StepResult) -> list[RecognizedPage]:
    return [RecognizedPage.model_validate(page) for page in part.data.get("pages", ())]


def _range_name(batch: PageRange) -> str:
    return f"{batch.first:04d}-{batch.last:04d}"


def _part_name(batch: PageRange) -> str:
    return f"part-{_range_name(batch)}.json"


@contextmanager
def _scratch() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="ocr-") as directory:
        yield Path(directory)
