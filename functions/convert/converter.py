"""Converts one file into a PDF: asks the jailed worker, hands office files to the office converter, checks what came
out.
"""

import re
import shutil
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from functions.convert.core import Conversion, ConversionLimits, conversion_from
from functions.convert.office import DocumentConverter, OfficeSource
from shared.errors import FailureCode, StepFailed, Unavailable
from shared.jail import JailCrashed, JailedPool, JailedWorker, JailTimeout, Limits

WORKER = "functions.convert.worker:METHODS"
OFFICE_INPUTS = frozenset({"source", "opened", "prepared.txt", "prepared.csv", "prepared.fodt", "prepared.fods"})
"""What the worker may leave for LibreOffice, by name."""

TEXT_LOST = ("text_missing", FailureCode.CONVERSION_FAILED.value)
"""Notices after which office files are converted once more, with room for all of their text."""
SHARE_FOR_STYLED_RENDERING = 0.5
"""Of the time there is, how much the rendering with a page's own styles may take before it is done without them."""

_SUFFIX = re.compile(r"\.[a-z0-9]{1,8}")


class Converter:
    """The whole of conversion. Calls are independent; several threads may call at once, each takes a free worker."""

    def __init__(self, office: DocumentConverter, *, workers: int = 1, memory_bytes: int = 2 * 1024**3) -> None:
        self._office = office
        self._pool = JailedPool(WORKER, size=workers, limits=Limits(memory_bytes=memory_bytes), max_calls=200)

    def convert(
        self,
        source: Path,
        filename: str,
        media_type_hint: str,
        output: Path,
        *,
        limits: ConversionLimits,
        timeout_seconds: float,
        trace: str = "",
    ) -> Conversion:
        """Converts `source` (never changed) into the PDF `output`; `trace` names the work in the logs of others.

        `filename` and `media_type_hint` are what the sender called it; the content decides. Raises StepFailed with
        the codes of this function's README; time-outs and a missing converter are not determined by the inputs.
        """
        deadline = time.monotonic() + timeout_seconds
        with self._pool.worker() as worker:
            try:
                answer = self._converted(worker, source, filename, media_type_hint, limits, deadline, trace)
                _take(worker.scratch / "output.pdf", output)
            finally:
                _tidy(worker.scratch)
        return conversion_from(answer)

    def unlock(self, source: Path, password: str, output: Path, *, timeout_seconds: float) -> bool:
        """Whether the password opens the file; then `output` is the opened document. The source stays as it is."""
        with self._pool.worker() as worker:
            shutil.copyfile(source, worker.scratch / "source")
            params = {"source": "source", "output": "opened", "password": password}
            try:
                fits = bool(_call(worker, "open_with_password", params, timeout_seconds))
                if fits:
                    _take(worker.scratch / "opened", output)
            finally:
                _tidy(worker.scratch)
        return fits

    def embed(self, source: Path, facts: Mapping[str, Any], output: Path, *, timeout_seconds: float) -> bool:
        """Write a copy of a PDF with the facts inside; False, and no copy, for a signed one."""
        with self._pool.worker() as worker:
            shutil.copyfile(source, worker.scratch / "source")
            params = {"source": "source", "output": "embedded", "facts": dict(facts)}
            try:
                done = bool(_call(worker, "embed_metadata", params, timeout_seconds))
                if done:
                    _take(worker.scratch / "embedded", output)
            finally:
                _tidy(worker.scratch)
        return done

    def close(self) -> None:
        """Ends all processes."""
        self._pool.close()
        self._office.close()

    def _converted(
        self,
        worker: JailedWorker,
        source: Path,
        filename: str,
        media_type_hint: str,
        limits: ConversionLimits,
        deadline: float,
        trace: str,
    ) -> Mapping[str, Any]:
        shutil.copyfile(source, worker.scratch / "source")
        params = {
            "source": "source",
            "output": "output.pdf",
            "filename": filename,
            "media_type_hint": media_type_hint,
            "limits": limits.as_params(),
            "flat": not self._office.follows_options,
        }
        answer = _call_with_fallback(worker, params, deadline)
        if "office" not in answer:
            return answer
        return self._through_office(worker, answer, limits, deadline, trace)

    def _through_office(
        self, worker: JailedWorker, answer: Mapping[str, Any], limits: ConversionLimits, deadline: float, trace: str
    ) -> Mapping[str, Any]:
        task = answer["office"]
        source = office_source(worker.scratch, task)
        finished = self._office_attempt(worker, source, limits, deadline, trace)
        text_lost = any(warning["code"] in TEXT_LOST for warning in finished["warnings"])
        if text_lost and self._office.follows_options:
            finished = self._office_attempt(worker, replace(source, grow=True), limits, deadline, trace)
        return {
            "pages": finished["pages"],
            "converter": finished["converter"],
            "media_type": answer["media_type"],
            "warnings": [*answer["warnings"], *finished["warnings"]],
        }

    def _office_attempt(
        self, worker: JailedWorker, source: OfficeSource, limits: ConversionLimits, deadline: float, trace: str
    ) -> Mapping[str, Any]:
        made = worker.scratch / "made.pdf"
        result = self._office.convert(source, made, timeout_seconds=_left(deadline), trace=trace)
        params = {
            "made": "made.pdf",
            "source": source.path.name,
            "output": "output.pdf",
            "hidden": None if result.hidden is None else list(result.hidden),
            "limits": limits.as_params(),
        }
        try:
            return {"converter": result.converter, **_call(worker, "finish", params, _left(deadline))}
        except StepFailed as failed:
            if failed.code is not FailureCode.CORRUPT:
                raise
            # It is what was made that can not be opened, not what a person sent.
            raise StepFailed(FailureCode.CONVERSION_FAILED, determined=False) from failed


