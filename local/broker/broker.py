"""Takes events in and brings each to the triggers that want it, until a subscriber or a dead-letter sink has it.

Every trigger has a lane of its own, and its dead letters another, so that one that fails holds up no other. How an
answer is judged is in `rules`, what is kept in `queue_file`, how a request is made in what implements `Subscribers`.
"""

import asyncio
import logging
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Protocol

from local.broker.lane import Entry, Lane
from local.broker.message import Headers, Message
from local.broker.queue_file import Addition, Pending, QueueFile, QueueUnavailable, Stored
from local.broker.rules import (
    MAX_REDIRECTS,
    PARKED_SECONDS,
    Answer,
    Attempt,
    Done,
    GiveUp,
    TryAgain,
    Verdict,
    for_subscriber,
    judge,
    judge_dead_letter,
    on_arrival,
    redirected,
)
from local.manifests import Delivery, Destination, Trigger

logger = logging.getLogger(__name__)

_WRITE_AGAIN_SECONDS = 1.0
"""How long a result waits for a queue file that takes nothing (disk full)."""


class Subscribers(Protocol):
    """Those who receive events, by HTTP."""

    def url(self, destination: Destination) -> str:
        """The address of a destination, as it is named in a dead letter."""

    def capacity(self, service: str) -> int:
        """How many requests the service can work on at once, once it is scaled up."""

    async def request(
        self, method: str, destination: Destination, headers: Headers, body: bytes, timeout_seconds: float
    ) -> Answer | None:
        """The answer to a request; None when none came in time or at all. Waiting for a free process is not counted."""


@dataclass(frozen=True)
class _Route:
    """One way to one destination: the events of a trigger, or its dead letters."""

    trigger: str
    delivery: Delivery
    destination: Destination
    dead_letters: bool

    @property
    def longest_pause_seconds(self) -> float:
        return PARKED_SECONDS if self.dead_letters else self.delivery.gap_seconds(self.delivery.retry)


