"""Reads what object stores and their messengers send when an object was written. Pure; nothing here is believed.

Known are the records of S3, MinIO and Ceph, EventBridge's form, S3 CloudEvents (cloudevents/spec: adapters/aws-s3.md),
and the envelopes of SNS and SQS around them.
"""

import base64
import binascii
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus

from pydantic_core import from_json

MAX_OBJECTS = 1000
"""In one request; SQS hands at most ten messages over, S3 puts one record into each."""

_MOST_ENVELOPES = 4
_CLOUD_EVENT_PREFIX = "com.amazonaws.s3."
_NO_NEW_BYTES = ("PutTagging", "DeleteTagging", "PutRetention", "PutLegalHold", "PutACL")
"""MinIO counts these among `ObjectCreated`."""


class UnknownNotification(Exception):
    """The content is none of the known forms, or there are too many objects in it."""


@dataclass(frozen=True)
class NamedObject:
    """An object that a notification names. `keys` are the ways to read its key, the likeliest first."""

    bucket: str
    keys: tuple[str, ...]
    size: int | None = None
    etag: str | None = None
    version_id: str | None = None
    sequencer: str | None = None


@dataclass(frozen=True)
class Notification:
    """What a request tells: objects that were written, how much else, and whether all of it was a test."""

    objects: tuple[NamedObject, ...]
    others: int = 0
    is_test: bool = False


class _Test:
    """Sent when a notification is set up."""


class _Other:
    """An event that is not about new bytes, or part of a message that nobody can read."""


_Part = NamedObject | _Test | _Other


def read_notification(content: object, event_type: str = "") -> Notification:
    """What the decoded JSON tells; `event_type` is a CloudEvent's, where headers carry it. Raises UnknownNotification.

    Only the outermost form has to be known: a sender with a queue would repeat a message with one odd part for ever.
    """
    parts = []
    for part in _parts(content, event_type, 0):
        parts.append(part)
        if len(parts) > MAX_OBJECTS:
            raise UnknownNotification(f"more than {MAX_OBJECTS} records in one request")
    objects = tuple(part for part in parts if isinstance(part, NamedObject))
    tests = sum(isinstance(part, _Test) for part in parts)
    return Notification(objects, len(parts) - len(objects) - tests, is_test=0 < tests == len(parts))


def decoded(body: bytes | str) -> Any:
    """JSON as Python has it. Raises ValueError, also where it is nested too deeply to be one of ours."""
    # Stricter than the standard library, and safe against depth.
    return from_json(body, allow_inf_nan=False)


def _parts(content: Any, event_type: str, depth: int) -> Iterator[_Part]:
    match content:
        case {"Records": list(items)} | {"Messages": list(items)} | [*items]:
            for item in items:
                yield from _inner(item, event_type, depth)
        case {"Event": "s3:TestEvent"}:
            yield _Test()
        case {"s3": {"bucket": {"name": str(bucket)}, "object": {"key": str(key), **about}}}:
            yield _record(content, event_type, bucket, key, about)
        case {"source": "aws.s3", "detail-type": str(kind), "detail": dict(detail)}:
            yield _event_bridge(kind, detail)
        case {"specversion": str(), "type": str(kind)}:
            yield from _cloud_event(content, kind, depth)
        case {"Type": "Notification", "Message": str(text)} | {"body": str(text)} | {"Body": str(text)}:
            yield from _message(text, depth)
        case {"Sns": dict(message)}:
            yield from _inner(message, "", depth)
        case _:
            raise UnknownNotification("no notification of an object store")


def _inner(content: Any, event_type: str, depth: int) -> Iterator[_Part]:
    if depth >= _MOST_ENVELOPES:
        yield _Other()
        return
    try:
        # A form is known or not before its first part comes; what is inside of it never raises.
        yield from _parts(content, event_type, depth + 1)
    except UnknownNotification:
        yield _Other()


def _message(text: str, depth: int) -> Iterator[_Part]:
    try:
        content = decoded(text)
    except ValueError:
        yield _Other()
        return
    yield from _inner(content, "", depth)


def _cloud_event(content: Mapping[str, Any], kind: str, depth: int) -> Iterator[_Part]:
    if not kind.startswith(_CLOUD_EVENT_PREFIX):
        yield _Other()
    elif isinstance(packed := content.get("data_base64"), str):
        try:
            yield from _message(base64.b64decode(packed, validate=True).decode(), depth)
        except (binascii.Error, ValueError):
            yield _Other()
    else:
        yield from _inner(content.get("data"), kind, depth)


def _record(record: Mapping[str, Any], event_type: str, bucket: str, key: str, about: Mapping[Any, Any]) -> _Part:
    name = record.get("eventName") or event_type
    if not isinstance(name, str) or not _is_creation(name.removeprefix(_CLOUD_EVENT_PREFIX).removeprefix("s3:")):
        return _Other()
    # URL-encoded as in a form says S3's specification; Ceph was seen to leave it as it is.
    keys = [unquote_plus(key), key]
    if str(record.get("eventSource")).startswith("ceph"):
        keys.reverse()
    return _named(bucket, tuple(dict.fromkeys(keys)), about, etag="eTag", version="versionId")


def _event_bridge(kind: str, detail: Any) -> _Part:
    match detail:
        case {"bucket": {"name": str(bucket)}, "object": {"key": str(key), **about}} if kind == "Object Created":
            return _named(bucket, (key,), about, etag="etag", version="version-id")
    return _Other()


def _is_creation(name: str) -> bool:
    kind, _, how = name.partition(":")
    return kind == "ObjectCreated" and how not in _NO_NEW_BYTES


def _named(bucket: str, keys: Sequence[str], about: Mapping[Any, Any], *, etag: str, version: str) -> NamedObject:
    size, version_id = about.get("size"), _text(about.get(version))
    return NamedObject(
        bucket=bucket,
        keys=tuple(keys),
        size=size if type(size) is int and size >= 0 else None,
        etag=(_text(about.get(etag)) or "").strip('"') or None,
        # "null" is the name of what was written while versioning was off.
        version_id=None if version_id == "null" else version_id,
        sequencer=_text(about.get("sequencer")),
    )


def _text(value: object) -> str | None:
    return value[:1024] if isinstance(value, str) and value else None
