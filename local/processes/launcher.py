"""What a child process runs: one function under functions-framework, on a socket that it inherits.

Ties its life to the runner's: whatever kills the runner, the kernel kills this process and what it has started.
"""

import ctypes
import fcntl
import os
import select
import signal
import socket
import sys

from shared.function_server import FunctionServer

_PR_SET_PDEATHSIG = 1


class _Server(FunctionServer):
    """Says once that requests are served; until then they wait in the socket's backlog."""

    def __init__(self, listener: int, ready: int, grace_seconds: int) -> None:
        super().__init__(fd=listener, grace_seconds=grace_seconds)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        os.write(self._ready, b"1")
        os.close(self._ready)


def die_with(runner: int, lifeline: int) -> None:
    """End with the runner, however it ends. `lifeline` is the reading end of a pipe whose writing end it alone holds.

    When the pipe breaks, the kernel kills this whole process group: children of this process too, unless they made a
    group of their own. The parent-death signal would hit this process alone, and as soon as the runner's starting
    thread ends, before the pipe does; so it is only what is left where a kernel cannot do the other.
    """
    try:
        fcntl.fcntl(lifeline, fcntl.F_SETOWN, -os.getpgrp())
        fcntl.fcntl(lifeline, fcntl.F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)
    except OSError:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    poll = select.poll()
    poll.register(lifeline, select.POLLHUP)
    if poll.poll(0) or os.getppid() != runner:
        os._exit(1)


def main(arguments: list[str]) -> None:
    """`launcher RUNNER_PID LIFELINE_FD READY_FD SOCKET_FD GRACE_SECONDS`."""
    runner, lifeline, ready, listener, grace_seconds = (int(argument) for argument in arguments)
    die_with(runner, lifeline)
    for descriptor in (lifeline, ready, listener):
        os.set_inheritable(descriptor, False)
    _Server(listener, ready, grace_seconds).run()


if __name__ == "__main__":
    main(sys.argv[1:])
