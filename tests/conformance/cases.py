"""What a Knative trigger does with each kind of answer, as data: measured on Knative 1.23 (channel-based, in memory).

Knows nothing of the broker under test. `subscriber.py` answers as the cases say and writes down what arrives; whoever
runs the table gives each case a Trigger: filter on the type `conformance.<case>`, subscriber path `/cases/<case>`, dead
letters to `/dead-letters/<case>`, and RETRY, BACKOFF_DELAY, exponential, and TIMEOUT as delivery.
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

RETRY = 3
ATTEMPTS = RETRY + 1

OK_TEXT = b"OK"
ERROR_BODY = json.dumps({"code": "conformance", "message": "the case says so"}).encode()


class Address(Enum):
    """What `knativeerrordest` names."""

    SUBSCRIBER = "subscriber"
    INGRESS = "ingress"


@dataclass(frozen=True)
class DeadLetter:
    """The attributes that a dead letter gains; no code means no error attribute at all."""

    code: int | None
    address: Address | None = Address.SUBSCRIBER
    data: bytes = b""


UNEXPLAINED = DeadLetter(None, None)


@dataclass(frozen=True)
class Case:
    """One answer, and what becomes of the event. Gaps are in backoff delays (a time-out comes on top)."""

    name: str
    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    never_answers: bool = False
    attempts: int = 1
    reply: bool = False
    dead_letter: DeadLetter | None = None

    @property
    def gaps(self) -> tuple[float, ...]:
        """The pauses between the attempts, in backoff delays."""
        return tuple(float(2**attempt) for attempt in range(self.attempts - 1))


def reply_type(case_name: str) -> str:
    """The type of the event with which a case replies."""
    return f"conformance.reply.{case_name}"


def _structured(case_name: str, **changes: object) -> bytes:
    event = {
        "specversion": "1.0",
        "id": f"reply-to-{case_name}",
        "source": "/conformance/subscriber",
        "type": reply_type(case_name),
        "datacontenttype": "application/json",
        "data": {"case": case_name},
    }
    return json.dumps({name: value for name, value in (event | changes).items() if value is not None}).encode()


def _binary_headers(case_name: str) -> dict[str, str]:
    return {
        "ce-specversion": "1.0",
        "ce-id": f"reply-to-{case_name}",
        "ce-source": "/conformance/subscriber",
        "ce-type": reply_type(case_name),
        "content-type": "application/json",
    }


STRUCTURED = {"content-type": "application/cloudevents+json"}


def _structured_reply(name: str, status: int) -> Case:
    return Case(name, status, _structured(name), STRUCTURED, reply=True)


def _binary_reply(name: str, status: int) -> Case:
    return Case(name, status, json.dumps({"case": name}).encode(), _binary_headers(name), reply=True)


def _given_up_at_once(status: int) -> Case:
    letter = DeadLetter(status, data=base64.b64encode(ERROR_BODY))
    return Case(f"status-{status}", status, ERROR_BODY, dead_letter=letter)


def _retried(status: int, name: str = "", headers: Mapping[str, str] | None = None) -> Case:
    letter = DeadLetter(status, data=base64.b64encode(ERROR_BODY))
    return Case(name or f"status-{status}", status, ERROR_BODY, headers or {}, attempts=ATTEMPTS, dead_letter=letter)


CASES = (
    *(Case(f"empty-{status}", status) for status in (200, 201, 202, 204)),
    _structured_reply("structured-reply-200", 200),
    _structured_reply("structured-reply-202", 202),
    _binary_reply("binary-reply-200", 200),
    _binary_reply("binary-reply-202", 202),
    Case(
        "reply-without-id",
        200,
        _structured("reply-without-id", id=None),
        STRUCTURED,
        dead_letter=DeadLetter(400, Address.INGRESS),
    ),
    Case(
        "text-instead-of-reply",
        200,
        OK_TEXT,
        {"content-type": "text/plain"},
        attempts=ATTEMPTS,
        dead_letter=UNEXPLAINED,
    ),
    Case(
        "json-instead-of-reply",
        200,
        b'{"status": "ok"}',
        {"content-type": "application/json"},
        attempts=ATTEMPTS,
        dead_letter=UNEXPLAINED,
    ),
    Case("redirect-without-address", 301, dead_letter=DeadLetter(301)),
    *(
        Case(f"redirect-{status}", status, b"", {"location": f"/elsewhere/redirect-{status}"})
        for status in (301, 302, 303, 307, 308)
    ),
    *(_given_up_at_once(status) for status in (400, 401, 403, 410, 413, 415, 422, 425)),
    *(_retried(status) for status in (404, 408, 409, 429, 500, 501, 502, 503, 504)),
    *(_retried(status, f"retry-after-{status}", {"retry-after": "3"}) for status in (429, 503)),
    Case("never-answers", never_answers=True, attempts=ATTEMPTS, dead_letter=UNEXPLAINED),
)
