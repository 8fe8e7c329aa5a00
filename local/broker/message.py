"""A CloudEvent as the broker carries it: every attribute and every byte, whether it knows the type or not.

`shared.events` reads the events that are ours; a broker must hand on what it does not understand.
"""

import base64
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

Headers = list[tuple[bytes, bytes]]

_REQUIRED = ("id", "source", "type")
_ATTRIBUTE_NAME = re.compile(r"[a-z0-9]+")
_UNSENDABLE_CHARACTER = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_JSON_MEDIA_TYPE = re.compile(r"[\w.+-]+/(?:[\w.+-]+\+)?json", re.IGNORECASE)


class NotAnEvent(ValueError):
    """The message is no CloudEvent at all: neither content mode."""


class MalformedEvent(ValueError):
    """The message claims to be a CloudEvent and cannot be read as one."""


class InvalidEvent(ValueError):
    """The message is a readable CloudEvent that breaks the specification, such as one without an id."""


@dataclass(frozen=True)
class Message:
    """One CloudEvent 1.0: its attributes (extensions and `datacontenttype` among them) and its data as sent."""

    attributes: Mapping[str, str]
    data: bytes

    def with_attributes(self, changes: Mapping[str, str]) -> "Message":
        """The same event with attributes added or replaced."""
        return Message({**self.attributes, **changes}, self.data)

    def without(self, *names: str) -> "Message":
        """The same event without some attributes."""
        return Message({name: value for name, value in self.attributes.items() if name not in names}, self.data)

    def to_binary(self) -> tuple[Headers, bytes]:
        """Headers and body of the binary content mode. Like Knative, values are sent as they are, in UTF-8."""
        headers = [
            (f"ce-{name}".encode(), value.encode())
            for name, value in self.attributes.items()
            if name != "datacontenttype"
        ]
        media_type = self.attributes.get("datacontenttype")
        if media_type:
            headers.append((b"content-type", media_type.encode()))
        return headers, self.data

    def validate(self) -> "Message":
        """This event, if it keeps to CloudEvents 1.0. Raises InvalidEvent."""
        for name in _REQUIRED:
            if not self.attributes.get(name):
                raise InvalidEvent(f"the attribute {name} is missing")
        for name, value in self.attributes.items():
            if not _ATTRIBUTE_NAME.fullmatch(name):
                raise InvalidEvent("attribute names are lower-case letters and digits")
            if _UNSENDABLE_CHARACTER.search(value):
                raise InvalidEvent(f"the attribute {name} has control characters or halves of characters")
        return self


def parse(headers: Iterable[tuple[bytes, bytes]], body: bytes) -> Message:
    """Read a CloudEvent in either content mode, unvalidated. Raises NotAnEvent or MalformedEvent."""
    values = {name.decode("latin-1").lower(): _header_text(value) for name, value in headers}
    content_type = values.get("content-type", "")
    if content_type.lower().startswith("application/cloudevents"):
        return _structured(content_type, body)
    if "ce-specversion" in values:
        return _binary(values, body)
    raise NotAnEvent("neither ce-specversion nor a CloudEvents media type")


def _binary(headers: Mapping[str, str], body: bytes) -> Message:
    attributes = {name[3:]: value for name, value in headers.items() if name.startswith("ce-")}
    if headers.get("content-type"):
        attributes["datacontenttype"] = headers["content-type"]
    return _checked(Message(attributes, body))


def _structured(content_type: str, body: bytes) -> Message:
    if content_type.partition(";")[0].strip().lower() != "application/cloudevents+json":
        raise MalformedEvent(f"the format {content_type[:80]} is not supported")
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise MalformedEvent("the event is not JSON") from error
    if not isinstance(content, dict):
        raise MalformedEvent("the event is not a JSON object")
    members = {name: value for name, value in content.items() if name not in ("data", "data_base64")}
    attributes = {name: _text(value) for name, value in members.items() if value is not None}
    return _checked(Message(attributes, _data(content, attributes)))


def _checked(message: Message) -> Message:
    if message.attributes.get("specversion") != "1.0":
        raise MalformedEvent("only CloudEvents 1.0 are accepted")
    if "time" in message.attributes:
        try:
            datetime.fromisoformat(message.attributes["time"])
        except ValueError as error:
            raise MalformedEvent("the attribute time is not a time stamp") from error
    return message


def _data(content: Mapping[str, Any], attributes: dict[str, str]) -> bytes:
    if "data_base64" in content:
        try:
            return base64.b64decode(content["data_base64"], validate=True)
        except (ValueError, TypeError) as error:
            raise MalformedEvent("data_base64 is not base64") from error
    if content.get("data") is None:
        return b""
    media_type = attributes.setdefault("datacontenttype", "application/json").partition(";")[0].strip()
    if isinstance(content["data"], str) and not _JSON_MEDIA_TYPE.fullmatch(media_type):
        return _encoded(content["data"])
    return _encoded(json.dumps(content["data"], ensure_ascii=False, separators=(",", ":")))


def _encoded(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise MalformedEvent("the data have halves of characters") from error


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (str, int)):
        return str(value)
    raise MalformedEvent("an attribute is neither text, number nor truth value")


def _header_text(value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")
