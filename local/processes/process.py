"""One function's process: its socket, its life from start to end, and requests to it.

The runner makes the socket, so that requests can be sent before the process is up: they wait in the socket's backlog,
and break if it dies.
"""

import asyncio
import contextlib
import logging
import os
import re
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from local.broker.message import Headers
from local.broker.rules import Answer
from local.processes.http_client import ConnectionBroken, SocketClient

logger = logging.getLogger(__name__)

_BACKLOG = 256
_NAMES_ITSELF = re.compile(r"\{|\d\d:\d\d:\d\d ")
"""Both forms of our logs (shared.logs) say which process wrote them."""
_LONGEST_LOG_LINE = 64 * 1024
_LAST_OUTPUT_SECONDS = 1.0


class FunctionProcess:
    """A child process that serves one function. Call `run` once; it returns when the process has ended."""

    def __init__(self, name: str, socket_path: Path, root: Path, environment: Mapping[str, str]) -> None:
        self.name = name
        self.in_flight = 0
        self.is_ready = False
        self.is_stopping = False
        self.when_ready: Callable[[], None] | None = None
        self._root = root
        self._environment = environment
        self._socket_path = socket_path
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(socket_path))
        self._listener.listen(_BACKLOG)
        self._process: asyncio.subprocess.Process | None = None
        self._client = SocketClient(socket_path, f"{name}.local")

    @property
    def pid(self) -> int | None:
        """The process id; None before it is started."""
        return self._process.pid if self._process else None

    async def run(self, grace_seconds: float) -> int:
        """Start the process, hand its output on, and return its exit status (negative: the signal)."""
        with _Pipe() as lifeline, _Pipe() as ready, _Pipe() as output:
            try:
                self._process = await self._spawn(lifeline.reader, ready.writer, output.writer, grace_seconds)
            finally:
                # The child's copies are the only ones now: when it dies, pipes end, and waiting connections break.
                lifeline.close_reader()
                ready.close_writer()
                output.close_writer()
                self._listener.close()
            try:
                return await self._accompany(self._process, ready.reader, output)
            finally:
                self._kill_group()
                self._socket_path.unlink(missing_ok=True)
                self._client.close()

    async def request(
        self, method: str, path: str, headers: Headers, body: bytes, timeout_seconds: float
    ) -> Answer | None:
        """The answer to a request; None when the connection broke. Raises TimeoutError."""
        try:
            async with asyncio.timeout(timeout_seconds):
                return await self._client.request(method, path, headers, body)
        except ConnectionBroken as error:
            logger.warning("%s: the request broke off: %s", self.name, error)
            return None

    def terminate(self) -> None:
        """Ask the process to finish what it does and end."""
        self.is_stopping = True
        if self._process:
            with contextlib.suppress(ProcessLookupError):
                self._process.terminate()

    def kill(self) -> None:
        """End the process and what it has started at once."""
        self.is_stopping = True
        self._kill_group()

    async def _spawn(self, lifeline: int, ready: int, output: int, grace_seconds: float) -> asyncio.subprocess.Process:
        descriptors = (lifeline, ready, self._listener.fileno())
        arguments = (os.getpid(), *descriptors, max(int(grace_seconds), 1))
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "local.processes.launcher",
            *(str(argument) for argument in arguments),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=descriptors,
            env=self._environment,
            cwd=self._root,
            # A group of its own: Ctrl-C reaches the runner alone, which then drains; and the group can be killed whole.
            start_new_session=True,
        )

    async def _accompany(self, process: asyncio.subprocess.Process, ready: int, output: "_Pipe") -> int:
        loop = asyncio.get_running_loop()
        started = time.monotonic()

        def on_ready() -> None:
            loop.remove_reader(ready)
            self.is_ready = bool(os.read(ready, 1))
            if self.is_ready:
                logger.info("%s is up after %.2f s (process %d)", self.name, time.monotonic() - started, process.pid)
                if self.when_ready:
                    self.when_ready()

        loop.add_reader(ready, on_ready)
        if self.is_stopping:
            self.terminate()
        forwarding = asyncio.create_task(_forward(output, self.name))
        try:
            status = await process.wait()
            # Only what the process has started can still hold its output open.
            self._kill_group()
            await asyncio.wait([forwarding], timeout=_LAST_OUTPUT_SECONDS)
            return status
        finally:
            forwarding.cancel()
            loop.remove_reader(ready)

    def _kill_group(self) -> None:
        if self._process:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)


class _Pipe:
    """Both ends of a pipe, each closed once."""

    def __init__(self) -> None:
        self.reader, self.writer = os.pipe()
        self._open = {self.reader, self.writer}

    def __enter__(self) -> "_Pipe":
        return self

    def __exit__(self, *_: object) -> None:
        self.close_reader()
        self.close_writer()

    def close_reader(self) -> None:
        self._close(self.reader)

    def close_writer(self) -> None:
        self._close(self.writer)

    def detach_reader(self) -> int:
        """The reading end, to be closed by the caller."""
        self._open.discard(self.reader)
        return self.reader

    def _close(self, descriptor: int) -> None:
        if descriptor in self._open:
            self._open.discard(descriptor)
            os.close(descriptor)


async def _forward(output: _Pipe, name: str) -> None:
    """Write each line of a child's output to ours; one that does not name its process itself gets the step's name."""
    stream = asyncio.StreamReader(limit=_LONGEST_LOG_LINE)
    reader = os.fdopen(output.detach_reader(), "rb", buffering=0)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(stream), reader
    )
    with contextlib.closing(transport):
        while line := await _line(stream):
            text = line.decode("utf-8", "replace").rstrip()
            print(text if _NAMES_ITSELF.match(text) else f"{name}: {text}", file=sys.stderr, flush=True)


async def _line(stream: asyncio.StreamReader) -> bytes:
    while True:
        try:
            return await stream.readline()
        except ValueError:
            # Longer than the limit: asyncio has dropped it, and goes on with what follows.
            continue
