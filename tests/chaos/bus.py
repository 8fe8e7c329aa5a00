"""A broker in one process that keeps to the triggers in `knative/`: one delivery after the other, by its own clock.

Its queue is a file, so that it outlives the process that dies in a delivery: what was not answered is delivered again.
Answers are judged by the product's own rules. Time does not pass by itself; `World.settle` moves it on.
"""

import base64
import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path

from local.broker.message import Headers, Message, parse
from local.broker.rules import (
    Answer,
    Attempt,
    Done,
    GiveUp,
    TryAgain,
    for_subscriber,
    judge,
    judge_dead_letter,
    on_arrival,
)
from local.manifests import Destination, Trigger, Wiring
from shared.events import Event

Post = Callable[[Destination, Headers, bytes], Answer | None]


@dataclass
class Delivery:
    """An event on its way to one trigger's subscriber, or to its dead-letter sink."""

    number: int
    trigger: str
    attributes: dict[str, str]
    data: str
    due: float = 0.0
    failures: int = 0
    is_letter: bool = False
    error: dict[str, str] = field(default_factory=dict)

    @property
    def type(self) -> str:
        """The event's type."""
        return self.attributes["type"]

    @property
    def message(self) -> Message:
        """The event."""
        return Message(self.attributes, base64.b64decode(self.data))


class Bus:
    """The queue. `clock` is in seconds since the world began."""

    def __init__(self, path: Path, wiring: Wiring) -> None:
        self._path = path
        self._wiring = wiring
        content = json.loads(path.read_text()) if path.exists() else {"jumps": [], "next": 1, "deliveries": []}
        self._jumps: list[tuple[float, float]] = content["jumps"]
        self.clock = sum(seconds for _, seconds in self._jumps)
        self._next: int = content["next"]
        self.deliveries = [Delivery(**each) for each in content["deliveries"]]
        self.letters = 0
        self._taking = threading.Lock()

    def publish(self, event: Event) -> None:
        """Take an event in, as the ingress does."""
        headers, body = event.to_http()
        self.take(parse([(name.encode(), value.encode()) for name, value in headers.items()], body))

    def take(self, message: Message) -> None:
        """Queue an event for every trigger that wants it; two senders may do so at once."""
        with self._taking:
            self._add(on_arrival(message, "2026-01-01T00:00:00Z"))
            self._save()

    def waiting(self, trigger: str | None = None) -> list[Delivery]:
        """What is not delivered yet, in the order in which it falls due."""
        found = [each for each in self.deliveries if trigger in (None, each.trigger)]
        return sorted(found, key=lambda each: (each.due, each.number))

    def deliver(self, delivery: Delivery, post: Post) -> Answer | None:
        """Make one attempt and keep what came of it."""
        trigger = self._trigger(delivery.trigger)
        answer = post(self._destination(delivery, trigger), *self._request(delivery))
        verdict = self._judge(delivery, trigger, answer)
        match verdict:
            case Done(reply):
                self.deliveries.remove(delivery)
                if reply is not None:
                    self._add(on_arrival(reply, "2026-01-01T00:00:00Z"))
            case TryAgain(pause):
                delivery.failures, delivery.due = delivery.failures + 1, self.clock + pause
            case GiveUp(attributes):
                self.letters += 1
                delivery.is_letter, delivery.failures, delivery.due = True, 0, self.clock
                delivery.error = dict(attributes)
        self._save()
        return answer

    def double(self, deliveries: Sequence[Delivery]) -> None:
        """Deliver these once more, as brokers may."""
        for each in deliveries:
            self.deliveries.append(Delivery(self._number(), each.trigger, each.attributes, each.data, self.clock))
        self._save()

    def lose(self, deliveries: Sequence[Delivery]) -> None:
        """Forget these, as brokers in memory do when they fall."""
        self.deliveries = [each for each in self.deliveries if each not in deliveries]
        self._save()

    def pass_time(self, seconds: float) -> None:
        """Move the clock on."""
        self._jumps.append((time.time(), seconds))
        self.clock += seconds
        self._save()

    def passed_since(self, moment: datetime) -> float:
        """By how many seconds the clock was moved on since a moment of the real one."""
        return sum(seconds for at, seconds in self._jumps if at >= moment.timestamp())

    def _add(self, message: Message) -> None:
        data = base64.b64encode(message.data).decode()
        for trigger in self._wiring.triggers:
            if trigger.wants(message.attributes):
                self.deliveries.append(
                    Delivery(self._number(), trigger.name, dict(message.attributes), data, self.clock)
                )

    def _number(self) -> int:
        self._next += 1
        return self._next - 1

    def _trigger(self, name: str) -> Trigger:
        return next(trigger for trigger in self._wiring.triggers if trigger.name == name)

    def _destination(self, delivery: Delivery, trigger: Trigger) -> Destination:
        sink = trigger.delivery.dead_letter_sink
        return sink if delivery.is_letter and sink is not None else trigger.subscriber

    def _request(self, delivery: Delivery) -> tuple[Headers, bytes]:
        message = delivery.message
        message = message.with_attributes(delivery.error) if delivery.is_letter else for_subscriber(message)
        return message.to_binary()

    def _judge(self, delivery: Delivery, trigger: Trigger, answer: Answer | None) -> Done | TryAgain | GiveUp:
        if delivery.is_letter:
            return judge_dead_letter(delivery.failures, answer, trigger.delivery)
        attempt = Attempt(delivery.message, delivery.failures, f"http://{trigger.name}", "http://broker")
        return judge(attempt, answer, trigger.delivery)

    def _save(self) -> None:
        content = {
            "jumps": self._jumps,
            "next": self._next,
            "deliveries": [asdict(each) for each in self.deliveries],
        }
        draft = self._path.with_suffix(".draft")
        draft.write_text(json.dumps(content))
        draft.replace(self._path)
