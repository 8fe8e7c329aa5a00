"""ocr as it is served, on an engine that reads papers, takes its time and writes down each page that it reads.

`JOURNAL` is the file that it writes to, `SECONDS` how long a batch takes.
"""

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from functions.ocr.handler import Recognizer
from functions.ocr.models import PagePlan, RecognizedPage
from shared.documents import Step
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
from tests.chaos.calls import Calls
from tests.chaos.papers import PaperEngine, PaperTools


class SlowEngine(PaperEngine):
    """Leaves others enough time to come in between."""

    def recognize(
        self, pdf: Path, pages: Sequence[PagePlan], language: str | None = None, **how: Any
    ) -> tuple[RecognizedPage, ...]:
        time.sleep(float(os.environ["SECONDS"]))
        return super().recognize(pdf, pages, language, **how)


def write_down(line: str) -> None:
    """One line, whole, whoever else writes."""
    with Path(os.environ["JOURNAL"]).open("a") as file:
        file.write(line + "\n")


configure_logging("ocr")
store = DirectoryObjectStore(Path(os.environ["DATA_DIR"]))
calls = Calls()
recognizer = Recognizer(
    store, PaperTools(calls), SlowEngine(calls, write_down), HttpEventPublisher(BrokerSettings().broker_url), 8
)


@step(
    Step.OCR,
    version="1",
    accepts=(DocumentConverted, PagesRequested),
    emits=(DocumentRecognized, PagesRecognized),
    store=store,
    deadline_seconds=60,
)
def ocr(context: StepContext, data: AnyData) -> Event | None:
    """Recognize one document, or one batch of its pages."""
    return recognizer.handle(context, data)
