"""A span for each request that is work: what it puts into the outbox then belongs to its trace."""

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.tracing.spans import is_tracing, span
from web.protection import HOST_INDEPENDENT, METRICS

_UNTRACED = HOST_INDEPENDENT | METRICS | {"/api/stream"}
"""Probes, scrapes, and answers that go on until somebody closes a page."""

_SERVER_ERROR = 500


class Tracing:
    """The middleware; it goes on with the trace of who asks, where a `traceparent` names one."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on within a span, named by method and route."""
        if scope["type"] != "http" or scope["path"] in _UNTRACED or not is_tracing():
            await self._app(scope, receive, send)
            return
        parent = Headers(scope=scope).get("traceparent")
        with span(scope["method"], parent=parent, serves=True) as current:

            async def send_noted(message: Message) -> None:
                if message["type"] == "http.response.start":
                    current.note({"http.response.status_code": message["status"]})
                    if message["status"] >= _SERVER_ERROR:
                        current.fail(str(message["status"]))
                await send(message)

            try:
                await self._app(scope, receive, send_noted)
            finally:
                route = scope.get("route_path")
                current.rename(f"{scope['method']} {route}" if route else scope["method"])
                about = {"http.request.method": scope["method"], "http.route": route}
                current.note(about | {"document": scope.get("document"), "request": scope.get("request_id")})
