"""What a dead letter tells: how the last delivery of its event ended, in words, and what to do next. Pure.

Knative says little: the last answer's status and body, neither for a time-out or an answer that it could not read, and
never how often it tried. So nothing more is told than is known, and of an error body only our own code and sentence.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from shared.documents import Step

STEP_OF_TRIGGER = {"convert": Step.CONVERT, "ocr": Step.OCR, "ocr-pages": Step.OCR, "enrich": Step.ENRICH}
"""The triggers whose letters mark a document: index never holds one up, record's own letters are projected (rules 18).
"""

MAX_MESSAGE_CHARACTERS = 500
MAX_CODE_CHARACTERS = 40

_HELD, _THROTTLED = 409, 429
_RETRIED = frozenset({404, 408, _HELD, _THROTTLED})
_DOWN = frozenset({502, 503, 504})
_UNREADABLE = frozenset({400, 413, 415, 422})
_FORBIDDEN = frozenset({401, 403, 407})


class LetterState(StrEnum):
    """What became of a letter."""

    OPEN = "open"
    REPLAYED = "replayed"
    """Its event was sent again; how that ends is not known yet."""
    CLOSED = "closed"
    """Its step has passed since, or nothing is to be done for it any more."""
    DISCARDED = "discarded"
    PURGED = "purged"


UNSETTLED = (LetterState.OPEN.value, LetterState.REPLAYED.value)


@dataclass(frozen=True)
class Ending:
    """How the last delivery ended. `status` is None where no answer came in time, or none that could be read."""

    status: int | None = None
    code: str | None = None
    message: str | None = None


def ending_of(attributes: Mapping[str, Any]) -> Ending:
    """Read the error attributes of a dead letter; any of them may be missing or be anything."""
    status = str(attributes.get("knativeerrorcode", ""))
    body = _error_body(attributes.get("knativeerrordata"))
    return Ending(
        int(status) if status.isascii() and status.isdecimal() and len(status) == 3 else None,
        _text(body.get("code"), MAX_CODE_CHARACTERS),
        _text(body.get("message"), MAX_MESSAGE_CHARACTERS),
    )


def tried_since(attributes: Mapping[str, Any]) -> datetime | None:
    """When the broker took the event in, and so began to deliver it."""
    try:
        found = datetime.fromisoformat(str(attributes.get("knativearrivaltime", "")))
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def cause(trigger: str, ending: Ending, tried: timedelta | None = None) -> str:
    """One sentence on what happened, for a person; `tried` is how long the deliveries took in all."""
    said = f": {ending.message.rstrip('.')}." if ending.message else "."
    service = service_of(trigger)
    if ending.status is None:
        return f"{service} gave no answer in time, or none that could be read,{_each_time(tried)}."
    if ending.status in _UNREADABLE:
        return f"{service} could not work with the event and refused it with {ending.status}{said}"
    if ending.status in _FORBIDDEN or 300 <= ending.status < 400:
        return f"{service} was not let to answer ({ending.status}){said}"
    times = _each_time(tried) if ending.status in _RETRIED or ending.status >= 500 else ""
    return f"{service} answered {ending.status}{_MEANING.get(ending.status, '')}{times}{said}"


def hint(trigger: str, ending: Ending) -> str:
    """One sentence on what to do next."""
    service = service_of(trigger)
    match ending.status:
        case None:
            return (
                f"Try again; if it happens again, the log of {service} tells more, and more time or memory may be what "
                "it needs."
            )
        case status if status in _DOWN:
            return f"Try again when what {service} depends on answers again."
        case 429:
            return "Try again later, a few at a time, or raise the limit that was met."
        case 409:
            return "Somebody else was at work on it all that time; try again if it has not gone on since."
        case 404:
            return f"Check that {service} is running in this release, then try again."
        case status if status in _UNREADABLE:
            return f"The same event gets the same answer until {service} is updated; start a new run, or discard it."
        case status if status in _FORBIDDEN or 300 <= status < 400:
            return f"Check what stands between the broker and {service}, then try again."
    return f"The log of {service} tells more; try again, and tell the operator if it happens again."


def service_of(trigger: str) -> str:
    """Who a trigger delivers to."""
    return "ocr" if trigger == "ocr-pages" else trigger


_MEANING = {
    404: " (nothing is there)",
    _HELD: " (somebody else is doing this work)",
    _THROTTLED: " (too many requests)",
    500: " (a fault of its own)",
    502: " (it could not be reached)",
    503: " (something it depends on did not answer)",
    504: " (it took too long)",
}


def _each_time(tried: timedelta | None) -> str:
    if tried is None or tried < timedelta(0):
        return " each time it was asked"
    return f" each time it was asked within {_duration(tried)}"


def _duration(span: timedelta) -> str:
    seconds = max(1, round(span.total_seconds()))
    for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= 2 * length:
            return f"{round(seconds / length)} {unit}s"
    return f"{seconds} second{'s' if seconds > 1 else ''}"


def _error_body(data: Any) -> Mapping[str, Any]:
    try:
        found = json.loads(base64.b64decode(str(data), validate=True))
    except (binascii.Error, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _text(value: Any, most: int) -> str | None:
    """One line that any database takes and any terminal shows; None for anything but text."""
    if not isinstance(value, str):
        return None
    line = "".join(character if character.isprintable() else " " for character in value)
    return " ".join(line.split())[:most] or None
