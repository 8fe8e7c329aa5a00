"""What dead letters say: never more than is known, never anything but our own words or the step's own sentence."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.letters import Ending, cause, ending_of, hint, tried_since


def data(body: Any) -> str:
    return base64.b64encode(body if isinstance(body, bytes) else json.dumps(body).encode()).decode()


def test_the_error_body_is_read() -> None:
    body = data({"code": "unavailable", "message": "the database does not answer"})
    found = ending_of({"knativeerrorcode": "503", "knativeerrordata": body})
    assert found == Ending(503, "unavailable", "the database does not answer")


def test_a_time_out_has_no_error_attributes() -> None:
    """rules 18."""
    assert ending_of({}) == Ending()


@pytest.mark.parametrize(
    "value",
    [
        "",
        "no base64!",
        data(b"\xff\xfe"),
        data(b"Traceback (most recent call last): secret"),
        data(b'{"code": "cut'),
        data([1]),
        data({"code": 7, "message": ["x"]}),
        data("[" * 700),
        7,
        None,
    ],
)
def test_any_other_body_is_not_told(value: Any) -> None:
    assert ending_of({"knativeerrorcode": "500", "knativeerrordata": value}) == Ending(500)


@pytest.mark.parametrize("status", ["", "50", "5000", "abc", "٥٠٣", "-50"])
def test_a_status_that_is_none(status: str) -> None:
    assert ending_of({"knativeerrorcode": status}).status is None


def test_messages_are_one_short_line() -> None:
    found = ending_of({"knativeerrordata": data({"code": "c" * 99, "message": "a\n\x1b[31m\x00b " + "x" * 999})})
    assert found.message is not None and found.message.startswith("a [31m b x") and len(found.message) == 500
    assert found.code == "c" * 40


@pytest.mark.parametrize(
    ("time", "found"),
    [
        ("2026-03-01T12:00:00.123456789Z", datetime(2026, 3, 1, 12, 0, 0, 123456, UTC)),
        ("2026-03-01T13:00:00+01:00", datetime(2026, 3, 1, 12, tzinfo=UTC)),
        ("2026-03-01T12:00:00", datetime(2026, 3, 1, 12, tzinfo=UTC)),
        ("", None),
        ("soon", None),
        ("0001-01-01T00:00:00+23:00", None),
    ],
)
def test_since_when_it_was_tried(time: str, found: datetime | None) -> None:
    assert tried_since({"knativearrivaltime": time}) == found


@pytest.mark.parametrize(
    ("ending", "tried", "sentence"),
    [
        (
            Ending(503, "unavailable", "the engine does not answer"),
            timedelta(minutes=20),
            "ocr answered 503 (something it depends on did not answer) each time it was asked within 20 minutes: "
            "the engine does not answer.",
        ),
        (
            Ending(),
            timedelta(hours=3),
            "ocr gave no answer in time, or none that could be read, each time it was asked within 3 hours.",
        ),
        (Ending(500), None, "ocr answered 500 (a fault of its own) each time it was asked."),
        (
            Ending(422, "invalid_event", "pdf: Field required"),
            timedelta(seconds=1),
            "ocr could not work with the event and refused it with 422: pdf: Field required.",
        ),
        (Ending(418), timedelta(seconds=1), "ocr answered 418."),
        (Ending(403), None, "ocr was not let to answer (403)."),
    ],
)
def test_causes_are_sentences(ending: Ending, tried: timedelta | None, sentence: str) -> None:
    assert cause("ocr-pages", ending, tried) == sentence


@pytest.mark.parametrize("status", [None, 301, 400, 401, 404, 408, 409, 413, 415, 418, 422, 429, 500, 502, 503, 504])
@pytest.mark.parametrize("trigger", ["ingest", "convert", "ocr", "ocr-pages", "enrich", "index", "record", "another"])
def test_every_ending_has_a_cause_and_a_next_step(trigger: str, status: int | None) -> None:
    for sentence in (cause(trigger, Ending(status), timedelta(days=3)), hint(trigger, Ending(status))):
        assert sentence[-1] == "." and ".." not in sentence and "  " not in sentence and "None" not in sentence
