"""Loads the source, has it converted, stores the PDF, replies. And opens encrypted originals on request.

The password of a document comes by a direct call and goes no further: not into an event, a row, an object or a log.
"""

import hashlib
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, Protocol

from functions.convert.core import VERSION, Conversion, ConversionLimits
from shared.documents import Notice, ObjectReference
from shared.errors import FailureCode, ObjectExists, StepFailed
from shared.events import AnyData, DocumentConverted, DocumentReceived, Event
from shared.fingerprints import fingerprint
from shared.inputs import fetch_source
from shared.results import Attempt, StepResult, Work, raise_failure, refuse_purged
from shared.step import StepContext
from shared.storage import keys
from shared.storage.port import ObjectStore

PDF = "application/pdf"
MAX_PAGES_IN_NOTICE = 200
"""Events stay small: a notice about more pages than this names the first ones."""


class PdfMaker(Protocol):
    """Makes a PDF of whatever was uploaded."""

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
        """Write the PDF to `output`; `trace` names the work in the logs of others.

        Raises StepFailed with the code that a person can act on.
        """

    def embed(self, source: Path, facts: Mapping[str, Any], output: Path, *, timeout_seconds: float) -> bool:
        """Write a copy of a PDF with the facts inside; False, and no copy, for a signed one."""

    def unlock(self, source: Path, password: str, output: Path, *, timeout_seconds: float) -> bool:
        """Write an opened copy to `output` if the password fits."""


@dataclass(frozen=True)
class Converting:
    """Turns originals into PDFs. `engines` names the programs and libraries that make them, with versions; it may have
    to ask.
    """

    store: ObjectStore
    maker: PdfMaker
    limits: ConversionLimits
    engines: Callable[[], str]
    timeout_seconds: float

    def convert(self, context: StepContext, data: AnyData) -> Event:
        """Answer `document.received` with `document.converted`."""
        assert isinstance(data, DocumentReceived)
        source = data.options.unlocked or data.unlocked or data.original
        work = self._work(context, data, source)
        result = raise_failure(work.once(lambda attempt: self._attempt(context, work, attempt, data, source)))
        return context.reply(
            DocumentConverted(
                document_id=data.document_id,
                fingerprint=work.fingerprint,
                input_fingerprint=source.sha256,
                options=data.options,
                pdf=result.payloads["pdf"],
                filename=data.filename,
                **result.data,
            )
        )

    def unlock(self, document_id: str, password: str) -> ObjectReference | None:
        """Open the original with a password and keep the copy beside it; None where it does not fit.

        Raises StepFailed (source_gone, or why there is nothing to open), DocumentGone.
        """
        refuse_purged(self.store, document_id)
        info = self.store.head(keys.original(document_id))
        if info is None:
            raise StepFailed(FailureCode.SOURCE_GONE)
        with _scratch() as directory:
            source, opened = directory / "original", directory / "opened"
            with self.store.open(info.key) as stream, source.open("wb") as file:
                while chunk := stream.read(1 << 20):
                    file.write(chunk)
            if not self.maker.unlock(source, password, opened, timeout_seconds=self.timeout_seconds):
                return None
            return self._kept(document_id, opened, info.media_type)

    def embed(
        self, document_id: str, pdf: ObjectReference, name: str, facts: Mapping[str, Any]
    ) -> ObjectReference | None:
        """Make the copy of a PDF that holds its metadata, under `derived/`; None for a signed one.

        Raises StepFailed (source_gone, corrupt), DocumentGone.
        """
        refuse_purged(self.store, document_id)
        with _scratch() as directory:
            source, output = directory / "source", directory / "embedded.pdf"
            fetch_source(self.store, pdf, source)
            if not self.maker.embed(source, facts, output, timeout_seconds=self.timeout_seconds):
                return None
            return self.store.put_file(keys.derived(document_id, name), output, media_type=PDF)

    def _kept(self, document_id: str, opened: Path, media_type: str) -> ObjectReference:
        with opened.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        key = keys.unlocked(document_id, digest)
        with suppress(ObjectExists):
            return self.store.put_file(key, opened, media_type=media_type, create_only=True)
        info = self.store.head(key)
        assert info is not None
        size = opened.stat().st_size
        return ObjectReference(
            bucket=self.store.bucket, key=key, size=size, sha256=digest, etag=info.etag, media_type=media_type
        )

    def _work(self, context: StepContext, data: DocumentReceived, source: ObjectReference) -> Work:
        mark = fingerprint(
            "convert",
            context.version,
            inputs={"source": source.sha256},
            # The ending decides between Markdown, CSV and plain text, which look alike.
            settings={
                "rules": VERSION,
                "limits": self.limits.as_params(),
                "engines": self.engines(),
                "suffix": PurePath(data.filename).suffix.lower(),
            },
            forced_run=context.forced_run(data),
        )
        return context.work(data.document_id, mark, source.sha256)

    def _attempt(
        self, context: StepContext, work: Work, attempt: Attempt, data: DocumentReceived, reference: ObjectReference
    ) -> StepResult:
        with _scratch() as directory:
            source, output = directory / "source", directory / "document.pdf"
            fetch_source(self.store, reference, source)
            left = context.deadline.remaining_seconds(self.timeout_seconds)
            conversion = self.maker.convert(
                source,
                data.filename,
                data.media_type,
                output,
                limits=self.limits,
                timeout_seconds=left,
                trace=context.event.id,
            )
            pdf = attempt.store_file("document.pdf", output, PDF)
        details = {
            "pages": conversion.pages,
            "converter": conversion.converter,
            "warnings": [_short(notice).model_dump(mode="json") for notice in conversion.warnings],
        }
        return work.outcome(attempt, payloads={"pdf": pdf}, data=details)


def _short(notice: Notice) -> Notice:
    return notice.model_copy(update={"pages": notice.pages[:MAX_PAGES_IN_NOTICE]})


@contextmanager
def _scratch() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="convert-") as directory:
        yield Path(directory)
