"""Serves ocr: `document.converted` and `pages.requested` in, `document.recognized` or `pages.recognized` out."""

from functions.ocr.client import JailedPdfTools, TesseractOcrEngine, worker_pool
from functions.ocr.engine import OcrEngine
from functions.ocr.handler import Recognizer
from functions.ocr.settings import OcrSettings
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
from shared.providers import OcrProvider
from shared.publisher import BrokerSettings, HttpEventPublisher
from shared.step import StepContext, step
from shared.storage.settings import ObjectStoreSettings, object_store

prepare_process("ocr")
settings = OcrSettings()
store = object_store(ObjectStoreSettings())
pool = worker_pool(settings)
tools = JailedPdfTools(pool, settings)


def azure_engine(settings: OcrSettings) -> OcrEngine:
    """Azure; its SDK is loaded where it is used only."""
    from functions.ocr.document_intelligence import AzureOcrEngine

    key, endpoint = settings.azure_ai_key, settings.azure_address
    assert key is not None and endpoint is not None
    return AzureOcrEngine(
        tools,
        endpoint=endpoint,
        key=key.get_secret_value(),
        timeout_seconds=settings.ocr_document_timeout_seconds,
    )


def engines_of(settings: OcrSettings) -> dict[str, OcrEngine]:
    """What is set up: Tesseract always, Azure where its key is known."""
    found: dict[str, OcrEngine] = {OcrProvider.TESSERACT.value: TesseractOcrEngine(pool, settings)}
    return found | ({OcrProvider.AZURE.value: azure_engine(settings)} if settings.azure_is_set_up else {})


engines = engines_of(settings)
recognizer = Recognizer(
    store,
    tools,
    engines[settings.ocr_provider],
    HttpEventPublisher(BrokerSettings().broker_url),
    settings.ocr_batch_pages,
    engines,
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
