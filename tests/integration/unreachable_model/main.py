"""enrich as it is served, with a model that does not answer while the file `model-down` lies beside the data."""

import os
from pathlib import Path

from functions.enrich.extractor import Extraction, Hints
from functions.enrich.handler import Enricher
from functions.enrich.rule_extractor import RuleMetadataExtractor
from shared.documents import DocumentText, Step
from shared.errors import Unavailable
from shared.events import AnyData, DocumentEnriched, DocumentRecognized, Event
from shared.logs import configure_logging
from shared.step import StepContext, step
from shared.storage.directory import DirectoryObjectStore

DATA_DIR = Path(os.environ["DATA_DIR"])
DOWN = DATA_DIR.parent / "model-down"


class UnreachableExtractor(RuleMetadataExtractor):
    """The built-in rules, behind a line that can be cut."""

    def extract(self, text: DocumentText, hints: Hints) -> Extraction:
        """Extract, or find nobody there."""
        if DOWN.exists():
            raise Unavailable("the language model does not answer")
        return super().extract(text, hints)


configure_logging("enrich")
store = DirectoryObjectStore(DATA_DIR)
enricher = Enricher(store, UnreachableExtractor())


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
