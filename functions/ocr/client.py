"""The outer side of the jail: what the OCR function asks of the worker processes, and the engine that runs in them.

Nothing here opens a PDF or a picture.
"""

import hashlib
import json
import os
import shutil
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version as package_version
from pathlib import Path
from typing import Any

from functions.ocr.engine import OperationMemory
from functions.ocr.languages import ORIENTATION_PACK, choose_packs, data_directory, installed_packs
from functions.ocr.models import PageKind, PagePicture, PagePlan, RecognizedPage
from functions.ocr.settings import OcrSettings
from shared.documents import DocumentText, Notice
from shared.errors import FailureCode, StepFailed, Unavailable
from shared.jail import JailCrashed, JailedPool, JailedWorker, JailTimeout, Limits

ENTRY = "functions.ocr.worker:METHODS"
CALLS_PER_PROCESS = 400
MEBIBYTE = 1024 * 1024


@dataclass(frozen=True)
class Assembled:
    """The result of the step: text and notices; the PDF was written to the file that was asked for."""

    text: DocumentText
    notices: tuple[Notice, ...]
    ocr_pages: int
    """Pages on which text was recognized (also if none was found)."""
    mean_confidence: float | None
    """Of the recognized words, weighted by length; None without any."""


def usable_cores() -> int:
    """Cores this process may use, by affinity and by the control group's quota, at least 1."""
    cores = len(os.sched_getaffinity(0))
    return max(1, min(cores, int(_quota() or cores)))


def worker_pool(settings: OcrSettings) -> JailedPool:
    """The processes for everything that touches untrusted files; started when they are first needed."""
    tessdata = data_directory(settings.tessdata_prefix)
    return JailedPool(
        ENTRY,
        size=settings.ocr_workers or usable_cores(),
        limits=Limits(
            memory_bytes=settings.ocr_memory_mebibytes * MEBIBYTE,
            cpu_seconds=int(max(settings.ocr_document_timeout_seconds, 2 * settings.ocr_page_timeout_seconds)) + 1,
        ),
        readable=(tessdata,) if tessdata else (),
        environment={"OMP_THREAD_LIMIT": "1"},
        max_calls=CALLS_PER_PROCESS,
    )


class JailedPdfTools:
    """Inspects, assembles and draws PDFs in the jail."""

    def __init__(self, pool: JailedPool, settings: OcrSettings) -> None:
        self._pool = pool
        self._settings = settings

    def inspect(self, pdf: Path) -> tuple[PagePlan, ...]:
        """Decides page by page where the text comes from. Raises StepFailed (encrypted, corrupt, too_many_pages)."""
        limits = {"max_pages": self._settings.ocr_max_pages, "max_pixels": self._settings.ocr_max_page_pixels}
        plans = self._call("inspect", pdf, limits, outputs={})
        return tuple(PagePlan.model_validate(plan) for plan in plans)

    def assemble(
        self, pdf: Path, plans: Sequence[PagePlan], pages: Sequence[RecognizedPage], output: Path, engine: str
    ) -> Assembled:
        """Writes the searchable PDF to `output` and returns the text. Same input, same bytes.

        Raises StepFailed(ocr_failed) if pages were to be recognized and not one could be.
        """
        _check_some_text(plans, pages)
        parts = {
            "plans": [plan.model_dump(mode="json") for plan in plans],
            "pages": [page.model_dump(mode="json") for page in sorted(pages, key=lambda page: page.number)],
        }
        text_file = output.with_name(output.name + ".text.json")
        try:
            answer = self._call(
                "assemble",
                pdf,
                {"engine": engine if any(plan.needs_recognition for plan in plans) else ""},
                outputs={"output": output, "text": text_file},
                inputs={"parts": json.dumps(parts).encode()},
            )
            text = DocumentText.model_validate_json(text_file.read_bytes())
        finally:
            text_file.unlink(missing_ok=True)
        written = tuple(Notice.model_validate(notice) for notice in answer["notices"])
        return Assembled(text, merged_notices(pages) + written, len(pages), mean_confidence(pages))

    def pictures(self, pdf: Path, plans: Sequence[PagePlan], output: Path) -> tuple[PagePicture, ...]:
        """Writes a PDF with pictures of these pages, for a service. Raises StepFailed (encrypted, corrupt)."""
        body = json.dumps([plan.model_dump(mode="json") for plan in plans]).encode()
        limits = {"max_pixels": self._settings.ocr_max_page_pixels}
        made = self._call("pictures", pdf, limits, outputs={"output": output}, inputs={"plans": body})
        return tuple(PagePicture.model_validate(each) for each in made)

    def thumbnail(self, pdf: Path, output: Path) -> None:
        """Writes the first page as WebP. Raises StepFailed (encrypted, corrupt)."""
        self._call("thumbnail", pdf, {"width_pixels": self._settings.ocr_thumbnail_width}, outputs={"output": output})

    def _call(
        self,
        method: str,
        pdf: Path,
        params: Mapping[str, Any],
        outputs: Mapping[str, Path],
        inputs: Mapping[str, bytes] | None = None,
    ) -> Any:
        with self._pool.worker() as worker, _workplace(worker, pdf) as place:
            names: dict[str, Any] = {"pdf": place.name("document.pdf")}
            for key, data in (inputs or {}).items():
                names[key] = place.name(key)
                (worker.scratch / names[key]).write_bytes(data)
            names |= {key: place.name(key) for key in outputs}
            with _translated_errors():
                answer = worker.call(
                    method, {**params, **names}, timeout_seconds=self._settings.ocr_document_timeout_seconds
                )
            for key, path in outputs.items():
                shutil.copyfile(worker.scratch / names[key], path)
            return answer


