"""What a Knative trigger does with a subscriber's answer, as measured on a real one. Decides; sends and stores nothing.

tests/conformance/cases.py holds the same rules as a table that can be run against a real broker.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urljoin, urlsplit, urlunsplit

from local.broker.message import Headers, InvalidEvent, MalformedEvent, Message, NotAnEvent, parse
from local.manifests import Delivery

MAX_TTL = 255
MAX_ERROR_DATA_BYTES = 768
"""Longer error bodies are cut. Knative 1.23 aims at 1024 base64 characters and crashes beyond them."""

PARKED_SECONDS = 600.0
"""How often an unwanted dead letter is offered again. Knative drops it; nothing is gained by that on one machine."""

_RETRIED = frozenset({404, 408, 409, 429})
_ASKED_ELSEWHERE = frozenset({301, 302, 303})
_SENT_ELSEWHERE = frozenset({307, 308})
MAX_REDIRECTS = 10


@dataclass(frozen=True)
class Answer:
    """A subscriber's HTTP response."""

    status: int
    headers: Headers
    body: bytes


@dataclass(frozen=True)
class Done:
    """The subscriber has it; `reply` is the next event, if it gave one."""

    reply: Message | None = None


@dataclass(frozen=True)
class TryAgain:
    """The same event again, after a pause."""

    after_seconds: float


@dataclass(frozen=True)
class GiveUp:
    """To the dead-letter sink, with these attributes added."""

    attributes: Mapping[str, str] = field(default_factory=dict)


Verdict = Done | TryAgain | GiveUp


@dataclass(frozen=True)
class Attempt:
    """What was tried: the event as stored, how often it failed before, where it went, where replies would go."""

    message: Message
    failures: int
    subscriber_url: str
    ingress_url: str


def redirected(answer: Answer | None, url: str) -> tuple[str, str] | None:
    """The method and the path with which Knative follows a redirect from `url`; None where it does not.

    After 301 to 303 that is a GET without the event: whatever is there and answers 2xx has then "taken" it. On one
    machine no other host can be meant than the one that answered.
    """
    if answer is None or answer.status not in _ASKED_ELSEWHERE | _SENT_ELSEWHERE:
        return None
    address = next((value.decode("latin-1") for name, value in answer.headers if name.lower() == b"location"), "")
    target = urlsplit(urljoin(url, address))
    if not address or target.netloc != urlsplit(url).netloc:
        return None
    path = urlunsplit(("", "", target.path or "/", target.query, ""))
    return ("GET" if answer.status in _ASKED_ELSEWHERE else "POST"), path


def judge(attempt: Attempt, answer: Answer | None, delivery: Delivery) -> Verdict:
    """Decide on an answer; None is no answer at all (time-out, broken connection)."""
    if answer is None:
        return _again_or_give_up(attempt, delivery, {})
    if 200 <= answer.status < 300:
        return _judge_success(attempt, answer, delivery)
    error = _error_attributes(attempt.subscriber_url, answer.status, answer.body)
    if answer.status in _RETRIED or answer.status >= 500:
        return _again_or_give_up(attempt, delivery, error)
    return GiveUp(error)


def judge_dead_letter(failures: int, answer: Answer | None, delivery: Delivery) -> Done | TryAgain:
    """Decide on the sink's answer to a dead letter; what it replies is not published. A refused letter is kept."""
    if answer is not None and 200 <= answer.status < 300:
        return Done()
    retried = answer is None or answer.status in _RETRIED or answer.status >= 500
    if retried and failures < delivery.retry:
        return TryAgain(delivery.gap_seconds(failures + 1))
    return TryAgain(PARKED_SECONDS)


def on_arrival(message: Message, arrival_time: str) -> Message:
    """What the ingress adds to an event: its arrival and how many more replies may follow. Raises InvalidEvent."""
    message.validate()
    ttl = _remaining_ttl(message)
    if ttl <= 0:
        raise InvalidEvent("the event has been answered with an event too many times")
    return message.with_attributes({"knativearrivaltime": arrival_time, "knativebrokerttl": str(ttl)})


def for_subscriber(message: Message) -> Message:
    """The event as a subscriber sees it: without the counter of replies."""
    return message.without("knativebrokerttl")


def _judge_success(attempt: Attempt, answer: Answer, delivery: Delivery) -> Verdict:
    try:
        reply = parse(answer.headers, answer.body)
    except NotAnEvent:
        return _again_or_give_up(attempt, delivery, {}) if answer.body else Done()
    except MalformedEvent:
        return _again_or_give_up(attempt, delivery, {})
    reply = _inheriting_ttl(reply, attempt.message)
    try:
        on_arrival(reply, "")
    except InvalidEvent:
        return GiveUp(_error_attributes(attempt.ingress_url, 400, b""))
    return Done(reply)


def _again_or_give_up(attempt: Attempt, delivery: Delivery, error: Mapping[str, str]) -> Verdict:
    if attempt.failures < delivery.retry:
        return TryAgain(delivery.gap_seconds(attempt.failures + 1))
    return GiveUp(error)


def _error_attributes(url: str, status: int, body: bytes) -> dict[str, str]:
    attributes = {"knativeerrordest": url, "knativeerrorcode": str(status)}
    if body:
        attributes["knativeerrordata"] = base64.b64encode(body[:MAX_ERROR_DATA_BYTES]).decode()
    return attributes


def _inheriting_ttl(reply: Message, cause: Message) -> Message:
    return reply.with_attributes({"knativebrokerttl": cause.attributes["knativebrokerttl"]})


def _remaining_ttl(message: Message) -> int:
    try:
        return int(message.attributes["knativebrokerttl"]) - 1
    except KeyError:
        return MAX_TTL
    except ValueError as error:
        raise InvalidEvent("knativebrokerttl is not a number") from error
