"""POST /hooks/s3: the object store tells of new objects. Each becomes `object.created`, by the outbox.

Who sends is checked before the body is read. What it says is only a hint to look: the object is asked for itself, and
nothing outside `incoming/` of our own bucket is ever announced, so that no loop can come to be. What will never be
accepted is answered 202 like the rest: a sender with a queue repeats everything else, and what comes behind it waits.
"""

import asyncio
import base64
import binascii
import hmac
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from urllib.parse import quote

import anyio.to_thread
from anyio import CapacityLimiter
from pydantic import BaseModel
from sqlalchemy import Engine
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response

from shared.database.documents import enqueue_again
from shared.database.engine import reading, writing
from shared.database.tables import LedgerEntry
from shared.errors import DocuElevateError, InvalidKey
from shared.events import Event, ObjectCreated, announcement_id, new_event
from shared.sources import DUPLICATE, RECEIVED, identity, named_identity
from shared.storage import keys
from shared.storage.port import ObjectInfo, ObjectStore
from web.access import Guarded, Need, Operation
from web.api.answers import json_answer
from web.context import Context, context_of
from web.errors import InvalidParameter, RequestError, TooLarge, Unauthenticated
from web.hooks.notifications import NamedObject, Notification, UnknownNotification, decoded, read_notification
from web.hooks.signatures import NOTIFICATION, SUBSCRIPTION, SignatureInvalid, is_sns_message
from web.settings import WebSettings

SOURCE = "/docuelevate/web"
MAX_BODY_BYTES = 1024 * 1024
BODY_SECONDS = 10.0
LOOK_SECONDS = 3.0
"""For all objects of a request together: senders wait for five seconds and more. What was not looked at in that time
is announced as it was told, and ingest looks."""

LOOKS_AT_ONCE = 8

_log = logging.getLogger(__name__)


class HookAnswer(BaseModel):
    """How many objects are to be taken in, and how much of the message was about something else."""

    accepted: int = 0
    ignored: int = 0


@dataclass(frozen=True)
class Announcement:
    """An object that is to be announced. `identity` is the ledger's where the object itself was seen."""

    data: ObjectCreated
    identity: str
    seen: bool

    def event(self) -> Event:
        """The same event for the same version of the object, however often it is told of."""
        event_id = announcement_id(self.identity)
        return new_event(self.data, source=SOURCE, subject=quote(self.data.key), event_id=event_id)


def hook_routes() -> list[Guarded]:
    """The routes; what they need of a request is a secret of their own."""
    answers = {200: HookAnswer, 202: HookAnswer}
    return [Guarded("/hooks/s3", {"POST": Operation(S3Hook(), Need.PUBLIC, answers, body="application/json")})]


class S3Hook:
    """The endpoint."""

    def __init__(self) -> None:
        self._limiter: CapacityLimiter | None = None

    async def __call__(self, request: Request) -> Response:
        """Take a notification of the object store."""
        context = context_of(request)
        has_token = _require_sender(context.settings, request.headers)
        content = await _content(request)
        if is_sns_message(content):
            content = await run_in_threadpool(_verified, context, content, has_token=has_token)
            if content is None:
                return json_answer(HookAnswer())
        elif not has_token:
            raise SignatureInvalid("Without a token only signed messages of SNS are taken.")
        try:
            notification = read_notification(content, request.headers.get("ce-type", ""))
        except UnknownNotification as error:
            raise InvalidParameter(f"The body is {error}.", code="unknown_notification") from error
        return await self._take(context, notification)

    async def _take(self, context: Context, notification: Notification) -> Response:
        ours = [named for named in notification.objects if _is_ours(named, context.store.bucket)]
        announcements = [found for found in await self._look(context.store, ours) if found]
        await run_in_threadpool(_announce, context.engine, announcements)
        context.relay.wake()
        ignored = notification.others + len(notification.objects) - len(announcements)
        answer = HookAnswer(accepted=len(announcements), ignored=ignored)
        return json_answer(answer, 200 if notification.is_test else 202)

    async def _look(self, store: ObjectStore, named: Sequence[NamedObject]) -> list[Announcement | None]:
        """Each of the objects as it is now, as far as the store answers in time."""
        self._limiter = limiter = self._limiter or CapacityLimiter(LOOKS_AT_ONCE)
        found: list[Announcement | None] = [_as_told(store.bucket, one) for one in named]
        deadline = time.monotonic() + LOOK_SECONDS

        async def look(number: int) -> None:
            with anyio.move_on_after(deadline - time.monotonic()):
                found[number] = await anyio.to_thread.run_sync(
                    _seen, store, named[number], abandon_on_cancel=True, limiter=limiter
                )

        async with anyio.create_task_group() as group:
            for number in range(len(named)):
                group.start_soon(look, number)
        return found


