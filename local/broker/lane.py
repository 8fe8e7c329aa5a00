"""A queue of deliveries to one destination: what is due is started, as many at once as the destination can take.

Without anything to do it sleeps; there is no polling.
"""

import asyncio
import heapq
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

logger = logging.getLogger(__name__)

_BROKEN_OFF_SECONDS = 30.0
"""The pause after an attempt that ended in an error of our own; it is not counted as an answer."""


@dataclass(order=True, slots=True)
class Entry:
    """One delivery that waits. `due` by the event loop's clock, `failures` so far."""

    due: float
    delivery_id: int
    failures: int = field(compare=False)


class Lane:
    """The deliveries to one destination, in the order in which they fall due."""

    def __init__(self, name: str, limit: int, attempt: Callable[[Entry], Awaitable[None]]) -> None:
        self._name = name
        self._limit = limit
        self._attempt = attempt
        self._waiting: list[Entry] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._open = True

    def __len__(self) -> int:
        return len(self._waiting) + len(self._tasks)

    def push(self, delivery_id: int, failures: int, pause_seconds: float) -> None:
        """Add a delivery that is due after a pause."""
        due = asyncio.get_running_loop().time() + pause_seconds
        heapq.heappush(self._waiting, Entry(due, delivery_id, failures))
        self._start_due()

    def stop(self) -> set[asyncio.Task[None]]:
        """Start nothing more. Returns the attempts under way."""
        self._open = False
        if self._timer:
            self._timer.cancel()
        return self._tasks

    def _start_due(self) -> None:
        loop = asyncio.get_running_loop()
        if self._timer:
            self._timer.cancel()
            self._timer = None
        while self._open and self._waiting and len(self._tasks) < self._limit:
            if self._waiting[0].due > loop.time():
                self._timer = loop.call_at(self._waiting[0].due, self._start_due)
                return
            self._start(heapq.heappop(self._waiting))

    def _start(self, entry: Entry) -> None:
        task = asyncio.get_running_loop().create_task(self._run(entry))
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._ended(done, entry))

    async def _run(self, entry: Entry) -> None:
        await self._attempt(entry)

    def _ended(self, task: asyncio.Task[None], entry: Entry) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error:
            logger.error("a delivery to %s broke off", self._name, exc_info=error)
            self.push(entry.delivery_id, entry.failures, _BROKEN_OFF_SECONDS)
        else:
            self._start_due()
