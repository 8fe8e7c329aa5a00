"""A proxy in front of an S3 server that goes wrong where a test wants it to: cut, slow, lying, forgetful, away.

It passes requests on unchanged, so that signatures stay right, and keeps a journal of what it did. A fault names the
requests that it is for and how often it strikes.
"""

import http.client
import re
import socket
import struct
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from email.utils import format_datetime, parsedate_to_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

Kind = Literal[
    "cut_request", "cut_answer", "slow", "refuse", "flip", "reset", "swallow", "lose_answer", "slow_down", "not_found"
]
ALWAYS = 1_000_000
_PIECE_BYTES = 64 * 1024
_SLOW_DOWN = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
_NO_SUCH_KEY = b"<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message></Error>"


@dataclass
class Fault:
    """What goes wrong, for which requests, and how often.

    cut_request: the connection breaks after `after_bytes` of the body, as seen by both sides · cut_answer: the same for
    the answer · slow: both bodies at `bytes_per_second` · flip: one byte of the answer is another one · reset: the
    connection is reset before anything is passed on · swallow: 200 to a write that nobody did · lose_answer: the
    request is done, and its answer is not passed on · slow_down, not_found: what a busy or confused server answers.
    """

    kind: Kind
    method: str = ".*"
    key: str = ".*"
    times: int = ALWAYS
    after_bytes: int = 0
    bytes_per_second: int = 5_000
    skip: int = 0
    """So many requests pass first."""
    struck: int = field(default=0, init=False)
    _passed: int = field(default=0, init=False)

    def strikes(self, method: str, key: str) -> bool:
        """Whether this request is hit; counts it if so."""
        if self.struck >= self.times or not re.fullmatch(self.method, method) or not re.search(self.key, key):
            return False
        self._passed += 1
        if self._passed <= self.skip:
            return False
        self.struck += 1
        return True


class S3Proxy:
    """A running proxy. `faults` may be changed at any time; while `is_down`, every connection is reset.

    `seconds_ahead` moves the server's clock: what was written before the proxy's answer is that much older.
    """

    def __init__(self, endpoint_url: str, headers: Mapping[str, str]) -> None:
        self.headers = headers
        target = urlsplit(endpoint_url)
        self.upstream = (target.hostname or "127.0.0.1", target.port or 80)
        self.faults: list[Fault] = []
        self.is_down = False
        self.seconds_ahead = 0.0
        self.journal: list[tuple[str, str, str]] = []
        """Method, key and the kind of fault, or an empty string."""
        self._lock = threading.Lock()
        proxy = self

        class Handler(_Handler):
            owner = proxy

        self.server = _Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def fail(self, kind: Kind, **where: Any) -> Fault:
        """Add a fault."""
        fault = Fault(kind, **where)
        with self._lock:
            self.faults.append(fault)
        return fault

    def heal(self) -> None:
        """From now on nothing goes wrong."""
        with self._lock:
            self.faults.clear()
            self.is_down = False

    def fault_for(self, method: str, key: str) -> Fault | None:
        """The fault that strikes this request."""
        with self._lock:
            struck = next((fault for fault in self.faults if fault.strikes(method, key)), None)
            if self.is_down:
                struck = Fault("reset")
            self.journal.append((method, key, struck.kind if struck else ""))
            return struck


@contextmanager
def s3_proxy(endpoint_url: str, headers: Mapping[str, str] | None = None) -> Iterator[S3Proxy]:
    """A proxy for the length of the block; it adds `headers` to each request."""
    proxy = S3Proxy(endpoint_url, headers or {})
    threading.Thread(target=proxy.server.serve_forever, daemon=True).start()
    try:
        yield proxy
    finally:
        proxy.server.shutdown()
        proxy.server.server_close()


