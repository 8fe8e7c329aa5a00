"""The scripted subscriber of the conformance table: an ASGI app without dependencies that answers as the cases say.

`/cases/<name>` answers, `/replies/<name>` and `/dead-letters/<name>` accept, `GET /observations` lists every request
with its time. It can stand in a test's own process or, served by any ASGI server, in a pod beside a real broker.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from tests.conformance.cases import CASES, Case

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_NEVER_SECONDS = 3600


class ScriptedSubscriber:
    """The app. `observations` are dicts: kind (cases, replies, dead-letters, elsewhere), case, time, headers, body."""

    def __init__(self, cases: Iterable[Case] = CASES) -> None:
        self._cases = {case.name: case for case in cases}
        self.observations: list[dict[str, Any]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        arrived = time.monotonic()
        body = await _read(receive)
        if scope["path"] == "/observations":
            await _respond(send, 200, {"content-type": "application/json"}, json.dumps(self.observations).encode())
            return
        kind, _, name = scope["path"].strip("/").partition("/")
        headers = {key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]}
        self.observations.append(
            {
                "kind": kind,
                "case": name,
                "method": scope["method"],
                "time": arrived,
                "headers": headers,
                "body": body.decode("latin-1"),
            }
        )
        await self._answer(kind, name, send)

    async def _answer(self, kind: str, name: str, send: Send) -> None:
        case = self._cases.get(name) if kind == "cases" else None
        if case is None:
            await _respond(send, 202, {}, b"")
            return
        if case.never_answers:
            await asyncio.sleep(_NEVER_SECONDS)
        await _respond(send, case.status, dict(case.headers), case.body)


async def _read(receive: Receive) -> bytes:
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return body


async def _respond(send: Send, status: int, headers: dict[str, str], body: bytes) -> None:
    length = {} if status == 204 else {"content-length": str(len(body))}
    raw = [(name.encode(), value.encode()) for name, value in (headers | length).items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})


app = ScriptedSubscriber()