class TesseractOcrEngine:
    """Recognizes pages with Tesseract, one page per process at a time."""

    def __init__(self, pool: JailedPool, settings: OcrSettings) -> None:
        self._pool = pool
        self._settings = settings
        self._tessdata = data_directory(settings.tessdata_prefix)
        self._installed = installed_packs(self._tessdata)

    @property
    def name(self) -> str:
        return f"tesseract (tesserocr {package_version('tesserocr')})"

    @property
    def missing_languages(self) -> tuple[str, ...]:
        """Configured languages that are not installed; they are passed over as long as there is one that is."""
        return tuple(pack for pack in self._settings.packs if pack not in self._installed)

    def version(self, language: str | None = None) -> str:
        packs = choose_packs(self._settings.packs, language, self._installed)
        # Other installed packs count as well: a page in another script is read with the pack for that.
        data = [
            f"{pack}:{self._digest(pack)}" for pack in sorted({*self._installed, ORIENTATION_PACK} & self._installed)
        ]
        libraries = [f"{name} {package_version(name)}" for name in ("tesserocr", "pypdfium2", "pikepdf", "pillow")]
        limits = f"{self._settings.ocr_max_page_pixels} pixels"
        return "; ".join([*libraries, limits, "+".join(packs), *data])

    def recognize(
        self,
        pdf: Path,
        pages: Sequence[PagePlan],
        language: str | None = None,
        *,
        memory: OperationMemory | None = None,
        timeout_seconds: float | None = None,
    ) -> tuple[RecognizedPage, ...]:
        packs = choose_packs(self._settings.packs, language, self._installed)
        wanted = deque(plan for plan in pages if plan.needs_recognition)
        order = [plan.number for plan in wanted]
        workers = min(self._settings.ocr_workers or usable_cores(), len(wanted))
        if not workers:
            return ()
        results: dict[int, RecognizedPage] = {}
        lock = threading.Lock()
        ends_at = time.monotonic() + self._settings.ocr_document_timeout_seconds

        def work() -> None:
            with self._pool.worker() as worker, _workplace(worker, pdf) as place:
                while True:
                    with lock:
                        if not wanted:
                            return
                        plan = wanted.popleft()
                    page = self._recognize_page(worker, place.name("document.pdf"), plan, packs, ends_at)
                    with lock:
                        results[page.number] = page

        with ThreadPoolExecutor(workers, thread_name_prefix="ocr") as threads:
            for future in [threads.submit(work) for _ in range(workers)]:
                future.result()
        return tuple(results[number] for number in order)

    def _recognize_page(
        self, worker: JailedWorker, pdf: str, plan: PagePlan, packs: Sequence[str], ends_at: float
    ) -> RecognizedPage:
        failure = ""
        for attempt in ("full", "simple"):
            # The request has to be answered in time, whatever eight hostile pages ask for.
            seconds = min(self._settings.ocr_page_timeout_seconds, ends_at - time.monotonic())
            if seconds <= 0:
                return RecognizedPage(number=plan.number, failure=failure or "There was no time left for this page.")
            try:
                answer = worker.call(
                    "recognize",
                    {
                        "pdf": pdf,
                        "plan": plan.model_dump(mode="json"),
                        "packs": list(packs),
                        "installed": sorted(self._installed),
                        "tessdata": str(self._tessdata),
                        # For one reading; a page may need several.
                        "timeout_seconds": seconds / 2,
                        "max_pixels": self._settings.ocr_max_page_pixels,
                        "simple": attempt == "simple",
                    },
                    timeout_seconds=seconds,
                )
                return RecognizedPage.model_validate(answer)
            except JailTimeout as error:
                failure = str(error)
            except JailCrashed as error:
                _refuse_stopped(error)
                failure = str(error)
            except StepFailed as error:
                # One damaged page does not make the others unreadable.
                return RecognizedPage(number=plan.number, failure=error.message)
        return RecognizedPage(number=plan.number, failure=failure)

    def _digest(self, pack: str) -> str:
        path = (self._tessdata or Path()) / f"{pack}.traineddata"
        stat = path.stat()
        return _file_digest(path, stat.st_size, stat.st_mtime_ns)


