"""Python functions that run in the jail: one resident process (`JailedWorker`), or several taken in turn
(`JailedPool`).

Files go in and out through the worker's scratch directory; parameters and results are JSON.
"""

import contextlib
import shutil
import signal
import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from shared.errors import DocuElevateError, FailureCode, StepFailed
from shared.jail.policy import Limits, Sockets
from shared.jail.process import JailedProcess, new_scratch, remove_scratch, spawn_worker_process
from shared.jail.serving import EXIT_OUT_OF_MEMORY, JsonValue, read_frame, write_frame
from shared.room import require_room

START_TIMEOUT_SECONDS = 60.0
CRASH_GRACE_SECONDS = 2.0


class JailTimeout(DocuElevateError):
    """The work took longer than its time (`timeout_seconds` or the CPU limit); the worker was killed."""


class JailCrashed(DocuElevateError):
    """The worker died during the work.

    `signal` is the signal's number or None, `out_of_memory` says that the memory limit was the cause, `detail` is the
    end of its error output (for logs with care: it can hold words of the document).
    """

    def __init__(
        self, message: str, *, signal: int | None = None, out_of_memory: bool = False, detail: str = ""
    ) -> None:
        super().__init__(message)
        self.signal = signal
        self.out_of_memory = out_of_memory
        self.detail = detail

    @property
    def was_stopped(self) -> bool:
        """Whether it was killed from outside (a person, the kernel short of memory): the work itself may be fine."""
        return not self.out_of_memory and self.signal in (signal.SIGKILL, signal.SIGTERM)


@dataclass
class _Running:
    process: JailedProcess
    channel: socket.socket
    calls: int = 0

    def end(self) -> None:
        self.process.kill()
        self.channel.close()
        self.process.log.unlink(missing_ok=True)


class JailedWorker:
    """One resident jailed process with the methods of `entry`, such as `functions.ocr.worker:METHODS` (name →
    function).

    It is started by the first call, and again after a crash, a time-out or `max_calls`. Methods take the parameters
    as a mapping and return JSON; their working directory is `scratch`. A raised `StepFailed` arrives at the caller as
    such.
    """

    def __init__(
        self,
        entry: str,
        *,
        limits: Limits | None = None,
        readable: Sequence[Path] = (),
        environment: Mapping[str, str] | None = None,
        max_calls: int = 500,
        interpreter: Path | None = None,
        sockets: Sockets = Sockets.NONE,
    ) -> None:
        self._entry = entry
        self._interpreter = interpreter
        self._sockets = sockets
        self._limits = limits or Limits()
        self._readable = tuple(readable)
        self._environment = dict(environment or {})
        self._max_calls = max_calls
        self._lock = threading.Lock()
        self._running: _Running | None = None
        self._scratch: Path | None = None
        self._closed = False

    @property
    def scratch(self) -> Path:
        """The private directory for inputs and outputs, the only place the worker can write to; kept over restarts."""
        if self._scratch is None:
            self._scratch = new_scratch()
        return self._scratch

    @property
    def pid(self) -> int | None:
        """The process that serves at the moment, if any."""
        return self._running.process.pid if self._running else None

    def call(self, method: str, params: Mapping[str, JsonValue], *, timeout_seconds: float) -> JsonValue:
        """Runs a method and returns its result; one call at a time, others wait.

        Raises JailTimeout, JailCrashed (also for an error the method did not expect), or the method's StepFailed;
        Unavailable instead of each where the disk is full.
        """
        try:
            with self._lock:
                running = self._ready()
                running.calls += 1
                answer = self._exchange(running, {"method": method, "params": dict(params)}, timeout_seconds)
            return _result(answer)
        except (JailTimeout, JailCrashed, StepFailed):
            # While what the worker has written is still there.
            require_room(self._scratch)
            raise

    def start(self) -> None:
        """Starts the process ahead of the first call, to have it warm."""
        with self._lock:
            self._ready()

    def close(self) -> None:
        """Ends the process, even during a call (which raises JailCrashed), and removes the scratch directory."""
        self._closed = True
        running = self._running
        if running is not None:
            running.process.kill()
        with self._lock:
            self._stop()
            if self._scratch is not None:
                remove_scratch(self._scratch)
                self._scratch = None

    def _ready(self) -> _Running:
        if self._closed:
            raise JailCrashed("The worker was closed.")
        if self._running is not None and (
            self._running.calls >= self._max_calls or self._running.process.poll() is not None
        ):
            self._stop()
        if self._running is None:
            self._running = self._start()
        return self._running

    def _start(self) -> _Running:
        _empty(self.scratch / "tmp")
        ours, theirs = socket.socketpair()
        with theirs:
            process = spawn_worker_process(
                self._entry,
                limits=self._limits,
                scratch=self.scratch,
                readable=self._readable,
                environment=self._environment,
                channel=theirs.fileno(),
                interpreter=self._interpreter,
                sockets=self._sockets,
            )
        running = _Running(process, ours)
        self._receive(running, START_TIMEOUT_SECONDS)
        return running

    def _exchange(self, running: _Running, call: JsonValue, timeout_seconds: float) -> Mapping[str, JsonValue]:
        running.channel.settimeout(timeout_seconds)
        with contextlib.suppress(OSError):  # A dead worker is found out, with its cause, when the answer is read.
            running.process.renew_cpu_limit()
            write_frame(running.channel, call)
        return self._receive(running, timeout_seconds)

    def _receive(self, running: _Running, timeout_seconds: float) -> Mapping[str, JsonValue]:
        try:
            answer = read_frame(running.channel, time.monotonic() + timeout_seconds)
        except TimeoutError as error:
            running.end()
            self._running = None
            raise JailTimeout(f"The work took longer than {timeout_seconds:g} seconds.") from error
        except (OSError, ValueError, RecursionError) as error:
            raise self._crash(running) from error
        if not isinstance(answer, dict):
            raise self._crash(running)
        return answer

    def _crash(self, running: _Running) -> JailTimeout | JailCrashed:
        status = running.process.wait(CRASH_GRACE_SECONDS)
        detail = running.process.error_tail()
        running.end()
        self._running = None
        return _cause(status, detail, self._limits)

    def _stop(self) -> None:
        if self._running is not None:
            self._running.end()
            self._running = None


