"""The one shell around every step: decode, validate, run in a thread, reply, map errors.

Knative reads the status and the body of the answer (architecture §2.2): 200 + event is a reply, an empty 202 an
acknowledgement; 409, 429, 500 and 503 are retried, other 4xx are not. No answer carries a body over 512 bytes.
"""

import json
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import anyio.to_thread
import functions_framework.aio
from starlette.requests import Request
from starlette.responses import Response

from shared.documents import ObjectReference, Step
from shared.errors import (
    DocuElevateError,
    DocumentGone,
    EventTooLarge,
    InvalidEvent,
    LeaseHeld,
    NotACloudEvent,
    StepFailed,
    Throttled,
    Unavailable,
)
from shared.events import (
    MAX_EVENT_BYTES,
    AnyData,
    DocumentFailed,
    Event,
    EventData,
    decode,
    new_event,
    result_id,
    short_type,
)
from shared.logs import logging_about
from shared.results import Work, refuse_purged
from shared.room import refuse_no_room, require_room
from shared.storage import keys
from shared.storage.port import ObjectStore
from shared.tracing.spans import span, trace_id

MAX_BODY_BYTES = 4 * MAX_EVENT_BYTES
MAX_ERROR_BYTES = 512
"""A body over 768 bytes crashes Knative's in-memory dispatcher."""

PROBES = frozenset({"/health", "/ready"})
"""Whether the process lives, and whether it can do its work. The first asks nobody else."""

_STATUS: tuple[tuple[type[DocuElevateError], int, str], ...] = (
    (NotACloudEvent, 400, "not_a_cloudevent"),
    (EventTooLarge, 413, "event_too_large"),
    (InvalidEvent, 422, "invalid_event"),
    (LeaseHeld, 409, "lease_held"),
    (Throttled, 429, "throttled"),
    (Unavailable, 503, "unavailable"),
)

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Deadline:
    """When a step has to have answered, well before its request times out."""

    ends_at: float

    @classmethod
    def after(cls, seconds: float) -> "Deadline":
        """A deadline that many seconds from now."""
        return cls(time.monotonic() + seconds)

    def remaining_seconds(self, at_most: float | None = None) -> float:
        """What is left, never less than 0. Raises Unavailable when nothing is: the event is then delivered again."""
        left = self.ends_at - time.monotonic()
        if left <= 0:
            raise Unavailable("the step ran out of time")
        return left if at_most is None else min(left, at_most)


@dataclass(frozen=True)
class StepContext:
    """What a handler gets beside its event."""

    step: Step
    version: str
    event: Event
    store: ObjectStore
    deadline: Deadline

    @property
    def source(self) -> str:
        """The `source` of this step's events."""
        return f"/docuelevate/functions/{self.step}"

    def work(self, document_id: str, fingerprint: str, input_fingerprint: str) -> Work:
        """The memo for these inputs."""
        return Work(self.store, document_id, self.step.value, self.version, fingerprint, input_fingerprint)

    def forced_run(self, data: EventData) -> str | None:
        """The runid, where this run was told to do this very step again."""
        return self.event.runid if data.options.force == self.step else None

    def reply(self, data: EventData, part: str = "") -> Event:
        """A result event with its derived id."""
        return self.reply_as(
            result_id(data.document_id, self.event.runid, data.type, data.fingerprint or "", part), data
        )

    def reply_as(self, event_id: str, data: EventData) -> Event:
        """An event of this step with an id derived elsewhere."""
        return new_event(data, source=self.source, event_id=event_id, cause=self.event)

    def failed(self, failure: StepFailed, data: EventData, fingerprint: str | None = None) -> Event:
        """`document.failed` for this step; `data` is the event that started it."""
        outcome = DocumentFailed(
            document_id=data.document_id,
            fingerprint=fingerprint or data.fingerprint or "",
            input_fingerprint=data.fingerprint,
            options=data.options,
            step=self.step.value,
            code=failure.code.value,
            message=failure.message,
            hint=failure.hint,
            retryable=failure.retryable,
        )
        return self.reply(outcome, part=failure.code.value)


Handler = Callable[[StepContext, AnyData], Event | None]
Endpoint = Callable[[Request], Awaitable[Response]]
Readiness = Callable[[], None]
"""Raises Unavailable while events should not be sent here."""


def step(
    name: Step,
    *,
    version: str,
    accepts: tuple[type[AnyData], ...],
    emits: tuple[type[EventData], ...],
    store: ObjectStore,
    deadline_seconds: float,
    endpoints: Mapping[str, Endpoint] | None = None,
    ready: Readiness | None = None,
    sees_purged: bool = False,
) -> Callable[[Handler], Endpoint]:
    """Serve a handler as an HTTP function of functions-framework, under the handler's own name.

    `endpoints` maps further paths (a trailing `/*` matches a rest) to direct calls that are not events; `ready` decides
    what `GET /ready` answers. An event of a type that is not accepted answers 202: filters are the broker's, and
    nothing is lost by saying so. Events of purged documents answer 202 too, unless the handler `sees_purged` ones, to
    clean up after them.
    """

    def register(handler: Handler) -> Endpoint:
        def handle(event: Event) -> Event | None:
            if event.model not in accepts:
                _log.info("not for %s: %s", name, event.type)
                return None
            context = StepContext(name, version, event, store, Deadline.after(deadline_seconds))
            return _run(handler, context, emits, sees_purged=sees_purged)

        async def function(request: Request) -> Response:
            return await answer(request, handle, endpoints or {}, ready)

        # functions-framework finds a function by its name.
        function.__name__ = handler.__name__

        functions_framework.aio.http(function)
        return function

    return register