def _moved(date: str, seconds: float) -> str:
    return format_datetime(parsedate_to_datetime(date) + timedelta(seconds=seconds), usegmt=True)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Connections break here on purpose."""


class _Cut(Exception):
    """The connection to the client ends here."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    owner: S3Proxy

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except (_Cut, OSError, http.client.HTTPException):
            self.close_connection = True

    def _pass_on(self) -> None:
        # Buckets are in the path: /<bucket>/<key>?<query>.
        key = unquote(self.path)
        fault = self.owner.fault_for(self.command, key)
        kind = fault.kind if fault else None
        if fault is None:
            self._answer(self._ask(self._body()))
        elif kind == "reset":
            self._reset()
        elif kind == "slow_down":
            self._made_up(503, _SLOW_DOWN)
        elif kind == "not_found":
            self._made_up(404, b"" if self.command == "HEAD" else _NO_SUCH_KEY)
        elif kind == "swallow":
            self._body()
            self._made_up(200, b"", etag='"0123456789abcdef0123456789abcdef"')
        elif kind == "cut_request":
            self._cut_request(fault.after_bytes)
        elif kind == "lose_answer":
            self._ask(self._body())[1].close()
            raise _Cut
        elif kind == "slow":
            self._answer(self._ask(self._body(fault.bytes_per_second)), bytes_per_second=fault.bytes_per_second)
        else:
            self._answer(self._ask(self._body()), fault=fault)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _pass_on

    @property
    def _length(self) -> int:
        return int(self.headers.get("content-length") or 0)

    def _body(self, bytes_per_second: int | None = None) -> bytes:
        body = bytearray()
        while len(body) < self._length:
            most = _PIECE_BYTES if bytes_per_second is None else max(bytes_per_second // 10, 1)
            piece = self.rfile.read(min(most, self._length - len(body)))
            if not piece:
                raise _Cut
            body += piece
            if bytes_per_second is not None:
                time.sleep(len(piece) / bytes_per_second)
        return bytes(body)

    def _ask(self, body: bytes) -> tuple[http.client.HTTPResponse, http.client.HTTPConnection]:
        upstream = http.client.HTTPConnection(*self.owner.upstream, timeout=120)
        self._send_head(upstream)
        upstream.send(body)
        return upstream.getresponse(), upstream

    def _send_head(self, upstream: http.client.HTTPConnection) -> None:
        upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            if name.lower() not in ("connection", "expect"):
                upstream.putheader(name, value)
        for name, value in self.owner.headers.items():
            upstream.putheader(name, value)
        upstream.endheaders()

    def _answer(
        self,
        asked: tuple[http.client.HTTPResponse, http.client.HTTPConnection],
        *,
        fault: Fault | None = None,
        bytes_per_second: int | None = None,
    ) -> None:
        answer, upstream = asked
        body = answer.read()
        upstream.close()
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() == "date":
                self.send_header(name, _moved(value, self.owner.seconds_ahead))
            elif name.lower() not in ("connection", "transfer-encoding", "content-length"):
                self.send_header(name, value)
        length = answer.getheader("content-length") if self.command == "HEAD" else str(len(body))
        self.send_header("content-length", length or "0")
        self.end_headers()
        if fault and fault.kind == "flip" and body:
            body = bytes([body[0] ^ 1]) + body[1:]
        if fault and fault.kind == "cut_answer":
            self.wfile.write(body[: fault.after_bytes])
            raise _Cut
        self._drip(body, bytes_per_second)

    def _drip(self, body: bytes, bytes_per_second: int | None) -> None:
        if bytes_per_second is None:
            self.wfile.write(body)
            return
        step = max(bytes_per_second // 10, 1)
        for start in range(0, len(body), step):
            self.wfile.write(body[start : start + step])
            time.sleep(step / bytes_per_second)

    def _made_up(self, status: int, body: bytes, **headers: str) -> None:
        if status != 200:
            self._body()
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _cut_request(self, after_bytes: int) -> None:
        body = self._body()
        upstream = http.client.HTTPConnection(*self.owner.upstream, timeout=120)
        self._send_head(upstream)
        upstream.send(body[: min(after_bytes, max(len(body) - 1, 0))])
        # The server sees the body break off; so does the client its answer.
        upstream.close()
        raise _Cut

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        raise _Cut

    def log_message(self, *_: Any) -> None:
        """Say nothing."""
