"""The port to whoever recognizes text, and the part of it that every engine shares."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from functions.ocr.models import PagePlan, RecognizedPage
from shared.errors import FailureCode, StepFailed


class NoResult(StepFailed):
    """The engine has come to no result so often that only a forced run tries again; other pages are not to suffer."""

    def __init__(self, message: str) -> None:
        super().__init__(FailureCode.OCR_FAILED, message, determined=False)


class OperationMemory(Protocol):
    """What was ordered for a batch at a service that takes its time."""

    @property
    def orders(self) -> tuple[str, ...]:
        """The operations ordered so far, the last one last."""

    def remember(self, operation: str) -> None:
        """Keep one more, so that the next attempt asks for its result instead of ordering again."""


class OcrEngine(Protocol):
    """Recognizes batches of pages."""

    @property
    def name(self) -> str:
        """Who it is, with its version, as written into text.json: "tesseract 5.5.4"."""

    def version(self, language: str | None = None) -> str:
        """Everything about the engine that changes its results: program, models, language data, as one line.

        Part of the step's fingerprint. Raises StepFailed(ocr_language_missing).
        """

    def recognize(
        self,
        pdf: Path,
        pages: Sequence[PagePlan],
        language: str | None = None,
        *,
        memory: OperationMemory | None = None,
        timeout_seconds: float | None = None,
    ) -> tuple[RecognizedPage, ...]:
        """Reads the pages planned for recognition, in order; a page that cannot be read has its `failure` set.

        `language` is BCP-47 or a Tesseract code; `timeout_seconds` is what the attempt has left.
        Raises StepFailed(ocr_language_missing), NoResult, Unavailable, Throttled.
        """
