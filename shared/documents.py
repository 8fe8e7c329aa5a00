"""What a document is made of: object references, recognized text, states. No storage, no database."""

import secrets
import time
import uuid
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Box = tuple[float, float, float, float]
"""x0, y0, x1, y1 in PDF points, origin at the top left of the page as it is shown (rotation applied)."""

Probability = Annotated[float, Field(ge=0.0, le=1.0)]


class Frozen(BaseModel):
    """Base of the value models: immutable, unknown fields ignored (a newer release may send more)."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class ObjectReference(Frozen):
    """Where the bytes are, and how to tell that they are still the same ones."""

    bucket: str
    key: str
    size: int
    sha256: str
    etag: str
    media_type: str


class Step(StrEnum):
    """A function's work on a document."""

    INGEST = "ingest"
    CONVERT = "convert"
    OCR = "ocr"
    ENRICH = "enrich"
    RECORD = "record"
    INDEX = "index"


PIPELINE = (Step.CONVERT, Step.OCR, Step.ENRICH)
"""The steps of a run, in order; indexing never holds a document in `processing`."""


class Status(StrEnum):
    """Where a document stands, as shown to people."""

    PROCESSING = "processing"
    READY = "ready"
    ATTENTION = "attention"
    TRASHED = "trashed"


class StepState(StrEnum):
    """Where one step of a run stands."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"


class Notice(Frozen):
    """Something a person may want to know. With `needs_decision` the document goes to `attention` under this code."""

    code: str
    message: str
    pages: tuple[int, ...] = ()
    needs_decision: bool = False


class Word(Frozen):
    """One word on a page. `confidence` is 1.0 for words of a digital text layer."""

    text: str
    box: Box
    confidence: Probability = 1.0


class PageText(Frozen):
    """The text of one page. `number` counts from 1; `width` and `height` in PDF points, rotation applied."""

    number: int
    width: float
    height: float
    source: Literal["digital", "ocr"]
    text: str
    words: tuple[Word, ...] = ()


class DocumentText(Frozen):
    """`text.json`: what was read from the document, page by page. `languages` are BCP-47, most used first."""

    pages: tuple[PageText, ...]
    languages: tuple[str, ...] = ()
    engine: str = ""

    @property
    def plain(self) -> str:
        """The whole text, pages separated by a form feed."""
        return "\f".join(page.text for page in self.pages)


def new_document_id() -> str:
    """A UUIDv7 (RFC 9562 §5.7): sorts by time of creation, spreads well as an object key."""
    milliseconds = time.time_ns() // 1_000_000
    value = (milliseconds << 80) | (secrets.randbits(80))
    value = (value & ~(0xF << 76)) | (0x7 << 76)
    value = (value & ~(0x3 << 62)) | (0x2 << 62)
    return str(uuid.UUID(int=value))
