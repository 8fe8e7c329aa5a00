"""The embedded broker against the table of what a real Knative does, over real HTTP."""

import asyncio
import itertools
import json
import socket
from collections.abc import AsyncIterator, Iterator
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
from tests.conformance.cases import CASES, RETRY, Address, Case, reply_type
from tests.conformance.subscriber import ScriptedSubscriber

BACKOFF_SECONDS = 0.05
TIMEOUT_SECONDS = 0.4
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

    async def post(
        self, destination: Destination, headers: Headers, body: bytes, timeout_seconds: float
    ) -> Answer | None:
        try:
            async with asyncio.timeout(timeout_seconds):
                response = await self._client.post(self.url(destination), headers=headers, content=body)
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


async def run_table(directory: Path) -> tuple[list[dict[str, Any]], dict[str, int], str, str]:
    """Publish one event per case and wait until nothing is left to deliver. Returns what the subscriber saw."""
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
                    await client.post(url, headers=event_headers(case), content=b'{"n":1}')
                ).status_code
            await settled(broker)
        await broker.stop(0)
        await subscribers.aclose()
        queue_file.close()
    return subscriber.observations, statuses, subscriber_url, broker.url


async def settled(broker: Broker) -> None:
    while sum(broker.backlog().values()):  # noqa: ASYNC110 - the broker has no use for such an event itself
        await asyncio.sleep(0.02)


def event_headers(case: Case) -> dict[str, str]:
    return {
        "ce-specversion": "1.0",
        "ce-id": f"event-{case.name}",
        "ce-source": "/conformance",
        "ce-type": f"conformance.{case.name}",
        "ce-subject": case.name,
        "ce-runid": "run-1",
        "content-type": "application/json",
    }


class Run:
    """What one run of the whole table showed."""

    def __init__(self, directory: Path) -> None:
        self.observations, self.statuses, self.subscriber_url, self.broker_url = asyncio.run(run_table(directory))

    def of(self, kind: str, case: Case) -> list[dict[str, Any]]:
        return [seen for seen in self.observations if seen["kind"] == kind and seen["case"] == case.name]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    yield Run(tmp_path_factory.mktemp("conformance"))


each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


@each_case
def test_publisher_is_answered_at_once(run: Run, case: Case) -> None:
    assert run.statuses[case.name] == 202


@each_case
def test_number_of_attempts(run: Run, case: Case) -> None:
    assert len(run.of("cases", case)) == case.attempts


@each_case
def test_gaps_are_never_shorter_than_the_backoff(run: Run, case: Case) -> None:
    times = [seen["time"] for seen in run.of("cases", case)]
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert all(gap >= 0.99 * BACKOFF_SECONDS * units for gap, units in zip(gaps, case.gaps, strict=True))


@each_case
def test_reply_is_published(run: Run, case: Case) -> None:
    replies = run.of("replies", case)
    assert len(replies) == case.reply
    for seen in replies:
        assert seen["headers"]["ce-id"] == f"reply-to-{case.name}"
        assert json.loads(seen["body"]) == {"case": case.name}


@each_case
def test_dead_letter_says_why(run: Run, case: Case) -> None:
    letters = run.of("dead-letters", case)
    assert len(letters) == (case.dead_letter is not None)
    if case.dead_letter is None:
        return
    headers = letters[0]["headers"]
    address = {
        None: None,
        Address.SUBSCRIBER: f"{run.subscriber_url}/cases/{case.name}",
        Address.INGRESS: run.broker_url,
    }[case.dead_letter.address]
    code = case.dead_letter.code
    assert headers.get("ce-knativeerrorcode") == (None if code is None else str(code))
    assert headers.get("ce-knativeerrordest") == address
    assert headers.get("ce-knativeerrordata", "") == case.dead_letter.data.decode()


@each_case
def test_dead_letter_is_the_event_that_was_published(run: Run, case: Case) -> None:
    for seen in run.of("dead-letters", case):
        kept = {name: value for name, value in seen["headers"].items() if name in event_headers(case)}
        assert kept == event_headers(case)
        assert seen["body"] == '{"n":1}'
        assert seen["headers"]["ce-knativebrokerttl"] == "255"
        assert "ce-knativearrivaltime" in seen["headers"]


@each_case
def test_delivered_event_carries_the_headers_of_knative(run: Run, case: Case) -> None:
    for seen in run.of("cases", case):
        assert seen["headers"]["prefer"] == "reply"
        assert seen["headers"]["kn-namespace"] == NAMESPACE
        assert "ce-knativearrivaltime" in seen["headers"]
        assert "ce-knativebrokerttl" not in seen["headers"]
        assert seen["headers"]["ce-runid"] == "run-1"


def test_redirects_are_not_followed(run: Run) -> None:
    assert not [seen for seen in run.observations if seen["kind"] == "elsewhere"]
