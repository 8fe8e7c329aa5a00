"""The embedded broker against the table of what a real Knative does, over real HTTP."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from local.broker.broker import Broker
from local.broker.ingress import ingress
from local.broker.message import Headers
from local.broker.queue_file import QueueFile
from local.broker.rules import Answer
from local.manifests import Delivery, Destination, Filter, Trigger
from tests.conformance.cases import CASES, RETRY, Case, reply_type
from tests.conformance.checks import (  # noqa: F401 - the tests of this module
    EVENT_BODY,
    Run,
    event_headers,
    test_dead_letter_is_the_event_that_was_published,
    test_dead_letter_says_why,
    test_delivered_event_carries_the_headers_of_knative,
    test_gaps_are_never_shorter_than_the_backoff,
    test_number_of_attempts,
    test_publisher_is_answered_at_once,
    test_redirects_are_followed,
    test_reply_is_published,
)
from tests.conformance.subscriber import ScriptedSubscriber

BACKOFF_SECONDS = 0.05
TIMEOUT_SECONDS = 5.0
NAMESPACE = "conformance"


class HttpSubscribers:
    """Sends to one server, whatever the service is called."""

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url
        self._client = httpx.AsyncClient(timeout=None)

    def url(self, destination: Destination) -> str:
        return self._base_url + destination.path

    def capacity(self, service: str) -> int:
        return 10

    async def request(
        self, method: str, destination: Destination, headers: Headers, body: bytes, timeout_seconds: float
    ) -> Answer | None:
        try:
            async with asyncio.timeout(timeout_seconds):
                response = await self._client.request(method, self.url(destination), headers=headers, content=body)
        except (TimeoutError, httpx.TransportError):
            return None
        return Answer(response.status_code, response.headers.raw, response.content)

    def has(self, service: str) -> bool:
        return False

    async def call(self, service: str, method: str, path: str, headers: Headers, body: bytes) -> Answer | None:
        return None

    async def aclose(self) -> None:
        await self._client.aclose()


def case_trigger(case: Case) -> Trigger:
    return Trigger(
        name=case.name,
        filters=(Filter("exact", {"type": f"conformance.{case.name}"}),),
        subscriber=Destination("subscriber", f"/cases/{case.name}"),
        delivery=Delivery(
            RETRY, "exponential", BACKOFF_SECONDS, TIMEOUT_SECONDS, Destination("sink", f"/dead-letters/{case.name}")
        ),
    )


def reply_trigger(case: Case) -> Trigger:
    return Trigger(
        name=f"reply-{case.name}",
        filters=(Filter("exact", {"type": reply_type(case.name)}),),
        subscriber=Destination("subscriber", f"/replies/{case.name}"),
        delivery=Delivery(RETRY, "exponential", BACKOFF_SECONDS, TIMEOUT_SECONDS, None),
    )


@asynccontextmanager
async def serving(app: Any) -> AsyncIterator[str]:
    """Serve an app on a free port of the loopback interface."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off", timeout_graceful_shutdown=1))
    task = asyncio.create_task(server._serve([listener]))
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task


async def run_table(directory: Path) -> Run:
    """Publish one event per case and wait until nothing is left to deliver."""
    subscriber = ScriptedSubscriber()
    queue_file = QueueFile(directory / "queue.db")
    async with serving(subscriber) as subscriber_url:
        subscribers = HttpSubscribers(subscriber_url)
        triggers = [make(case) for case in CASES for make in (case_trigger, reply_trigger)]
        broker = Broker("table", NAMESPACE, triggers, queue_file, subscribers)
        broker.start()
        statuses = {}
        async with serving(ingress(broker, subscribers)) as url, httpx.AsyncClient() as client:
            for case in CASES:
                statuses[case.name] = (
                    await client.post(url, headers=event_headers(case), content=EVENT_BODY)
                ).status_code
            await settled(broker)
        await broker.stop(0)
        await subscribers.aclose()
        queue_file.close()
    return Run(subscriber.observations, statuses, subscriber_url, broker.url, NAMESPACE, BACKOFF_SECONDS)


async def settled(broker: Broker) -> None:
    while sum(broker.backlog().values()):  # noqa: ASYNC110 - the broker has no use for such an event itself
        await asyncio.sleep(0.02)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The whole table on the embedded broker."""
    return asyncio.run(run_table(tmp_path_factory.mktemp("conformance")))