class JailedPool:
    """Up to `size` workers of one kind, started as they are needed; each call takes a free one."""

    def __init__(
        self,
        entry: str,
        *,
        size: int,
        limits: Limits | None = None,
        readable: Sequence[Path] = (),
        environment: Mapping[str, str] | None = None,
        max_calls: int = 500,
    ) -> None:
        self._workers = [
            JailedWorker(entry, limits=limits, readable=readable, environment=environment, max_calls=max_calls)
            for _ in range(size)
        ]
        # The last one returned is the first one taken, so that few callers keep few processes busy.
        self._free = list(reversed(self._workers))
        self._available = threading.Condition()

    @contextlib.contextmanager
    def worker(self) -> Iterator[JailedWorker]:
        """A worker for the caller alone, to place files in its scratch directory; waits for a free one."""
        with self._available:
            self._available.wait_for(lambda: self._free)
            worker = self._free.pop()
        try:
            yield worker
        finally:
            with self._available:
                self._free.append(worker)
                self._available.notify()

    def call(self, method: str, params: Mapping[str, JsonValue], *, timeout_seconds: float) -> JsonValue:
        """Like `JailedWorker.call`, on the first free worker; waiting for it does not count against the time."""
        with self.worker() as worker:
            return worker.call(method, params, timeout_seconds=timeout_seconds)

    def close(self) -> None:
        """Ends all workers."""
        for worker in self._workers:
            worker.close()


def _cause(status: int | None, detail: str, limits: Limits) -> JailTimeout | JailCrashed:
    """What the end of a worker means, from its exit status (negative: a signal) and its error output."""
    if status == -signal.SIGXCPU:
        return JailTimeout(f"The work took more than {limits.cpu_seconds} seconds of processor time.")
    out_of_memory = status == EXIT_OUT_OF_MEMORY or any(sign in detail for sign in ("MemoryError", "bad_alloc"))
    if out_of_memory:
        message = f"The work needed more than {limits.memory_bytes // (1 << 20)} MiB of memory."
    elif status is not None and status < 0:
        message = f"The worker was stopped by {signal.Signals(-status).name}."
    else:
        message = "The worker failed unexpectedly."
    number = -status if status is not None and status < 0 else None
    return JailCrashed(message, signal=number, out_of_memory=out_of_memory, detail=detail)


def _result(answer: Mapping[str, JsonValue]) -> JsonValue:
    failed = answer.get("failed")
    if failed is None:
        return answer.get("result")
    raise StepFailed(FailureCode(failed["code"]), failed["message"], determined=failed["determined"])


def _empty(directory: Path) -> None:
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
