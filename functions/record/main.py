"""Serves record: every event is archived and projected; dead letters arrive at `/dead-letters/<trigger>`."""

import logging
import re

import anyio.to_thread
import functions_framework.aio
from starlette.requests import Request
from starlette.responses import Response

from functions.record.handler import Recorder
from shared.database.readiness import SchemaIsCurrent
from shared.database.settings import DatabaseSettings, database
from shared.errors import InvalidEvent
from shared.events import decode_attributes, event_of
from shared.logs import logging_about
from shared.process import prepare_process
from shared.step import answer, read_body
from shared.storage.settings import ObjectStoreSettings, object_store

prepare_process("record")
engine = database(DatabaseSettings())
recorder = Recorder(engine, object_store(ObjectStoreSettings()))
ready = SchemaIsCurrent(engine)

_log = logging.getLogger(__name__)
_TRIGGER = re.compile(r"/dead-letters/([a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)")


async def dead_letter(request: Request) -> Response:
    """Keep what a trigger gave up on. 202 as soon as it is stored."""
    path = _TRIGGER.fullmatch(request.url.path)
    if path is None:
        raise InvalidEvent("the path does not name a trigger")
    attributes, data = decode_attributes(request.headers, await read_body(request))
    with logging_about(trigger=path[1], **event_of(attributes, {}).about):
        _log.warning("a dead letter: the event used up its deliveries")
        await anyio.to_thread.run_sync(recorder.bury, path[1], attributes, data)
    return Response(status_code=202)


async def record(request: Request) -> Response:
    """Answer the broker."""
    return await answer(request, recorder.record, {"/dead-letters/*": dead_letter}, ready)


functions_framework.aio.http(record)
