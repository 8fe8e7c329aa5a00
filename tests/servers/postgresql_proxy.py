"""A proxy in front of PostgreSQL that can cut a connection at its worst moment: after COMMIT was sent.

The client then cannot know whether its transaction stands. The proxy reads just enough of the protocol to see a COMMIT
go by and, by a marker, which transaction it belongs to.
"""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Literal

_COMMIT = b"COMMIT\0"
_PIECE_BYTES = 64 * 1024
_ANSWER_SECONDS = 10.0

Moment = Literal["before", "after"]


@dataclass
class Cut:
    """Cuts connections around the COMMIT of transactions in which `marker` was sent.

    `before` the server gets it, or `after`, when it has answered. `struck` counts.
    """

    marker: bytes
    moment: Moment = "after"
    times: int = 1
    struck: int = field(default=0, init=False)


class PostgresProxy:
    """A running proxy; `cuts` may be changed at any time, `is_down` turns new connections away."""

    def __init__(self, port: int) -> None:
        self._target = port
        self.cuts: list[Cut] = []
        self.is_down = False
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = int(self._listener.getsockname()[1])

    def url(self, database: str) -> str:
        """The address of a database through this proxy."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def cut(self, marker: bytes, moment: Moment = "after", times: int = 1) -> Cut:
        """Add a cut."""
        cut = Cut(marker, moment, times)
        with self._lock:
            self.cuts.append(cut)
        return cut

    def go_down(self) -> None:
        """End every connection and take no new one until `is_down` is False again."""
        self.is_down = True
        with self._lock:
            doomed = list(self._open)
        for connection in doomed:
            _close(connection)

    def serve(self) -> None:
        """Take connections until closed."""
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self.is_down:
                client.close()
                continue
            threading.Thread(target=self._accompany, args=(client,), daemon=True).start()

    def close(self) -> None:
        """Take no more connections and end those that are open."""
        self._listener.close()
        self.go_down()

    def _accompany(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(("127.0.0.1", self._target))
        except OSError:
            client.close()
            return
        with self._lock:
            self._open |= {client, server}
        try:
            threading.Thread(target=_pump, args=(server, client), daemon=True).start()
            self._watch(client, server)
        finally:
            _close(client)
            _close(server)
            with self._lock:
                self._open -= {client, server}

    def _watch(self, client: socket.socket, server: socket.socket) -> None:
        sent = b""
        with suppress(OSError):
            while piece := client.recv(_PIECE_BYTES):
                sent += piece
                if _COMMIT not in sent:
                    server.sendall(piece)
                    continue
                cut = self._cut_of(sent)
                sent = b""
                if cut is None:
                    server.sendall(piece)
                    continue
                if cut.moment == "after":
                    self._commit_unseen(client, server, piece)
                return

    def _cut_of(self, sent: bytes) -> Cut | None:
        with self._lock:
            for cut in self.cuts:
                if cut.marker in sent and cut.struck < cut.times:
                    cut.struck += 1
                    return cut
        return None

    def _commit_unseen(self, client: socket.socket, server: socket.socket, piece: bytes) -> None:
        """Let the server commit; its answer finds the client's side closed."""
        _close(client)
        server.sendall(piece)
        server.shutdown(socket.SHUT_WR)
        server.settimeout(_ANSWER_SECONDS)
        with suppress(OSError):
            while server.recv(_PIECE_BYTES):
                continue


@contextmanager
def postgres_proxy(port: int) -> Iterator[PostgresProxy]:
    """A proxy for the length of the block."""
    proxy = PostgresProxy(port)
    threading.Thread(target=proxy.serve, daemon=True).start()
    try:
        yield proxy
    finally:
        proxy.close()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while piece := source.recv(_PIECE_BYTES):
            target.sendall(piece)
    _close(target)


def _close(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
