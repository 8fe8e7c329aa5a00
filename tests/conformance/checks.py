"""What the conformance table asserts of one run of all its cases, whichever broker it was.

A test module imports these tests and gives them a fixture `run`.
"""

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from tests.conformance.cases import CASES, Address, Case


@dataclass(frozen=True)
class Run:
    """What one run of the whole table showed."""

    observations: Sequence[Mapping[str, Any]]
    statuses: Mapping[str, int]
    subscriber_url: str
    broker_url: str
    namespace: str
    backoff_seconds: float

    def of(self, kind: str, case: Case) -> list[Mapping[str, Any]]:
        """What arrived of this kind for this case."""
        return [seen for seen in self.observations if seen["kind"] == kind and seen["case"] == case.name]


def event_headers(case: Case) -> dict[str, str]:
    """The event that a case begins with; its body is EVENT_BODY."""
    return {
        "ce-specversion": "1.0",
        "ce-id": f"event-{case.name}",
        "ce-source": "/conformance",
        "ce-type": f"conformance.{case.name}",
        "ce-subject": case.name,
        "ce-runid": "run-1",
        "content-type": "application/json",
    }


EVENT_BODY = '{"n":1}'
FOLLOWED = {
    **dict.fromkeys((301, 302, 303), (("GET", ""),)),
    **dict.fromkeys((307, 308), (("POST", EVENT_BODY),)),
}

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
    assert all(gap >= 0.99 * run.backoff_seconds * units for gap, units in zip(gaps, case.gaps, strict=True))


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
        assert seen["body"] == EVENT_BODY
        assert seen["headers"]["ce-knativebrokerttl"] == "255"
        assert "ce-knativearrivaltime" in seen["headers"]


@each_case
def test_delivered_event_carries_the_headers_of_knative(run: Run, case: Case) -> None:
    for seen in run.of("cases", case):
        assert seen["headers"]["prefer"] == "reply"
        assert seen["headers"]["kn-namespace"] == run.namespace
        assert "ce-knativearrivaltime" in seen["headers"]
        assert "ce-knativebrokerttl" not in seen["headers"]
        assert seen["headers"]["ce-runid"] == "run-1"


@each_case
def test_redirects_are_followed(run: Run, case: Case) -> None:
    """As a GET without the event after 301 to 303: whoever answers that has then taken the event."""
    followed = [(seen["method"], seen["body"]) for seen in run.of("elsewhere", case)]
    assert followed == (list(FOLLOWED[case.status]) if "location" in case.headers else [])