class Broker:
    """One broker with its triggers. Call `start` and `stop` around its use, in a running event loop."""

    def __init__(
        self, name: str, namespace: str, triggers: Iterable[Trigger], queue_file: QueueFile, subscribers: Subscribers
    ) -> None:
        self.name = name
        self.namespace = namespace
        self._triggers = tuple(triggers)
        self._queue_file = queue_file
        self._subscribers = subscribers
        self._routes = {(route.trigger, route.dead_letters): route for route in _routes(self._triggers)}
        self._lanes = {key: self._lane(route) for key, route in self._routes.items()}

    @property
    def url(self) -> str:
        """The broker's address, as it is named in a dead letter."""
        return f"http://broker-ingress.knative-eventing.svc.cluster.local/{self.namespace}/{self.name}"

    def start(self) -> None:
        """Take up what an earlier process left."""
        for pending in self._queue_file.pending():
            self._schedule(pending)

    async def stop(self, grace_seconds: float) -> None:
        """Begin no delivery more, let those under way end within the grace, break off the rest: they are made again."""
        tasks = {task for lane in self._lanes.values() for task in lane.stop()}
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=grace_seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def publish(self, message: Message) -> None:
        """Keep an event for the triggers that want it; it is on the disk when this returns.

        Raises InvalidEvent, or QueueUnavailable.
        """
        addition = self._addition(on_arrival(message, _timestamp()))
        for pending in await self._queue_file.add(addition, time.time()):
            self._schedule(pending)

    def backlog(self) -> dict[str, int]:
        """How many deliveries wait or are under way, by trigger, dead letters included."""
        counts = dict.fromkeys((trigger.name for trigger in self._triggers), 0)
        for (name, _), lane in self._lanes.items():
            counts[name] += len(lane)
        return counts

    async def _attempt(self, route: _Route, entry: Entry) -> None:
        """Make one attempt and keep what came of it."""
        stored = self._queue_file.read(entry.delivery_id)
        answer = await self._send(route, stored)
        verdict = self._judge(route, entry, stored, answer)
        while True:
            try:
                return await self._keep(route, entry, verdict)
            except QueueUnavailable as error:
                logger.error("the queue file takes nothing: %s", error)
                await asyncio.sleep(_WRITE_AGAIN_SECONDS)

    async def _send(self, route: _Route, stored: Stored) -> Answer | None:
        message = stored.message.with_attributes(stored.error) if route.dead_letters else for_subscriber(stored.message)
        headers, body = message.to_binary()
        headers += [(b"prefer", b"reply"), (b"kn-namespace", self.namespace.encode())]
        return await self._request(route.destination, headers, body, route.delivery.timeout_seconds)

    async def _request(
        self, destination: Destination, headers: Headers, body: bytes, timeout_seconds: float
    ) -> Answer | None:
        method, url = "POST", self._subscribers.url(destination)
        for _ in range(MAX_REDIRECTS):
            answer = await self._subscribers.request(method, destination, headers, body, timeout_seconds)
            followed = redirected(answer, url)
            if followed is None:
                return answer
            method, destination = followed[0], replace(destination, path=followed[1])
            body = body if method == "POST" else b""
        return None

    def _judge(self, route: _Route, entry: Entry, stored: Stored, answer: Answer | None) -> Verdict:
        if route.dead_letters:
            return judge_dead_letter(entry.failures, answer, route.delivery)
        attempt = Attempt(stored.message, entry.failures, self._subscribers.url(route.destination), self.url)
        return judge(attempt, answer, route.delivery)

    async def _keep(self, route: _Route, entry: Entry, verdict: Verdict) -> None:
        match verdict:
            case Done(reply):
                await self._finish(entry, reply)
            case TryAgain(pause_seconds):
                failures = entry.failures + 1
                await self._queue_file.postpone(entry.delivery_id, failures, time.time() + pause_seconds)
                self._lanes[route.trigger, route.dead_letters].push(entry.delivery_id, failures, pause_seconds)
            case GiveUp(attributes):
                await self._give_up(route, entry, attributes)

    async def _finish(self, entry: Entry, reply: Message | None) -> None:
        addition = None if reply is None else self._addition(on_arrival(reply, _timestamp()))
        for pending in await self._queue_file.finish(entry.delivery_id, addition, time.time()):
            self._schedule(pending)

    async def _give_up(self, route: _Route, entry: Entry, attributes: Mapping[str, str]) -> None:
        reason = attributes.get("knativeerrorcode", "no readable answer")
        logger.warning("trigger %s gives an event up (attempt %d: %s)", route.trigger, entry.failures + 1, reason)
        if route.delivery.dead_letter_sink is None:
            await self._queue_file.finish(entry.delivery_id, None, time.time())
            return
        now = time.time()
        await self._queue_file.bury(entry.delivery_id, attributes, now)
        self._schedule(Pending(entry.delivery_id, route.trigger, 0, now, True))

    def _addition(self, message: Message) -> Addition:
        wanted = tuple(trigger.name for trigger in self._triggers if trigger.wants(message.attributes))
        return Addition(message, wanted)

    def _lane(self, route: _Route) -> Lane:
        limit = self._subscribers.capacity(route.destination.service)
        return Lane(self._subscribers.url(route.destination), limit, lambda entry: self._attempt(route, entry))

    def _schedule(self, pending: Pending) -> None:
        key = (pending.trigger, pending.is_dead_letter)
        if key not in self._lanes:
            logger.warning("an event waits for trigger %s, which no longer exists", pending.trigger)
            return
        # A clock that was set back must not turn a pause of seconds into one of days.
        pause = min(max(pending.due - time.time(), 0.0), self._routes[key].longest_pause_seconds)
        self._lanes[key].push(pending.id, pending.failures, pause)


def _routes(triggers: Iterable[Trigger]) -> Iterator[_Route]:
    for trigger in triggers:
        yield _Route(trigger.name, trigger.delivery, trigger.subscriber, False)
        sink = trigger.delivery.dead_letter_sink
        if sink is not None:
            yield _Route(trigger.name, trigger.delivery, sink, True)


def _timestamp() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")
