"""What stands in an original's object metadata, so that a document can be made of the object alone (rules 1). Pure.

S3 takes two kilobytes of metadata, counted as they are sent. What does not fit is packed; what does not fit even then
is cut: first tags, then the title, at last the file name.
"""

import base64
import binascii
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote

from pydantic import ValidationError

from shared.events import RunOptions
from shared.metadata import Metadata, Value

MAX_BYTES = 1800
"""Of the two kilobytes; the rest is for what the store adds itself."""

_PACKED = "packed"
_LARGEST_UNPACKED_BYTES = 1 << 20
_SHORT_CHARACTERS = 60


@dataclass(frozen=True)
class Provenance:
    """How a file came in and what was asked for."""

    filename: str
    owner: str
    channel: str
    options: RunOptions = field(default_factory=RunOptions)
    title: str | None = None
    tags: tuple[str, ...] = ()
    force: bool = False

    @property
    def user_metadata(self) -> Metadata:
        """What the person set, as metadata."""
        title = Value[str](value=self.title, origin="user", locked=True) if self.title else None
        return Metadata(title=title, tags=tuple(Value[str](value=tag, origin="user", locked=True) for tag in self.tags))

    @property
    def locked(self) -> frozenset[str]:
        """The fields that the person set."""
        return frozenset(name for name, given in (("title", self.title), ("tags", self.tags)) if given)

    def to_metadata(self) -> dict[str, str]:
        """For the object, always within what S3 takes."""
        plain = self._fields()
        if _sent_bytes(plain) <= MAX_BYTES:
            return plain
        kept = self
        while _sent_bytes(packed := _packed(kept._fields())) > MAX_BYTES and kept.filename:
            kept = kept._cut()
        return packed

    def _fields(self) -> dict[str, str]:
        options = self.options.model_dump(mode="json", exclude_none=True)
        optional = {
            "options": json.dumps(options) if options else "",
            "title": self.title or "",
            "tags": json.dumps(self.tags, ensure_ascii=False) if self.tags else "",
            "force": "true" if self.force else "",
        }
        always = {"filename": self.filename, "owner": self.owner, "channel": self.channel}
        return always | {name: value for name, value in optional.items() if value}

    def _cut(self) -> "Provenance":
        if self.tags:
            return replace(self, tags=self.tags[:-1])
        if self.title and len(self.title) > _SHORT_CHARACTERS:
            return replace(self, title=self.title[: len(self.title) // 2])
        # The end of a name tells what kind of file it is.
        return replace(self, filename=self.filename[len(self.filename) // 4 + 1 :])


def provenance_of(metadata: Mapping[str, str]) -> Provenance | None:
    """What the metadata of an object tell; None for an object that says nothing of the kind."""
    found = _unpacked(metadata[_PACKED]) if _PACKED in metadata else dict(metadata)
    if "filename" not in found or not found.get("owner"):
        return None
    return Provenance(
        filename=found["filename"],
        owner=found["owner"],
        channel=found.get("channel", ""),
        options=_options(found.get("options", "")),
        title=found.get("title") or None,
        tags=_tags(found.get("tags", "")),
        force=found.get("force") == "true",
    )


def _sent_bytes(metadata: Mapping[str, str]) -> int:
    return sum(len(name) + len(quote(value)) for name, value in metadata.items())


def _packed(fields: Mapping[str, str]) -> dict[str, str]:
    compressed = zlib.compress(json.dumps(fields, ensure_ascii=False).encode(), 9)
    return {_PACKED: base64.urlsafe_b64encode(compressed).rstrip(b"=").decode()}


def _unpacked(value: str) -> dict[str, str]:
    try:
        compressed = base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))
        content = _json(zlib.decompressobj().decompress(compressed, _LARGEST_UNPACKED_BYTES).decode())
    except (binascii.Error, zlib.error, ValueError):
        return {}
    return {str(name): str(each) for name, each in content.items()} if isinstance(content, dict) else {}


def _options(text: str) -> RunOptions:
    try:
        return RunOptions.model_validate(_json(text) or {})
    except ValidationError:
        return RunOptions()


def _tags(text: str) -> tuple[str, ...]:
    found = _json(text)
    return tuple(str(tag) for tag in found if str(tag).strip()) if isinstance(found, list) else ()


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
