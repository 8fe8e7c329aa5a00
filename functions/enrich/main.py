"""Serves enrich: `document.recognized` in, `document.enriched` out."""

from functions.enrich.handler import Enricher
from functions.enrich.rule_extractor import RuleMetadataExtractor
from functions.enrich.settings import EnrichSettings
from shared.documents import Step
from shared.events import AnyData, DocumentEnriched, DocumentRecognized, Event
from shared.process import prepare_process
from shared.step import StepContext, step
from shared.storage.settings import ObjectStoreSettings, object_store

prepare_process("enrich")
if EnrichSettings().ai_provider != "local":
    raise SystemExit("AI_PROVIDER=openai is not part of this release; use AI_PROVIDER=local")
store = object_store(ObjectStoreSettings())
enricher = Enricher(store, RuleMetadataExtractor())


@step(
    Step.ENRICH,
    version="1",
    accepts=(DocumentRecognized,),
    emits=(DocumentEnriched,),
    store=store,
    deadline_seconds=120,
)
def enrich(context: StepContext, data: AnyData) -> Event | None:
    """Extract the metadata of one document."""
    return enricher.enrich(context, data)
