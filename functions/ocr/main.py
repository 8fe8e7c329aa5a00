"""Serves ocr: `document.converted` and `pages.requested` in, `document.recognized` or `pages.recognized` out."""

from functions.ocr.client import JailedPdfTools, TesseractOcrEngine, worker_pool
from functions.ocr.handler import Recognizer
from functions.ocr.settings import OcrProvider, OcrSettings
from shared.documents import Step
from shared.events import (
    AnyData,
    DocumentConverted,
    DocumentRecognized,
    Event,
    PagesRecognized,
    PagesRequested,
)
from shared.process import prepare_process
from shared.publisher import BrokerSettings, HttpEventPublisher
from shared.step import StepContext, step
from shared.storage.settings import ObjectStoreSettings, object_store

prepare_process("ocr")
settings = OcrSettings()
if settings.ocr_provider is not OcrProvider.TESSERACT:
    raise SystemExit("OCR_PROVIDER=azure is not part of this release; use OCR_PROVIDER=tesseract")
store = object_store(ObjectStoreSettings())
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