def office_source(scratch: Path, task: Mapping[str, Any]) -> OfficeSource:
    """What the worker has left for LibreOffice.

    We read that file on the worker's word, with all that we may read: one that a document has taken over must not
    lead us to another. Raises StepFailed.
    """
    name, suffix = str(task["source"]), str(task["suffix"])
    if name not in OFFICE_INPUTS or not _SUFFIX.fullmatch(suffix):
        raise StepFailed(FailureCode.CONVERSION_FAILED)
    return OfficeSource(_plain_file(scratch / name), suffix, str(task["filter"]), str(task["filter_options"]))


def _take(made: Path, output: Path) -> None:
    shutil.move(_plain_file(made), output)


def _plain_file(path: Path) -> Path:
    """The path of a file that really lies there. Raises StepFailed."""
    if path.is_symlink() or not path.is_file():
        raise StepFailed(FailureCode.CONVERSION_FAILED)
    return path


def _call_with_fallback(worker: JailedWorker, params: Mapping[str, Any], deadline: float) -> Mapping[str, Any]:
    """A page whose own styles take too long to lay out, or are too much for the renderer, is laid out without them."""
    try:
        answer: Mapping[str, Any] = worker.call(
            "convert", params, timeout_seconds=_left(deadline) * SHARE_FOR_STYLED_RENDERING
        )
    except (JailTimeout, JailCrashed) as error:
        _refuse_stopped(error)
        answer = _call(worker, "convert", {**params, "plain": True}, _left(deadline))
    return answer


def _call(worker: JailedWorker, method: str, params: Mapping[str, Any], timeout_seconds: float) -> Any:
    try:
        return worker.call(method, params, timeout_seconds=timeout_seconds)
    except JailTimeout as error:
        raise StepFailed(FailureCode.CONVERSION_TIMEOUT, determined=False) from error
    except JailCrashed as error:
        _refuse_stopped(error)
        code = FailureCode.DECOMPRESSION_BOMB if error.out_of_memory else FailureCode.CONVERSION_FAILED
        raise StepFailed(code) from error


def _refuse_stopped(error: JailTimeout | JailCrashed) -> None:
    """A worker that was killed says nothing about the document; it is delivered again."""
    if isinstance(error, JailCrashed) and error.was_stopped:
        raise Unavailable("the converting process was stopped") from error


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise StepFailed(FailureCode.CONVERSION_TIMEOUT, determined=False)
    return left


def _tidy(scratch: Path) -> None:
    """Leaves nothing of one document for the next."""
    for entry in scratch.iterdir():
        if entry.name == "tmp":
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink(missing_ok=True)
