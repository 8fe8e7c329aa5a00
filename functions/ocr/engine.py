"""The port to whoever recognizes text, and the part of it that every engine shares."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from functions.ocr.models import PagePlan, RecognizedPage


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
        self, pdf: Path, pages: Sequence[PagePlan], language: str | None = None
    ) -> tuple[RecognizedPage, ...]:
        """Reads the pages planned for recognition, in order; a page that cannot be read has its `failure` set.

        `language` is BCP-47 or a Tesseract code. Raises StepFailed(ocr_language_missing),
        Unavailable, Throttled.
        """
