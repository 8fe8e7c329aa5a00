"""One function as a cluster would run it, in a process of its own; and a broker that only listens."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx

from shared.events import Event, decode
from tests.servers.docuelevate import descendants, wait_for
from tests.servers.ports import free_port

ROOT = Path(__file__).parents[2]


class Function:
    """A running function; `kill` ends it and its workers."""

    def __init__(self, source: Path, target: str, environment: dict[str, str]) -> None:
        self.source, self.target, self.environment = source, target, environment
        self.client = httpx.Client(timeout=300)
        self.start()

    def start(self) -> None:
        """Start on a new port and wait until it is healthy."""
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        environment = os.environ | self.environment
        environment |= {"FUNCTION_SOURCE": str(self.source), "FUNCTION_TARGET": self.target}
        environment |= {"HOST": "127.0.0.1", "PORT": str(port)}
        command = [sys.executable, "-m", "shared.function_server"]
        self.process = subprocess.Popen(command, env=environment, cwd=ROOT)
        wait_for(self._is_healthy, 60, "the function did not start")

    def post(self, event: Event) -> httpx.Response:
        """Deliver an event. Raises httpx.TransportError where the function dies over it."""
        headers, body = event.to_http()
        return self.client.post(self.url, headers=headers, content=body)

    def reply(self, event: Event) -> Event:
        """Deliver an event and read the reply."""
        response = self.post(event)
        assert response.status_code == 200, response.text
        return decode(response.headers, response.content)

    def kill(self) -> None:
        """SIGKILL, workers included."""
        for pid in [*descendants(self.process.pid), self.process.pid]:
            try:
                os.kill(pid, 9)
            except ProcessLookupError:
                continue
        self.process.wait()

    def _is_healthy(self) -> bool:
        assert self.process.poll() is None, "the function ended at start"
        try:
            return self.client.get(f"{self.url}/health").status_code == 200
        except httpx.TransportError:
            return False


class Listener:
    """Takes events as a broker does, and keeps them."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        listener = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                listener.events.append(decode(headers, body))
                self.send_response(202)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@contextmanager
def listening() -> Iterator[Listener]:
    """A listener for the length of the block."""
    listener = Listener()
    threading.Thread(target=listener.server.serve_forever, daemon=True).start()
    try:
        yield listener
    finally:
        listener.server.shutdown()
        listener.server.server_close()


def results(directory: Path) -> list[dict[str, Any]]:
    """Every committed `result.json` below."""
    return [json.loads(path.read_text()) for path in directory.rglob("result.json")]
