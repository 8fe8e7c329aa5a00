"""HTTP/1.1 to one process over its local socket: requests in, whole answers out, connections kept for the next one.

Small on purpose. There is one host, no TLS, no redirect and no proxy, and every event passes here several times: a
general client's connection pool would cost more processor time than the rest of the broker.
"""

import asyncio
from pathlib import Path

import h11

from local.broker.message import Headers
from local.broker.rules import Answer

MAX_ANSWER_BYTES = 1024 * 1024
"""No event of ours is near it; a function gone wrong must not fill the runner's memory."""

_READ_BYTES = 64 * 1024


class ConnectionBroken(ConnectionError):
    """No whole answer came: the process died, or did not speak HTTP."""


class SocketClient:
    """Requests to the server behind one local socket, as many at once as the caller likes."""

    def __init__(self, socket_path: Path, host: str) -> None:
        self._path = socket_path
        self._host = host.encode()
        self._idle: list[_Connection] = []

    async def request(self, method: str, path: str, headers: Headers, body: bytes) -> Answer:
        """The answer. Raises ConnectionBroken. Cancelled, it closes its connection."""
        connection = await self._connection()
        own = [(b"host", self._host), (b"content-length", str(len(body)).encode())]
        try:
            answer = await connection.exchange(method, path, own + headers, body)
        except (OSError, h11.ProtocolError) as error:
            connection.close()
            raise ConnectionBroken(f"{error or 'the connection was closed'}") from error
        except asyncio.CancelledError:
            connection.close()
            raise
        if connection.is_reusable:
            self._idle.append(connection)
        else:
            connection.close()
        return answer

    def close(self) -> None:
        """Close the connections that nobody uses at the moment."""
        while self._idle:
            self._idle.pop().close()

    async def _connection(self) -> "_Connection":
        while self._idle:
            connection = self._idle.pop()
            if connection.is_reusable:
                return connection
            connection.close()
        try:
            return _Connection(*await asyncio.open_unix_connection(str(self._path)))
        except OSError as error:
            raise ConnectionBroken(str(error)) from error


class _Connection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._http = h11.Connection(h11.CLIENT)

    @property
    def is_reusable(self) -> bool:
        return self._http.our_state is h11.IDLE and not self._reader.at_eof()

    async def exchange(self, method: str, path: str, headers: Headers, body: bytes) -> Answer:
        self._writer.write(
            (self._http.send(h11.Request(method=method, target=path, headers=headers)) or b"")
            + (self._http.send(h11.Data(body)) or b"")
            + (self._http.send(h11.EndOfMessage()) or b"")
        )
        await self._writer.drain()
        response = await self._next()
        while not isinstance(response, h11.Response):
            response = await self._next()
        answer = Answer(response.status_code, list(response.headers), await self._body())
        if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._http.start_next_cycle()
        return answer

    def close(self) -> None:
        self._writer.close()

    async def _body(self) -> bytes:
        body = bytearray()
        while isinstance(event := await self._next(), h11.Data):
            body += event.data
            if len(body) > MAX_ANSWER_BYTES:
                break
        return bytes(body[:MAX_ANSWER_BYTES])

    async def _next(self) -> h11.Event:
        while True:
            event = self._http.next_event()
            if event is h11.PAUSED:
                raise h11.RemoteProtocolError("data after the end of the answer")
            if isinstance(event, h11.ConnectionClosed):
                raise ConnectionBroken("the connection was closed")
            if isinstance(event, h11.Event):
                return event
            self._http.receive_data(await self._reader.read(_READ_BYTES))
