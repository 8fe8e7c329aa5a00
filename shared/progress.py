"""Which pages of a large scan were asked for and which are recognized, as a few ranges however many batches there are.

Pure. A batch counted twice changes nothing, and neither does the order, so that progress may be kept beside the events
instead of being counted over all of them each time.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from shared.events import Event, PagesRecognized, PagesRequested

Ranges = tuple[tuple[int, int], ...]
"""Ascending and apart from each other; both ends belong to a range."""

BATCHES = (PagesRequested.type, PagesRecognized.type)
"""The types of the events that tell of batches."""


@dataclass(frozen=True)
class Progress:
    """The pages asked for and the pages recognized."""

    asked: Ranges = ()
    ready: Ranges = ()

    @property
    def done(self) -> int | None:
        """How many pages are recognized; None where there are no batches."""
        return _count(self.ready) if self else None

    @property
    def total(self) -> int | None:
        """How many pages there are to recognize; None where there are no batches."""
        return _count(_united(self.asked + self.ready)) if self else None

    def __bool__(self) -> bool:
        return bool(self.asked or self.ready)

    def plus(self, events: Iterable[Event]) -> "Progress":
        """With what these events tell; those that tell of no batch are passed over."""
        asked, ready = list(self.asked), list(self.ready)
        for event in events:
            if event.type in BATCHES:
                (asked if event.type == PagesRequested.type else ready).append(_range(event))
        return Progress(_united(asked), _united(ready))

    def to_json(self) -> dict[str, Any] | None:
        """What `from_json` reads; None where there are no batches."""
        return {"asked": [list(r) for r in self.asked], "ready": [list(r) for r in self.ready]} if self else None

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> "Progress":
        """Read what `to_json` wrote."""
        return cls(*(tuple((first, last) for first, last in kept[name]) for name in ("asked", "ready")))


def _range(event: Event) -> tuple[int, int]:
    batch = event.payload["batch"]
    return batch["first"], batch["last"]


def _united(ranges: Iterable[tuple[int, int]]) -> Ranges:
    found: list[tuple[int, int]] = []
    for first, last in sorted(each for each in ranges if each[0] <= each[1]):
        if found and first <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(found[-1][1], last))
        else:
            found.append((first, last))
    return tuple(found)


def _count(ranges: Ranges) -> int:
    return sum(last - first + 1 for first, last in ranges)
