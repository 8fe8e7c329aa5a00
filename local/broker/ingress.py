"""The broker's door: an ASGI app that takes CloudEvents in, and hands direct calls on to a function.

`POST /` or `/<namespace>/<broker>` publishes. `/services/<name>/<path>` is the function's cluster-local address. Meant
for programs on this machine: requests that a web page could have made (an Origin, a foreign Host) are refused.
"""

from typing import Protocol

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local.broker.broker import Broker
from local.broker.message import Headers, InvalidEvent, MalformedEvent, NotAnEvent, parse
from local.broker.queue_file import QueueUnavailable
from local.broker.rules import Answer

MAX_BODY_BYTES = 1024 * 1024
"""Kafka's default limit for an event; ours stay under 64 KiB."""

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})
_HOP_BY_HOP = frozenset({b"connection", b"content-length", b"host", b"keep-alive", b"transfer-encoding", b"upgrade"})


class Functions(Protocol):
    """The functions that can be called directly."""

    def has(self, service: str) -> bool:
        """Whether there is a function of this name."""

    async def call(self, service: str, method: str, path: str, headers: Headers, body: bytes) -> Answer | None:
        """Its answer; None when none came in time or at all."""


class _TooLarge(Exception):
    pass


def ingress(broker: Broker, functions: Functions) -> Starlette:
    """The app."""

    async def publish(request: Request) -> Response:
        if refusal := _refusal(request):
            return refusal
        try:
            await broker.publish(parse(request.headers.raw, await _body(request)))
        except (NotAnEvent, MalformedEvent, InvalidEvent) as error:
            return _error(400, "not_a_cloudevent", str(error))
        except _TooLarge:
            return _error(413, "too_large", f"events have at most {MAX_BODY_BYTES} bytes")
        except QueueUnavailable:
            return _error(503, "queue_unavailable", "the queue file takes nothing at the moment")
        return Response(status_code=202)

    async def call(request: Request) -> Response:
        if refusal := _refusal(request):
            return refusal
        service = request.path_params["service"]
        if not functions.has(service):
            return _error(404, "unknown_service", "there is no function of this name")
        try:
            body = await _body(request)
        except _TooLarge:
            return _error(413, "too_large", f"requests have at most {MAX_BODY_BYTES} bytes")
        path = "/" + request.path_params.get("path", "")
        answer = await functions.call(service, request.method, path, _end_to_end(request.headers.raw), body)
        if answer is None:
            return _error(504, "no_answer", "the function did not answer in time")
        response = Response(answer.body, answer.status)
        response.raw_headers.extend(_end_to_end(answer.headers))
        return response

    methods = ["GET", "POST"]
    return Starlette(
        routes=[
            Route("/", publish, methods=["POST"]),
            Route("/services/{service}", call, methods=methods),
            Route("/services/{service}/{path:path}", call, methods=methods),
            Route(f"/{broker.namespace}/{broker.name}", publish, methods=["POST"]),
        ]
    )


def _refusal(request: Request) -> Response | None:
    host = request.headers.get("host", "").rpartition(":")[0] or request.headers.get("host", "")
    if "origin" in request.headers or host not in _LOOPBACK:
        return _error(403, "forbidden", "only programs on this machine may publish here")
    return None


async def _body(request: Request) -> bytes:
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_BODY_BYTES:
                raise _TooLarge
    except ClientDisconnect as error:
        raise MalformedEvent("the request broke off") from error
    return bytes(body)


def _end_to_end(headers: Headers) -> Headers:
    return [(name, value) for name, value in headers if name.lower() not in _HOP_BY_HOP]


def _error(status: int, code: str, message: str) -> Response:
    return JSONResponse({"code": code, "message": message}, status)
