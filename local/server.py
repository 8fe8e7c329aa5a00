"""uvicorn inside the runner's event loop: bound sockets, the runner's signals, and next to nothing to do when idle."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_DATE_SECONDS = 1.0


class ServerFailed(Exception):
    """The app did not start."""


class EmbeddedServer(uvicorn.Server):
    """Serves one ASGI app on one socket until it is told to stop."""

    def __init__(self, app: ASGIApp, listener: socket.socket, *, lifespan: bool, grace_seconds: float) -> None:
        self._stop = asyncio.Event()
        self._streams = _EndingStreams(app)
        super().__init__(
            uvicorn.Config(
                self._streams,
                lifespan="on" if lifespan else "off",
                log_config=None,
                access_log=False,
                timeout_keep_alive=75,
                timeout_graceful_shutdown=max(int(grace_seconds), 1),
                server_header=False,
                date_header=lifespan,
                ws="none",
            )
        )
        self.up = asyncio.Event()
        self._listener = listener
        self._ticks = lifespan

    async def run_until_stopped(self) -> None:
        """Serve. Raises ServerFailed where the app's own start-up fails; the log says why."""
        try:
            await self.serve([self._listener])
        except SystemExit as error:
            raise ServerFailed("The web app did not start.") from error

    def stop(self) -> None:
        """Take no new connection, finish what is under way within the grace, and end."""
        self.should_exit = True
        self._stop.set()
        self._streams.end()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.up.set()

    async def main_loop(self) -> None:
        """Wait for the end. uvicorn looks ten times a second; the date header needs one, and only where it is sent."""
        await self.on_tick(0)
        while self._ticks and not self._stop.is_set():
            try:
                await asyncio.wait_for(self._stop.wait(), _DATE_SECONDS)
            except TimeoutError:
                await self.on_tick(0)
        await self._stop.wait()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _EndingStreams:
    """Tells endless answers (server-sent events) that it is over as soon as the server stops; the others may finish."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._streams: set[asyncio.Event] = set()
        self._over = False

    def end(self) -> None:
        """Let every stream go, also those that begin from now on."""
        self._over = True
        for ended in self._streams:
            ended.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Nothing else than a GET is ever answered by a stream; uploads keep their plain way in.
        if scope["type"] != "http" or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        ended, complete = asyncio.Event(), asyncio.Event()

        async def send_and_look(message: Message) -> None:
            if _begins_stream(message):
                self._streams.add(ended)
                if self._over:
                    ended.set()
            if message["type"] == "http.response.body" and not message.get("more_body", False):
                complete.set()
            await send(message)

        try:
            await self._app(scope, lambda: _received_unless(ended, receive), send_and_look)
        finally:
            self._streams.discard(ended)
        if ended.is_set() and not complete.is_set():
            await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _received_unless(ended: asyncio.Event, receive: Receive) -> Message:
    message, over = asyncio.ensure_future(receive()), asyncio.ensure_future(ended.wait())
    try:
        await asyncio.wait([message, over], return_when=asyncio.FIRST_COMPLETED)
        return {"type": "http.disconnect"} if ended.is_set() else message.result()
    finally:
        message.cancel()
        over.cancel()


def _begins_stream(message: Message) -> bool:
    """Whether the answer says that it is a stream; what the client would accept says nothing."""
    return message["type"] == "http.response.start" and any(
        name.lower() == b"content-type" and value.startswith(b"text/event-stream")
        for name, value in message.get("headers", ())
    )