async def answer(
    request: Request,
    handle: Callable[[Event], Event | None],
    endpoints: Mapping[str, Endpoint],
    ready: Readiness | None = None,
) -> Response:
    """Answer one HTTP request: a probe, a direct endpoint, or an event handed to `handle` in a thread."""
    try:
        for pattern, endpoint in endpoints.items():
            if _matches(pattern, request.url.path):
                return await endpoint(request)
        if request.url.path in PROBES and request.method in ("GET", "HEAD"):
            if ready is not None and request.url.path == "/ready":
                await anyio.to_thread.run_sync(ready)
            return Response("ok", media_type="text/plain")
        if request.method != "POST":
            return _error(405, "method_not_allowed", "Events are sent by POST.")
        event = decode(request.headers, await read_body(request))
        return await anyio.to_thread.run_sync(_observed, handle, event)
    except DocuElevateError as error:
        return _mapped(error)
    except Exception:
        return _unexpected()


async def read_body(request: Request, limit: int = MAX_BODY_BYTES) -> bytes:
    """The request's body. Raises EventTooLarge past `limit` bytes, counted."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise EventTooLarge(f"an event may have {MAX_EVENT_BYTES} bytes")
    return bytes(body)


def json_response(content: Mapping[str, object], status: int = 200) -> Response:
    """A small JSON answer for direct endpoints."""
    return Response(json.dumps(content), status, media_type="application/json")


def _run(
    handler: Handler, context: StepContext, emits: tuple[type[EventData], ...], *, sees_purged: bool
) -> Event | None:
    data = context.event.data()
    if isinstance(data, EventData):
        _require_own(context, data)
        if not sees_purged:
            refuse_purged(context.store, data.document_id)
    reply = _guarded(handler, context, data)
    if reply is not None and reply.model not in (*emits, DocumentFailed):
        raise AssertionError(f"{context.step} may not emit {reply.type}")
    return reply


def _guarded(handler: Handler, context: StepContext, data: AnyData) -> Event | None:
    try:
        return handler(context, data)
    except OSError as error:
        refuse_no_room(error)
        raise
    except StepFailed as failed:
        if not isinstance(data, EventData):
            raise
        if not failed.determined:
            require_room()
        return context.failed(failed, data)


def _require_own(context: StepContext, data: EventData) -> None:
    """Functions act on the configured bucket and the subject's own keys only, whatever an event says."""
    if data.document_id != context.event.subject:
        raise InvalidEvent("subject and document_id differ")
    keys.document_prefix(data.document_id)
    values = [getattr(data, name) for name in type(data).model_fields] + [data.options.unlocked]
    for reference in values:
        if isinstance(reference, ObjectReference):
            _require_inside(reference, data.document_id, context.store.bucket)


def _require_inside(reference: ObjectReference, document_id: str, bucket: str) -> None:
    if reference.bucket != bucket or not keys.belongs_to(reference.key, document_id):
        raise InvalidEvent("an object of the event is not one of this document")


def _observed(handle: Callable[[Event], Event | None], event: Event) -> Response:
    """Answer an event within a span, and with log lines that say what they are about."""
    name, started, outcome = short_type(event.type), time.monotonic(), "stopped"
    with span(f"handle {name}", parent=event.traceparent, attributes=event.about) as current:
        trace = trace_id(current.traceparent or event.traceparent)
        with logging_about(**event.about, trace=trace):
            try:
                reply = handle(event)
                outcome = short_type(reply.type) if reply else "done"
                return _reply(reply)
            except DocuElevateError as error:
                outcome = type(error).__name__
                if not isinstance(error, DocumentGone | LeaseHeld):
                    current.fail(outcome)
                return _mapped(error)
            except Exception as error:
                outcome = type(error).__name__
                current.fail(outcome)
                return _unexpected()
            finally:
                current.note({"outcome": outcome})
                _log.info("%s -> %s in %.3f s", name, outcome, time.monotonic() - started)


def _unexpected() -> Response:
    _log.exception("unexpected error")
    return _error(500, "internal", "Something went wrong inside this step.")


def _reply(event: Event | None) -> Response:
    if event is None:
        return Response(status_code=202)
    headers, body = event.to_http()
    return Response(body, 200, headers)


def _mapped(error: DocuElevateError) -> Response:
    if isinstance(error, DocumentGone):
        return Response(status_code=202)
    for kind, status, code in _STATUS:
        if isinstance(error, kind):
            return _error(status, code, str(error))
    _log.error("an error that no step should let through: %r", error)
    return _error(500, "internal", "Something went wrong inside this step.")


def _error(status: int, code: str, message: str) -> Response:
    body = json.dumps({"code": code, "message": message[:200]}).encode()
    # Escapes make up to twelve bytes of one character.
    if len(body) > MAX_ERROR_BYTES:
        plain = "".join(c if " " <= c <= "~" and c not in '"\\' else "?" for c in message[:200])
        body = json.dumps({"code": code, "message": plain}).encode()
    return Response(body, status, media_type="application/json")


def _matches(pattern: str, path: str) -> bool:
    return path.startswith(pattern[:-1]) if pattern.endswith("/*") else path == pattern
