"""The embedded broker, with its real queue file and wiring, delivering to a world in this process."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import anyio.to_thread

from functions.ocr.handler import Recognizer
from local.broker.broker import Broker
from local.broker.message import Headers, parse
from local.broker.queue_file import QueueFile
from local.broker.rules import Answer
from local.manifests import Destination, Trigger
from shared.events import Event
from tests.chaos.bus import Bus
from tests.chaos.faulty_broker import Faults, FaultySubscribers
from tests.chaos.world import World

BATCH_PAGES = 2
BACKOFF_SECONDS = 0.001
RETRIES = 3
"""As many attempts as a schedule has patience for, at pauses that nobody notices."""

MOST_SWEEPS = 60
LATE_SECONDS = 2 * 3600.0
"""How much later than everything else a late delivery comes."""

T = TypeVar("T")


class Wire(Bus):
    """Keeps no queue of its own: hands every event to the broker that is attached."""

    broker: Callable[[Event], None]
    published = 0

    def publish(self, event: Event) -> None:
        self.published += 1
        self.broker(event)


class BrokerWorld(World):
    """A world whose events go through the product's own broker."""

    wire: Wire

    def make_bus(self) -> Bus:
        self.wire = Wire(self.root / "bus.json", self.wiring)
        return self.wire

    def make_recognizer(self) -> Recognizer:
        """Small batches, so that few pages make many."""
        return Recognizer(self.store, self.tools, self.ocr_engine, self.publisher, BATCH_PAGES)


class InProcess:
    """`Subscribers` whose functions are called in this process."""

    def __init__(self, world: World) -> None:
        self._world = world

    def url(self, destination: Destination) -> str:
        """As it is named in a dead letter."""
        return f"http://{destination.service}{destination.path}"

    def capacity(self, service: str) -> int:
        """As many as come."""
        return 100

    async def request(
        self, method: str, destination: Destination, headers: Headers, body: bytes, timeout_seconds: float
    ) -> Answer | None:
        """The function's answer."""
        return await anyio.to_thread.run_sync(self._world.post, destination, headers, body)


class Delivering:
    """A broker at work on a world, with faults on the way."""

    def __init__(self, world: BrokerWorld, broker: Broker, subscribers: FaultySubscribers) -> None:
        self.world = world
        self.broker = broker
        self.subscribers = subscribers

    async def publish(self, event: Event) -> None:
        """Send an event to the broker."""
        headers, body = event.to_http()
        await self.broker.publish(parse([(name.encode(), value.encode()) for name, value in headers.items()], body))

    async def of(self, work: Callable[[], T]) -> T:
        """Do something that blocks, in a thread, so that what it publishes can be taken."""
        return await anyio.to_thread.run_sync(work)

    async def settle(self) -> None:
        """Relay and deliver until nothing is left."""
        before = -1
        while before != self.world.wire.published:
            before = self.world.wire.published
            await self.of(self._relay)
            await self.subscribers.settle(self.broker)

    async def sweep_until_quiet(self) -> int:
        """Let hours pass, sweep by sweep, until a sweep has nothing to send; how many it took."""
        for number in range(1, MOST_SWEEPS + 1):
            before = self.world.wire.published
            await self.of(lambda: self.world.sweep(hours=7))
            await self.settle()
            if self.world.wire.published == before:
                return number
        raise AssertionError(f"after {MOST_SWEEPS} sweeps there was still something to send")

    def _relay(self) -> None:
        # What waits in the outbox for somebody's reply to come first falls due.
        self.world.pass_time(60)
        while self.world.relay.send_due():
            continue


@asynccontextmanager
async def delivering(world: BrokerWorld, faults: Faults) -> AsyncIterator[Delivering]:
    """A started broker between the world and its functions."""
    queue_file = QueueFile(world.root / "queue.db")
    subscribers = FaultySubscribers(InProcess(world), faults, lambda: world.pass_time(LATE_SECONDS))
    triggers = map(_quick, world.wiring.triggers)
    running = Delivering(world, Broker(world.wiring.broker, "default", triggers, queue_file, subscribers), subscribers)
    loop = asyncio.get_running_loop()
    world.wire.broker = lambda event: asyncio.run_coroutine_threadsafe(running.publish(event), loop).result()
    running.broker.start()
    try:
        yield running
    finally:
        await running.broker.stop(0)
        queue_file.close()


def play(root: Path, faults: Faults, story: Callable[[Delivering], Awaitable[T]]) -> T:
    """Tell a story to a new world, under faults."""

    async def run() -> T:
        async with delivering(world, faults) as running:
            return await story(running)

    world = BrokerWorld(root)
    try:
        return asyncio.run(run())
    finally:
        world.close()


def _quick(trigger: Trigger) -> Trigger:
    delivery = replace(trigger.delivery, retry=RETRIES, backoff_policy="linear", backoff_delay_seconds=BACKOFF_SECONDS)
    return replace(trigger, delivery=delivery)
