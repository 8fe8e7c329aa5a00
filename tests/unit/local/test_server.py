"""The embedded server stops: live streams at once, whoever listens; other answers when they are complete."""

import asyncio
import socket
from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from local.server import EmbeddedServer

LONGER_THAN_THE_TEST_MAY_TAKE = 3600.0


def app_with(go_on: asyncio.Event) -> Starlette:
    async def endless(request: Request) -> Response:
        async def lines() -> AsyncIterator[str]:
            yield ": connected\n\n"
            await asyncio.Event().wait()

        return StreamingResponse(lines(), media_type="text/event-stream")

    async def slow(request: Request) -> Response:
        async def pieces() -> AsyncIterator[bytes]:
            yield b"begun "
            await go_on.wait()
            yield b"done"

        return StreamingResponse(pieces(), media_type="application/octet-stream")

    return Starlette(routes=[Route("/stream", endless), Route("/slow", slow)])


async def started(app: Starlette) -> tuple[EmbeddedServer, "asyncio.Task[None]", str]:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    server = EmbeddedServer(app, listener, lifespan=False, grace_seconds=LONGER_THAN_THE_TEST_MAY_TAKE)
    task = asyncio.create_task(server.run_until_stopped())
    await server.up.wait()
    return server, task, f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.parametrize("accept", ["text/event-stream", "*/*"])
def test_a_listener_does_not_hold_up_the_end_whatever_it_says_it_accepts(accept: str) -> None:
    async def scenario() -> None:
        server, task, url = await started(app_with(asyncio.Event()))
        async with (
            httpx.AsyncClient(trust_env=False) as client,
            client.stream("GET", f"{url}/stream", headers={"Accept": accept}) as answer,
        ):
            lines = answer.aiter_lines()
            assert await anext(lines) == ": connected"
            server.stop()
            assert [line async for line in lines if line] == []
            await task

    asyncio.run(scenario())


def test_another_answer_is_completed_even_if_the_client_would_accept_a_stream() -> None:
    async def scenario() -> bytes:
        go_on = asyncio.Event()
        server, task, url = await started(app_with(go_on))
        headers = {"Accept": "text/event-stream"}
        async with (
            httpx.AsyncClient(trust_env=False) as client,
            client.stream("GET", f"{url}/slow", headers=headers) as answer,
        ):
            pieces = answer.aiter_raw()
            body = await anext(pieces)
            server.stop()
            go_on.set()
            body += b"".join([piece async for piece in pieces])
        await task
        return body

    assert asyncio.run(scenario()) == b"begun done"
