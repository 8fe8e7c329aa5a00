"""Serves index: wake-ups in, `document.indexed` out."""

from functions.index.handler import Indexer
from shared.database.readiness import SchemaIsCurrent
from shared.database.settings import DatabaseSettings, database
from shared.documents import Step
from shared.events import (
    AnyData,
    DocumentDeleted,
    DocumentIndexed,
    DocumentPurged,
    DocumentRestored,
    DocumentUpdated,
    Event,
)
from shared.process import prepare_process
from shared.search.settings import SearchSettings, search_writer
from shared.step import StepContext, step
from shared.storage.settings import ObjectStoreSettings, object_store

prepare_process("index")
store = object_store(ObjectStoreSettings())
search_settings = SearchSettings()
engine = database(DatabaseSettings())
indexer = (
    Indexer(engine, store, search_writer(search_settings), search_settings.engine)
    if search_settings.enable_search
    else None
)


@step(
    Step.INDEX,
    version="1",
    accepts=(DocumentUpdated, DocumentDeleted, DocumentRestored, DocumentPurged),
    emits=(DocumentIndexed,),
    store=store,
    deadline_seconds=60,
    ready=SchemaIsCurrent(engine) if indexer else None,
    sees_purged=True,
)
def index(context: StepContext, data: AnyData) -> Event | None:
    """Bring one entry up to date."""
    return indexer.index(context, data) if indexer else None
