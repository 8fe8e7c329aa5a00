import base64

import pytest

from local.broker.message import InvalidEvent, Message
from local.broker.rules import (
    MAX_ERROR_DATA_BYTES,
    PARKED_SECONDS,
    Answer,
    Attempt,
    Done,
    GiveUp,
    TryAgain,
    for_subscriber,
    judge,
    judge_dead_letter,
    on_arrival,
    redirected,
)
from local.manifests import Delivery

EVENT = Message({"specversion": "1.0", "id": "1", "source": "/s", "type": "t"}, b"{}")
DELIVERY = Delivery(
    retry=3, backoff_policy="exponential", backoff_delay_seconds=0.5, timeout_seconds=5, dead_letter_sink=None
)
REPLY = [(b"ce-specversion", b"1.0"), (b"ce-id", b"2"), (b"ce-source", b"/s"), (b"ce-type", b"u")]


def attempt(failures: int = 0, ttl: str = "255") -> Attempt:
    stored = EVENT.with_attributes({"knativebrokerttl": ttl})
    return Attempt(stored, failures, "http://subscriber", "http://ingress")


def test_exponential_gaps_double_from_the_delay() -> None:
    assert [DELIVERY.gap_seconds(attempts) for attempts in (1, 2, 3)] == [0.5, 1, 2]
    assert DELIVERY.window_seconds == 3.5


def test_linear_gaps_begin_with_none() -> None:
    linear = Delivery(3, "linear", 0.5, 5, None)
    assert [linear.gap_seconds(attempts) for attempts in (1, 2, 3)] == [0, 0.5, 1]


def test_each_failure_waits_longer_until_the_retries_are_used_up() -> None:
    verdicts = [judge(attempt(failures), Answer(503, [], b""), DELIVERY) for failures in range(4)]
    assert verdicts[:3] == [TryAgain(0.5), TryAgain(1), TryAgain(2)]
    assert isinstance(verdicts[3], GiveUp)


def test_silence_is_given_up_without_a_reason() -> None:
    assert judge(attempt(3), None, DELIVERY) == GiveUp({})


def test_long_error_bodies_are_cut() -> None:
    verdict = judge(attempt(), Answer(400, [], b"x" * 5000), DELIVERY)
    assert isinstance(verdict, GiveUp)
    assert base64.b64decode(verdict.attributes["knativeerrordata"]) == b"x" * MAX_ERROR_DATA_BYTES


def test_reply_counts_down() -> None:
    verdict = judge(attempt(ttl="7"), Answer(200, REPLY, b""), DELIVERY)
    assert isinstance(verdict, Done) and verdict.reply is not None
    assert on_arrival(verdict.reply, "now").attributes["knativebrokerttl"] == "6"


def test_endless_chain_of_replies_ends_as_a_dead_letter() -> None:
    verdict = judge(attempt(ttl="1"), Answer(200, REPLY, b""), DELIVERY)
    assert verdict == GiveUp({"knativeerrordest": "http://ingress", "knativeerrorcode": "400"})


def test_reply_cannot_reset_the_count() -> None:
    verdict = judge(attempt(ttl="1"), Answer(200, [*REPLY, (b"ce-knativebrokerttl", b"255")], b""), DELIVERY)
    assert isinstance(verdict, GiveUp)


def test_new_event_starts_the_count() -> None:
    arrived = on_arrival(EVENT, "now")
    assert arrived.attributes["knativebrokerttl"] == "255"
    assert arrived.attributes["knativearrivaltime"] == "now"
    assert "knativebrokerttl" not in for_subscriber(arrived).attributes


def test_event_with_a_broken_count_is_refused() -> None:
    with pytest.raises(InvalidEvent):
        on_arrival(EVENT.with_attributes({"knativebrokerttl": "many"}), "now")


@pytest.mark.parametrize("answer", [None, Answer(503, [], b""), Answer(422, [], b"")])
def test_dead_letter_that_nobody_takes_is_kept(answer: Answer | None) -> None:
    assert judge_dead_letter(3, answer, DELIVERY) == TryAgain(PARKED_SECONDS)


def test_dead_letter_is_offered_again_soon_at_first() -> None:
    assert judge_dead_letter(0, Answer(503, [], b""), DELIVERY) == TryAgain(0.5)


def test_reply_to_a_dead_letter_is_ignored() -> None:
    assert judge_dead_letter(0, Answer(200, REPLY, b""), DELIVERY) == Done()


@pytest.mark.parametrize(
    ("status", "location", "followed"),
    [
        (301, b"/b?x=1", ("GET", "/b?x=1")),
        (303, b"http://ocr/b", ("GET", "/b")),
        (307, b"b", ("POST", "/b")),
        (308, b"http://ocr", ("POST", "/")),
        (307, b"http://elsewhere/b", None),
        (304, b"/b", None),
        (200, b"/b", None),
    ],
)
def test_redirects_are_followed_to_the_same_host(
    status: int, location: bytes, followed: tuple[str, str] | None
) -> None:
    assert redirected(Answer(status, [(b"Location", location)], b""), "http://ocr/a") == followed


def test_a_redirect_without_an_address_leads_nowhere() -> None:
    assert redirected(Answer(301, [], b""), "http://ocr/a") is None
