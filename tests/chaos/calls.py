"""One counter over everything that leaves the process: object store, database, broker, search, engines, files.

Each call has a number. At the number that a test names, the process dies before the call or after it, or the call ends
in an error: refused (it never happened) or cut (it happened, and nobody was told).
"""

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

CRASHED = 137
"""The exit status of a process that was killed with SIGKILL, as shells report it."""

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_PATHS = {
    "os.rename": (0, 1),
    "os.link": (0, 1),
    "os.remove": (0,),
    "os.mkdir": (0,),
    "os.rmdir": (0,),
    "os.truncate": (0,),
}
_PROCESSES = frozenset({"subprocess.Popen", "os.fork", "os.posix_spawn"})

Error = Callable[[], Exception]


class Fault(StrEnum):
    """What happens at the call."""

    CRASH_BEFORE = "crash before"
    CRASH_AFTER = "crash after"
    REFUSED = "refused"
    CUT = "cut"
    GONE = "gone"
    """A read finds nothing, although something is there."""


@dataclass
class Calls:
    """Counts the calls of one process while armed. `made` keeps their names, in order."""

    target: int | None = None
    fault: Fault = Fault.CRASH_BEFORE
    armed: bool = False
    made: list[str] = field(default_factory=list)
    fired: str | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def call(self, name: str, error: Error) -> Iterator[None]:
        """Around one outside call. `error` is what its adapter raises when it fails."""
        number = self.enter(name, error)
        yield
        self.leave(number, error)

    def enter(self, name: str, error: Error) -> int:
        """Before a call; its number, 0 where nothing is counted."""
        if not self.armed:
            return 0
        with self._lock:
            self.made.append(name)
            number = len(self.made)
        if number == self.target:
            self._strike(Fault.CRASH_BEFORE, name)
            if self.fault is Fault.REFUSED:
                self.fired = name
                raise error()
        return number

    def leave(self, number: int, error: Error) -> None:
        """After the call with this number."""
        if not self.armed or number == 0 or number != self.target:
            return
        name = self.made[number - 1]
        self._strike(Fault.CRASH_AFTER, name)
        if self.fault is Fault.CUT:
            self.fired = name
            raise error()

    def is_gone(self, number: int) -> bool:
        """Whether the read with this number is to find nothing."""
        if self.armed and number and number == self.target and self.fault is Fault.GONE:
            self.fired = self.made[number - 1]
            return True
        return False

    @contextmanager
    def counting(self) -> Iterator["Calls"]:
        """Count, and let happen what is to happen, within the context."""
        self.armed = True
        try:
            yield self
        finally:
            self.armed = False

    def watch_files(self, *roots: Path) -> None:
        """Count what is done to files below the roots, and the processes that are started; there is no way back."""
        watched = tuple(str(root) for root in roots)

        def hook(name: str, arguments: tuple[Any, ...]) -> None:
            if self.armed and (told := _told(name, arguments, watched)):
                self.enter(told, lambda: OSError(28, "No space left on device"))

        sys.addaudithook(hook)

    def _strike(self, fault: Fault, name: str) -> None:
        if self.fault is fault:
            os._exit(CRASHED)


def _told(name: str, arguments: tuple[Any, ...], watched: tuple[str, ...]) -> str | None:
    """The name of a call that changes a file or starts a process, None for all others."""
    if name in _PROCESSES:
        return f"process {name}"
    if name == "open":
        path, _, flags = arguments
        if not isinstance(path, (str, bytes)) or not flags & _WRITING:
            return None
        return "file open" if _is_watched(path, watched) else None
    if name in _PATHS and any(_is_watched(arguments[place], watched) for place in _PATHS[name]):
        return f"file {name.removeprefix('os.')}"
    return None


def _is_watched(path: Any, watched: tuple[str, ...]) -> bool:
    """Names relative to an open folder are the store's: nothing else here works so."""
    text = os.fsdecode(path)
    return not text.startswith("/") or text.startswith(watched)