def mean_confidence(pages: Sequence[RecognizedPage]) -> float | None:
    """Of all recognized words, weighted by length; None if there are none."""
    words = [word for page in pages for word in page.words]
    characters = sum(len(word.text) for word in words)
    return round(sum(word.confidence * len(word.text) for word in words) / characters, 4) if characters else None


def merged_notices(pages: Sequence[RecognizedPage]) -> tuple[Notice, ...]:
    """One notice per kind, with all its pages; pages that could not be read become `ocr_incomplete`."""
    merged: dict[tuple[str, str], Notice] = {}
    failed = tuple(page.number for page in pages if page.failure is not None)
    if failed:
        message = "The text of some pages could not be recognized."
        code = FailureCode.OCR_INCOMPLETE.value
        merged[code, message] = Notice(code=code, message=message, pages=failed, needs_decision=True)
    for notice in (notice for page in pages for notice in page.notices):
        known = merged.get((notice.code, notice.message))
        numbers = (*known.pages, *notice.pages) if known else notice.pages
        merged[notice.code, notice.message] = notice.model_copy(update={"pages": tuple(sorted(set(numbers)))})
    return tuple(merged.values())


def _check_some_text(plans: Sequence[PagePlan], pages: Sequence[RecognizedPage]) -> None:
    """A document of which nothing at all can be read has failed; with some pages it is incomplete."""
    all_failed = bool(pages) and all(page.failure is not None for page in pages)
    if all_failed and not any(plan.kind in (PageKind.DIGITAL, PageKind.MIXED) for plan in plans):
        raise StepFailed(FailureCode.OCR_FAILED, determined=False)


@dataclass(frozen=True)
class _Workplace:
    """Names of one job's files in a worker's scratch directory."""

    prefix: str

    def name(self, suffix: str) -> str:
        return f"{self.prefix}-{suffix}"


@contextmanager
def _workplace(worker: JailedWorker, pdf: Path) -> Iterator[_Workplace]:
    """A copy of the document for the worker (which could write to a link), removed with all of the job's files."""
    place = _Workplace(uuid.uuid4().hex)
    try:
        shutil.copyfile(pdf, worker.scratch / place.name("document.pdf"))
        yield place
    finally:
        for leftover in worker.scratch.glob(f"{place.prefix}-*"):
            leftover.unlink(missing_ok=True)


@contextmanager
def _translated_errors() -> Iterator[None]:
    try:
        yield
    except JailTimeout as error:
        raise StepFailed(FailureCode.OCR_FAILED, "Reading the document took too long.", determined=False) from error
    except JailCrashed as error:
        _refuse_stopped(error)
        raise StepFailed(FailureCode.OCR_FAILED, "The document could not be processed.", determined=False) from error


def _refuse_stopped(error: JailCrashed) -> None:
    """A worker that was killed says nothing about the document; it is delivered again."""
    if error.was_stopped:
        raise Unavailable("the recognizing process was stopped") from error


@lru_cache(maxsize=256)
def _file_digest(path: Path, size: int, modified_ns: int) -> str:
    """The start of the file's sha256; size and time are only there to notice that it changed."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def _quota() -> float | None:
    """Cores by the control group's quota (version 2, then 1); None without one."""
    readers: tuple[Callable[[], float | None], ...] = (_quota_v2, _quota_v1)
    for reader in readers:
        try:
            quota = reader()
        except (OSError, ValueError):
            continue
        if quota:
            return max(1.0, quota)
    return None


def _quota_v2() -> float | None:
    limit, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
    return None if limit == "max" else int(limit) / int(period)


def _quota_v1() -> float | None:
    directory = Path("/sys/fs/cgroup/cpu")
    limit = int((directory / "cpu.cfs_quota_us").read_text(encoding="ascii"))
    return None if limit <= 0 else limit / int((directory / "cpu.cfs_period_us").read_text(encoding="ascii"))