def _require_sender(settings: WebSettings, headers: Headers) -> bool:
    """Whether the token came with the request; False where its body has to prove the sender. Raises Unauthenticated."""
    token = settings.s3_webhook_token.get_secret_value() if settings.s3_webhook_token else ""
    given = headers.getlist("authorization")
    presented = _presented(given[0]) if len(given) == 1 else b""
    # Of equal length, so that the time it takes tells nothing.
    if hmac.compare_digest(sha256(presented).digest(), sha256(token.encode()).digest()) and token:
        return True
    if not given and headers.get("x-amz-sns-topic-arn") in settings.sns_topics:
        return False
    challenge = {"WWW-Authenticate": 'Basic realm="hooks", Bearer'}
    if not token:
        message = "Notifications of the object store are not taken until S3_WEBHOOK_TOKEN is set."
        raise Unauthenticated(message, code="hook_not_configured", headers=challenge)
    raise Unauthenticated("Send the token of S3_WEBHOOK_TOKEN, as `Bearer` or as password.", headers=challenge)


def _presented(header: str) -> bytes:
    scheme, _, value = header.strip().partition(" ")
    if scheme.lower() == "bearer":
        return value.strip().encode("latin-1", "replace")
    if scheme.lower() != "basic":
        return b""
    try:
        return base64.b64decode(value.strip(), validate=True).partition(b":")[2]
    except (binascii.Error, ValueError):
        return b""


async def _content(request: Request) -> Any:
    """The body as decoded JSON, whatever its declared type: SNS says `text/plain`."""
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_BODY_BYTES:
                    raise TooLarge("The request is too large.")
        return await run_in_threadpool(decoded, bytes(body))
    except TimeoutError as error:
        raise RequestError("The body came too slowly.", code="too_slow") from error
    except ValueError as error:
        raise RequestError("The body is not JSON.", code="invalid_json") from error


def _verified(context: Context, message: Mapping[str, Any], *, has_token: bool) -> Any:
    """What a message of SNS brings, if SNS has signed it; None where there is nothing more to do about it."""
    topics = context.settings.sns_topics
    if message.get("TopicArn") not in topics and (topics or not has_token):
        raise SignatureInvalid("Messages of this topic are not taken; see S3_SNS_TOPIC_ARNS.")
    context.sns.verify(message)
    if message["Type"] == SUBSCRIPTION:
        context.sns.confirm(message)
        _log.info("the subscription of %s is confirmed", message["TopicArn"])
    return message if message["Type"] == NOTIFICATION else None


def _is_ours(named: NamedObject, bucket: str) -> bool:
    return named.bucket == bucket and any(_is_incoming(key) for key in named.keys)


def _is_incoming(key: str) -> bool:
    if not key.startswith(keys.INCOMING) or key.endswith("/"):
        return False
    try:
        keys.check_source_key(key)
    except InvalidKey:
        return False
    return True


def _seen(store: ObjectStore, named: NamedObject) -> Announcement | None:
    """The object as HEAD tells of it (contract §5); None for what ingest has told already. As told where it is away."""
    try:
        for key in filter(_is_incoming, named.keys):
            if (info := store.head(key)) is not None:
                return _as_seen(store.bucket, info, named)
    except DocuElevateError as error:
        _log.warning("an object was not looked at before it was announced: %s", error)
    return _as_told(store.bucket, named)


def _as_seen(bucket: str, info: ObjectInfo, named: NamedObject) -> Announcement:
    data = ObjectCreated(
        bucket=bucket,
        key=info.key,
        size=info.size,
        etag=info.etag,
        version_id=info.version_id,
        sequencer=named.sequencer,
    )
    return Announcement(data, identity(bucket, info), seen=True)


def _as_told(bucket: str, named: NamedObject) -> Announcement:
    data = ObjectCreated(
        bucket=bucket,
        key=next(filter(_is_incoming, named.keys)),
        size=named.size,
        etag=named.etag,
        version_id=named.version_id,
        sequencer=named.sequencer,
    )
    version = data.version_id or f"{data.etag} {data.sequencer}"
    return Announcement(data, named_identity(bucket, data.key, version), seen=False)


def _announce(engine: Engine, announcements: Sequence[Announcement]) -> None:
    """Queue one event for each object that ingest has not taken over yet. Raises Unavailable."""
    with reading(engine) as session:
        due = [one for one in announcements if not (one.seen and _is_taken(session.get(LedgerEntry, one.identity)))]
    if not due:
        return
    with writing(engine) as session:
        for one in due:
            enqueue_again(session, one.event())


def _is_taken(entry: LedgerEntry | None) -> bool:
    return entry is not None and entry.state in (RECEIVED, DUPLICATE)
