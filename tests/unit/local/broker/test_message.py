import json

import pytest

from local.broker.message import InvalidEvent, MalformedEvent, Message, NotAnEvent, parse

BINARY = [
    (b"ce-specversion", b"1.0"),
    (b"ce-id", b"1"),
    (b"ce-source", b"/s"),
    (b"ce-type", b"t"),
    (b"ce-anything", b"kept"),
    (b"content-type", b"text/plain"),
]
STRUCTURED = [(b"content-type", b"application/cloudevents+json; charset=utf-8")]
EVENT = {"specversion": "1.0", "id": "1", "source": "/s", "type": "t"}


def structured(**members: object) -> Message:
    return parse(STRUCTURED, json.dumps(EVENT | members).encode())


def test_binary_event_comes_back_as_it_was() -> None:
    headers, body = parse(BINARY, b"hello").to_binary()
    assert sorted(headers) == sorted(BINARY)
    assert body == b"hello"


def test_structured_event_becomes_binary() -> None:
    headers, body = structured(data={"ü": 1}, count=3, flag=True, nothing=None).to_binary()
    assert dict(headers)[b"ce-count"] == b"3"
    assert dict(headers)[b"ce-flag"] == b"true"
    assert b"ce-nothing" not in dict(headers)
    assert dict(headers)[b"content-type"] == b"application/json"
    assert json.loads(body) == {"ü": 1}


@pytest.mark.parametrize(
    ("members", "data"),
    [
        ({}, b""),
        ({"data": "text"}, b'"text"'),
        ({"data": "text", "datacontenttype": "text/plain"}, b"text"),
        ({"data": "text", "datacontenttype": "application/x+json"}, b'"text"'),
        ({"data_base64": "AAE="}, b"\x00\x01"),
    ],
)
def test_structured_data(members: dict[str, object], data: bytes) -> None:
    assert structured(**members).data == data


def test_utf8_in_a_header_survives() -> None:
    message = parse([*BINARY, (b"ce-subject", "žluť".encode())], b"")
    assert message.attributes["subject"] == "žluť"
    assert (b"ce-subject", "žluť".encode()) in message.to_binary()[0]


@pytest.mark.parametrize("headers", [[], [(b"content-type", b"application/json")]])
def test_what_claims_nothing_is_no_event(headers: list[tuple[bytes, bytes]]) -> None:
    with pytest.raises(NotAnEvent):
        parse(headers, b"{}")


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (STRUCTURED, b"no json"),
        (STRUCTURED, b"[]"),
        (STRUCTURED, b'{"id": "1"}'),
        (STRUCTURED, json.dumps(EVENT | {"specversion": "9.9"}).encode()),
        (STRUCTURED, json.dumps(EVENT | {"time": "yesterday"}).encode()),
        (STRUCTURED, json.dumps(EVENT | {"extension": {}}).encode()),
        (STRUCTURED, json.dumps(EVENT | {"data_base64": "?"}).encode()),
        ([(b"content-type", b"application/cloudevents-batch+json")], b"[]"),
        ([(b"ce-specversion", b"0.1")], b""),
    ],
)
def test_what_cannot_be_read_is_malformed(headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    with pytest.raises(MalformedEvent):
        parse(headers, body)


@pytest.mark.parametrize(
    "changes", [{"id": None}, {"source": ""}, {"type": None}, {"Bad_Name": "x"}, {"extension": "a\nb"}]
)
def test_what_breaks_the_specification_is_invalid(changes: dict[str, object]) -> None:
    with pytest.raises(InvalidEvent):
        structured(**changes).validate()


@pytest.mark.parametrize("members", [{"data": "\ud800"}, {"data": "\ud800", "datacontenttype": "text/plain"}])
def test_data_with_half_a_character_are_malformed(members: dict[str, object]) -> None:
    with pytest.raises(MalformedEvent):
        structured(**members)


def test_an_attribute_with_half_a_character_is_invalid() -> None:
    with pytest.raises(InvalidEvent):
        structured(subject="\ud800").validate()


def test_json_nested_too_deep_is_malformed() -> None:
    with pytest.raises(MalformedEvent):
        parse(STRUCTURED, b"[" * 100_000)
