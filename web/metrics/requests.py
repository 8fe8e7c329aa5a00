"""Counts the requests to this process: by route, not by path, so that nothing a client sends becomes a label."""

import time

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
NO_ROUTE = "none"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_SERVER_ERROR = 500


class RequestCounts:
    """The instruments. Time is taken until the answer begins: streams and downloads last as long as clients like."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.answered = Counter(
            "docuelevate_http_requests",
            "Requests by method, route and class of the answer's status.",
            ["method", "route", "status"],
            registry=registry,
        )
        self.seconds = Histogram(
            "docuelevate_http_request_duration_seconds",
            "Time until the answer to a request began, its upload included.",
            ["method", "route"],
            buckets=BUCKETS,
            registry=registry,
        )
        self.under_way = Gauge(
            "docuelevate_http_requests_in_progress", "Requests that are being answered.", registry=registry
        )


class Counting:
    """The middleware around all others, so that what those refuse is counted too."""

    def __init__(self, app: ASGIApp, counts: RequestCounts) -> None:
        self._app = app
        self._counts = counts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on and count."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.monotonic()
        begun = False

        def count(status: int) -> None:
            seconds = time.monotonic() - started
            method = scope["method"] if scope["method"] in _METHODS else "other"
            route = scope.get("route_path", NO_ROUTE)
            self._counts.answered.labels(method, route, f"{status // 100}xx").inc()
            self._counts.seconds.labels(method, route).observe(seconds)

        async def send_counted(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start" and not begun:
                begun = True
                count(message["status"])
            await send(message)

        with self._counts.under_way.track_inprogress():
            try:
                await self._app(scope, receive, send_counted)
            finally:
                # The answer to a bug is made outside of this.
                if not begun:
                    count(_SERVER_ERROR)
