"""Serves enrich: `document.recognized` in, `document.enriched` out."""

from pydantic import ValidationError

from functions.enrich.extractor import MetadataExtractor
from functions.enrich.handler import Enricher
from functions.enrich.rule_extractor import RuleMetadataExtractor
from functions.enrich.settings import OpenAiSettings
from shared.documents import Step
from shared.events import AnyData, DocumentEnriched, DocumentRecognized, Event
from shared.process import prepare_process
from shared.providers import ExtractorSettings
from shared.step import StepContext, step
from shared.storage.settings import ObjectStoreSettings, object_store


def chosen_extractor(rules: RuleMetadataExtractor) -> MetadataExtractor:
    """The extractor that the settings name. What the API needs is imported only when it is chosen."""
    if ExtractorSettings().ai_provider == "local":
        return rules
    from functions.enrich.openai_extractor import openai_extractor

    try:
        return openai_extractor(OpenAiSettings(), rules)
    except ValidationError as error:
        raise SystemExit("; ".join(each["msg"].removeprefix("Value error, ") for each in error.errors())) from None


prepare_process("enrich")
store = object_store(ObjectStoreSettings())
local = RuleMetadataExtractor()
enricher = Enricher(store, chosen_extractor(local), local)


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
