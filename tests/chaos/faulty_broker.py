"""What may happen to deliveries on their way: a component that stands between the broker and its subscribers.

The broker itself is the product's. Everything that it wants to deliver comes to a gate; once nothing is under way any
more, `Faults` decide by their seed which delivery passes next, which passes again later, and which is acknowledged and
lost. So each seed is one schedule, and the same one each time (with `together` the threads decide as well).
"""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from local.broker.broker import Broker, Subscribers
from local.broker.message import Headers, Message, NotAnEvent, parse
from local.broker.rules import Answer
from local.manifests import Destination

_ACKNOWLEDGED = Answer(202, [], b"")
_BROKEN = Answer(500, [], b'{"code": "internal", "message": "broken"}')
_POLL_SECONDS = 0.0005


@dataclass(frozen=True)
class Faults:
    """What goes wrong. Portions are between 0 and 1 and drawn for each delivery by the seed.

    Each event is delivered to each subscriber `copies` times, the further ones after the first has been answered. The
    next to pass is drawn from the first `window` that wait. `lost`: acknowledged, never delivered. `late`: passes only
    when nothing else is left, and hours have passed. `broken`: the subscriber's answer is replaced by a 500 after it
    has done its work; `refused`: before. `last`: pairs of service and type that pass after everything else. `together`:
    how many pass in the same instant.
    """

    seed: int = 0
    copies: int = 1
    window: int = 1
    lost: float = 0.0
    late: float = 0.0
    broken: float = 0.0
    refused: float = 0.0
    last: tuple[tuple[str, str], ...] = ()
    together: int = 1


@dataclass(frozen=True)
class Delivery:
    """One request that the broker wants to make."""

    destination: Destination
    headers: Headers
    body: bytes
    timeout_seconds: float

    @property
    def type(self) -> str:
        """The type of its event."""
        return next((value.decode() for name, value in self.headers if name == b"ce-type"), "")

    @property
    def identity(self) -> tuple[str, str, str]:
        """Which event for whom: a broker that says it twice says the same."""
        named = {name: value.decode() for name, value in self.headers if name in (b"ce-source", b"ce-id")}
        return f"{self.destination.service}{self.destination.path}", named[b"ce-source"], named[b"ce-id"]

    @property
    def is_letter(self) -> bool:
        """Whether it is a dead letter; these are the last resort, and nothing is lost of them."""
        return self.destination.path.startswith("/dead-letters/")


@dataclass(eq=False)
class _Waiting:
    delivery: Delivery
    is_late: bool
    passes: "asyncio.Future[None]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())


@dataclass
class Counts:
    """What was done to deliveries."""

    delivered: int = 0
    doubled: int = 0
    lost: int = 0
    broken: int = 0
    out_of_turn: int = 0
    letters: int = 0

    @property
    def faults(self) -> int:
        """All that went otherwise than it should."""
        return self.doubled + self.lost + self.broken + self.out_of_turn + self.letters


class FaultySubscribers:
    """`Subscribers` for a broker, with faults on the way to the real ones. `run` beside the broker."""

    def __init__(self, inner: Subscribers, faults: Faults, time_passes: Callable[[], None]) -> None:
        self.faults = faults
        self._time_passes = time_passes
        self.counts = Counts()
        self._inner = inner
        self._broker: Broker | None = None
        self._random = random.Random(faults.seed)
        self._waiting: list[_Waiting] = []
        self._copies: set[asyncio.Task[None]] = set()
        self._copied: set[tuple[str, str, str]] = set()

    def url(self, destination: Destination) -> str:
        """As the real ones say."""
        return self._inner.url(destination)

    def capacity(self, service: str) -> int:
        """Everything may wait at the gate at once."""
        return 100_000

    async def request(
        self, method: str, destination: Destination, headers: Headers, body: bytes, timeout_seconds: float
    ) -> Answer | None:
        """Wait for a turn, then meet with whatever the faults hold ready."""
        delivery = Delivery(destination, headers, body, timeout_seconds)
        await self._turn(_Waiting(delivery, self._random.random() < self.faults.late))
        if delivery.is_letter:
            self.counts.letters += 1
            return await self._pass(delivery)
        if self._random.random() < self.faults.lost:
            self.counts.lost += 1
            return _ACKNOWLEDGED
        if self._random.random() < self.faults.refused:
            self.counts.broken += 1
            return _BROKEN
        answer = await self._pass(delivery)
        if delivery.identity not in self._copied:
            self._copied.add(delivery.identity)
            for _ in range(self.faults.copies - 1):
                self._copy(delivery)
        if self._random.random() < self.faults.broken:
            self.counts.broken += 1
            return _BROKEN
        return answer

    async def settle(self, broker: Broker) -> None:
        """Let everything pass until nothing is left to deliver, copies and what they bring about included."""
        self._broker = broker
        while sum(broker.backlog().values()) or self._copies:
            still = self._all_wait(broker)
            if still and self._waiting:
                for _ in range(min(self.faults.together, len(self._waiting))):
                    self._let_pass()
            await asyncio.sleep(0 if still else _POLL_SECONDS)

    def _all_wait(self, broker: Broker) -> bool:
        return sum(broker.backlog().values()) + len(self._copies) == len(self._waiting)

    def _let_pass(self) -> None:
        chosen = self._random.choice(self._next()[: self.faults.window])
        self.counts.out_of_turn += chosen is not self._waiting[0]
        self._waiting.remove(chosen)
        chosen.passes.set_result(None)

    def _next(self) -> list[_Waiting]:
        """Those from which the next is drawn: what is late or of a type held back only when nothing else waits."""
        if found := [each for each in self._waiting if self._is_in_time(each)]:
            return found
        self._time_passes()
        return [each for each in self._waiting if not each.is_late] or self._waiting

    def _is_in_time(self, waiting: _Waiting) -> bool:
        delivery = waiting.delivery
        return not waiting.is_late and (delivery.destination.service, delivery.type) not in self.faults.last

    async def _turn(self, waiting: _Waiting) -> None:
        self._waiting.append(waiting)
        await waiting.passes

    async def _pass(self, delivery: Delivery) -> Answer | None:
        self.counts.delivered += 1
        return await self._inner.request(
            "POST", delivery.destination, delivery.headers, delivery.body, delivery.timeout_seconds
        )

    def _copy(self, delivery: Delivery) -> None:
        self.counts.doubled += 1
        task = asyncio.get_running_loop().create_task(self._deliver_copy(delivery))
        self._copies.add(task)
        task.add_done_callback(self._copies.discard)

    async def _deliver_copy(self, delivery: Delivery) -> None:
        """Once more, as a broker does that did not see the first answer; what is replied now is published as well."""
        await self._turn(_Waiting(delivery, self._random.random() < self.faults.late))
        answer = await self._pass(delivery)
        assert self._broker is not None
        if answer is not None and answer.status == 200 and (reply := _event(answer)):
            await self._broker.publish(reply)


def _event(answer: Answer) -> Message | None:
    try:
        return parse(answer.headers, answer.body)
    except NotAnEvent:
        return None
