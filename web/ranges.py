"""Conditional and range requests (RFC 9110 §13, §14) on bytes with a strong ETag. Pure."""

import re
from dataclasses import dataclass

from web.errors import RangeNotSatisfiable

_SINGLE = re.compile(r"bytes=\s*(\d{0,18})\s*-\s*(\d{0,18})\s*", re.IGNORECASE)
_TAG = re.compile(r'(?:W/)?("[^"]*")')


@dataclass(frozen=True)
class ByteRange:
    """Bytes `first` to `last`, both included, of `size`."""

    first: int
    last: int
    size: int

    @property
    def length(self) -> int:
        """How many bytes that is."""
        return self.last - self.first + 1

    @property
    def content_range(self) -> str:
        """The header of a 206."""
        return f"bytes {self.first}-{self.last}/{self.size}"


def requested_range(header: str | None, if_range: str | None, etag: str, size: int) -> ByteRange | None:
    """The range to answer with; None for the whole.

    Malformed and multiple ranges are ignored, which RFC 9110 §14.2 allows: nobody is made to send the same bytes ten
    thousand times. Raises RangeNotSatisfiable for a range behind the end.
    """
    if header is None or (if_range is not None and if_range.strip() != etag):
        return None
    match = _SINGLE.fullmatch(header)
    if match is None or match[1] == match[2] == "":
        return None
    first, last = _bounds(match[1], match[2], size)
    if match[1] and match[2] and int(match[2]) < int(match[1]):
        return None
    if first >= size or last < first:
        raise RangeNotSatisfiable("The range lies behind the end.", headers={"Content-Range": f"bytes */{size}"})
    return ByteRange(first, last, size)


def is_unchanged(if_none_match: str | None, etag: str) -> bool:
    """Whether the client has these bytes already (weak comparison)."""
    if if_none_match is None:
        return False
    return if_none_match.strip() == "*" or etag in _TAG.findall(if_none_match[:10_000])


def _bounds(first: str, last: str, size: int) -> tuple[int, int]:
    if not first:
        return max(0, size - int(last)), size - 1
    return int(first), min(int(last), size - 1) if last else size - 1
