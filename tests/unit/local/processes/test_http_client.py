import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from local.processes.http_client import MAX_ANSWER_BYTES, ConnectionBroken, SocketClient

HEAD = b"HTTP/1.1 200 OK\r\n"


class Server:
    """Answers every request on its socket with the same bytes, and counts connections."""

    def __init__(self, answer: bytes, *, closes: bool = False) -> None:
        self.connections = 0
        self.requests: list[bytes] = []
        self._answer = answer
        self._closes = closes

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        while head := await _read_head(reader):
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            self.requests.append(head + await reader.readexactly(length))
            writer.write(self._answer)
            await writer.drain()
            if self._closes:
                break
        writer.close()


async def _read_head(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return b""


def with_client(tmp_path: Path, server: Server, use: Callable[[SocketClient], Awaitable[Any]]) -> Any:
    async def scenario() -> Any:
        path = tmp_path / "socket"
        listening = await asyncio.start_unix_server(server.handle, str(path))
        client = SocketClient(path, "work.local")
        try:
            return await use(client)
        finally:
            client.close()
            listening.close()

    return asyncio.run(scenario())


async def ask(client: SocketClient) -> Any:
    return await client.request("POST", "/path", [(b"ce-subject", "žluť".encode())], b"body")


def test_request_arrives_whole(tmp_path: Path) -> None:
    server = Server(HEAD + b"content-length: 0\r\n\r\n")
    with_client(tmp_path, server, ask)
    (request,) = server.requests
    assert request.startswith(b"POST /path HTTP/1.1\r\n")
    assert "ce-subject: žluť\r\n".encode() in request
    assert b"host: work.local\r\n" in request
    assert request.endswith(b"\r\n\r\nbody")


@pytest.mark.parametrize(
    "rest",
    [b"content-length: 5\r\n\r\nhello", b"transfer-encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"],
    ids=["length", "chunked"],
)
def test_answer_is_read_whole_and_the_connection_used_again(tmp_path: Path, rest: bytes) -> None:
    async def twice(client: SocketClient) -> list[Any]:
        return [await ask(client), await ask(client)]

    server = Server(HEAD + b"x-name: value\r\n" + rest)
    for answer in with_client(tmp_path, server, twice):
        assert (answer.status, answer.body) == (200, b"hello")
        assert (b"x-name", b"value") in answer.headers
    assert server.connections == 1


def test_connection_that_the_server_closed_is_not_used_again(tmp_path: Path) -> None:
    async def twice(client: SocketClient) -> None:
        await ask(client)
        await asyncio.sleep(0.05)
        await ask(client)

    server = Server(HEAD + b"content-length: 0\r\n\r\n", closes=True)
    with_client(tmp_path, server, twice)
    assert server.connections == 2


def test_simultaneous_requests_have_a_connection_each(tmp_path: Path) -> None:
    async def together(client: SocketClient) -> None:
        await asyncio.gather(*(ask(client) for _ in range(3)))

    server = Server(HEAD + b"content-length: 0\r\n\r\n")
    with_client(tmp_path, server, together)
    assert server.connections == 3


def test_endless_answer_is_cut(tmp_path: Path) -> None:
    server = Server(HEAD + b"\r\n" + b"x" * (2 * MAX_ANSWER_BYTES), closes=True)
    answer = with_client(tmp_path, server, ask)
    assert answer.body == b"x" * MAX_ANSWER_BYTES


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf", b"no http\r\n\r\n"])
def test_answer_that_is_not_whole_is_none(tmp_path: Path, answer: bytes) -> None:
    with pytest.raises(ConnectionBroken):
        with_client(tmp_path, Server(answer, closes=True), ask)


def test_nobody_listening(tmp_path: Path) -> None:
    with pytest.raises(ConnectionBroken):
        asyncio.run(ask(SocketClient(tmp_path / "socket", "work.local")))
