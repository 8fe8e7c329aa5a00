"""Opaque cursors of keyset pagination: where a page begins, whatever was inserted or removed before it."""

import base64
import binascii
import json
from dataclasses import dataclass

from web.errors import InvalidCursor

Key = str | int


@dataclass(frozen=True)
class Cursor:
    """The row next to which the page lies: after it, or with `backwards` before it."""

    ordering: str
    value: Key
    id: str
    backwards: bool = False

    def encode(self) -> str:
        """The text that clients hand back."""
        content = json.dumps([self.ordering, self.value, self.id, self.backwards], separators=(",", ":"))
        return base64.urlsafe_b64encode(content.encode()).decode().rstrip("=")


def decode(text: str, *, ordering: str) -> Cursor:
    """Read a cursor of a list in this ordering. Raises InvalidCursor for anything else."""
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        found = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, binascii.Error, RecursionError) as error:
        raise InvalidCursor("the cursor is not one of this list") from error
    match found:
        case [str(found_ordering), str() | int() as value, str(row_id), bool(backwards)] if found_ordering == ordering:
            return Cursor(ordering, value, row_id, backwards)
    raise InvalidCursor("the cursor belongs to another list or ordering")
