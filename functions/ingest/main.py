"""Serves ingest: `object.created` in, `document.received` out."""

from functions.ingest.handler import Ingester
from functions.ingest.settings import IngestSettings
from shared.database.readiness import SchemaIsCurrent
from shared.database.settings import DatabaseSettings, database
from shared.documents import Step
from shared.events import AnyData, DocumentReceived, Event, ObjectCreated
from shared.process import prepare_process
from shared.step import StepContext, step
from shared.storage.settings import ObjectStoreSettings, object_store

prepare_process("ingest")
store_settings = ObjectStoreSettings()
settings = IngestSettings()
store = object_store(store_settings)
engine = database(DatabaseSettings())
ingester = Ingester(
    engine,
    store,
    keep_incoming=settings.incoming_keep,
    max_size_bytes=settings.max_upload_size,
    key_owners=settings.key_owners,
    channel="s3" if store_settings.kind == "s3" else "folder",
)


@step(
    Step.INGEST,
    version="1",
    accepts=(ObjectCreated,),
    emits=(DocumentReceived,),
    store=store,
    deadline_seconds=240,
    ready=SchemaIsCurrent(engine),
)
def ingest(context: StepContext, data: AnyData) -> Event | None:
    """Take one object over."""
    return ingester.ingest(context, data)
