"""Remembers what was ordered from a recognition service: whoever comes after a crash asks for the result, and does not
pay for it again.

Each order is a create-only object `operation-<unit>-<n>.json` beside the unit's leases; the last one counts.
"""

import logging
from contextlib import suppress

from shared.documents import Frozen
from shared.errors import ObjectExists, ObjectNotFound, Throttled, Unavailable
from shared.results import JSON, Work

_log = logging.getLogger(__name__)


class Order(Frozen):
    """What stands in such an object."""

    operation: str


class StoredOperations:
    """The orders of one unit of a document's work. Only the holder of the unit's lease adds to them."""

    def __init__(self, work: Work, unit: str) -> None:
        self._store = work.store
        self._prefix = f"{work.prefix}operation-{unit}-"

    @property
    def orders(self) -> tuple[str, ...]:
        """The operations ordered so far, the last one last."""
        keys = sorted((info.key for info in self._store.list(self._prefix)), key=self._number)
        found: list[str] = []
        for key in keys:
            with suppress(ObjectNotFound):
                found.append(Order.model_validate_json(self._store.get(key)).operation)
        return tuple(found)

    def remember(self, operation: str) -> None:
        """Keep one more order. A store that is away costs the memory, not the result that is under way."""
        body = Order(operation=operation).model_dump_json().encode()
        try:
            number = 1 + max((self._number(info.key) for info in self._store.list(self._prefix)), default=0)
            self._store.put(f"{self._prefix}{number}.json", body, media_type=JSON, create_only=True)
        except (Unavailable, Throttled, ObjectExists) as error:
            _log.warning("an order at the recognition service could not be remembered: %s", error)

    def _number(self, key: str) -> int:
        digits = key.removeprefix(self._prefix).removesuffix(".json")
        return int(digits) if digits.isdecimal() else 0
