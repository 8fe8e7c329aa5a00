"""ocr as it is served, on a store that ends the process by SIGKILL right after a named write, once.

`CRASH_AFTER` is the end of a key, `CRASH_MARK` a file that remembers that it happened.
"""

import os
import signal
from pathlib import Path
from typing import Any

from functions.ocr.client import JailedPdfTools, TesseractOcrEngine, worker_pool
from functions.ocr.handler import Recognizer
from functions.ocr.settings import OcrSettings
from shared.documents import ObjectReference, Step
from shared.events import (
    AnyData,
    DocumentConverted,
    DocumentRecognized,
    Event,
    PagesRecognized,
    PagesRequested,
)
from shared.logs import configure_logging
from shared.publisher import BrokerSettings, HttpEventPublisher
from shared.step import StepContext, step
from shared.storage.directory import DirectoryObjectStore


class CrashingStore(DirectoryObjectStore):
    """A directory store with one bad moment."""

    def put(self, key: str, body: bytes, **more: Any) -> ObjectReference:
        reference = super().put(key, body, **more)
        mark = Path(os.environ["CRASH_MARK"])
        if key.endswith(os.environ["CRASH_AFTER"]) and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return reference


configure_logging("ocr")
settings = OcrSettings()
store = CrashingStore(Path(os.environ["DATA_DIR"]))
pool = worker_pool(settings)
recognizer = Recognizer(
    store,
    JailedPdfTools(pool, settings),
    TesseractOcrEngine(pool, settings),
    HttpEventPublisher(BrokerSettings().broker_url),
    settings.ocr_batch_pages,
)


@step(
    Step.OCR,
    version="1",
    accepts=(DocumentConverted, PagesRequested),
    emits=(DocumentRecognized, PagesRecognized),
    store=store,
    deadline_seconds=300,
)
def ocr(context: StepContext, data: AnyData) -> Event | None:
    """Recognize one document, or one batch of its pages."""
    return recognizer.handle(context, data)
