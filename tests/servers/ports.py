"""Ports of loopback for servers that want to be told theirs."""

import socket

_held: list[socket.socket] = []


def free_port() -> int:
    """A port that nobody listens on, and that nobody is given meanwhile who asks for any port.

    It stays bound by us without listening: a server that reuses addresses, as all of them do, may still bind it.
    """
    probe = socket.socket()
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    probe.bind(("127.0.0.1", 0))
    _held.append(probe)
    return int(probe.getsockname()[1])
