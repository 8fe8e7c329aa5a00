"""The whole product as a user starts it: `docuelevate serve` in a process, with a port and data of its own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.servers.ports import free_port

START_SECONDS = 60
SETTLE_SECONDS = 180
LOG_TAIL_CHARACTERS = 8_000


class Instance:
    """A running DocuElevate. `kill` ends every process of it at once, as a power cut would."""

    command: Sequence[str] = (str(Path(sys.executable).with_name("docuelevate")), "serve")

    def __init__(self, data: Path, **environment: str) -> None:
        self.data = data
        self.port, self.broker_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.client = httpx.Client(base_url=self.url, timeout=30)
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start, and wait until it answers."""
        environment = os.environ | {
            "DATA_DIR": str(self.data),
            "PORT": str(self.port),
            "BROKER_PORT": str(self.broker_port),
            "INCOMING_QUIET_SECONDS": "0.5",
            **self._environment,
        }
        log = self._log.open("ab")
        self._process = subprocess.Popen(
            self.command, env=environment, stdout=log, stderr=log, start_new_session=True, cwd=Path(__file__).parents[2]
        )
        wait_for(self._answers, START_SECONDS, "the server did not start")

    def kill(self) -> None:
        """SIGKILL to the runner and everything below it, in one go."""
        assert self._process is not None
        for pid in [self._process.pid, *descendants(self._process.pid)]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self._process.wait()

    def stop(self) -> int:
        """SIGTERM, and the exit code."""
        assert self._process is not None
        self._process.terminate()
        return self._process.wait(60)

    @property
    def broker_url(self) -> str:
        """Where its broker takes events."""
        return f"http://127.0.0.1:{self.broker_port}"

    @property
    def pid(self) -> int:
        """The runner's."""
        assert self._process is not None
        return self._process.pid

    def upload(self, *files: tuple[str, bytes], **fields: str) -> list[dict[str, Any]]:
        """Upload in one request; the documents as answered."""
        response = self.client.post("/api/documents", files=[("file", file) for file in files], data=fields)
        response.raise_for_status()
        return list(response.json()["documents"])

    def document(self, document_id: str) -> dict[str, Any]:
        """The document as the API tells it."""
        response = self.client.get(f"/api/documents/{document_id}")
        response.raise_for_status()
        return dict(response.json())

    def documents(self) -> list[dict[str, Any]]:
        """All documents, over all pages."""
        found: list[dict[str, Any]] = []
        path: str | None = "/api/documents?page_size=200"
        while path:
            page = self.client.get(path).raise_for_status().json()
            found += page["results"]
            path = page["next"]
        return found

    def settled(self, *document_ids: str, seconds: float = SETTLE_SECONDS) -> list[dict[str, Any]]:
        """Wait until none of them is processing any more."""

        def done() -> bool:
            return all(self.document(one)["status"] != "processing" for one in document_ids)

        wait_for(done, seconds, "a document was still processing")
        return [self.document(one) for one in document_ids]

    def found(self, words: str, **more: str) -> list[dict[str, Any]]:
        """The hits of a search."""
        response = self.client.get("/api/search", params={"q": words, **more})
        response.raise_for_status()
        return list(response.json()["hits"])

    def log_tail(self) -> str:
        """The last that it said."""
        return self._log.read_text(errors="replace")[-LOG_TAIL_CHARACTERS:]

    @property
    def _log(self) -> Path:
        return self.data.parent / f"{self.data.name}.log"

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log_tail()
        try:
            return self.client.get("/api/health").status_code == 200
        except httpx.TransportError:
            return False


@contextmanager
def running(data: Path, **environment: str) -> Iterator[Instance]:
    """An instance that is gone afterwards, with everything below it."""
    instance = Instance(data, **environment)
    try:
        instance.start()
        yield instance
    finally:
        instance.client.close()
        instance.kill()
        print(instance.log_tail())  # shown where a test fails


def descendants(pid: int) -> list[int]:
    """Every process below this one, those in groups of their own included."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        children.setdefault(int(fields[1]), []).append(int(entry.name))
    below, queue = [], [pid]
    while queue:
        found = children.get(queue.pop(), [])
        below += found
        queue += found
    return below


def wait_for(condition: Callable[[], bool], seconds: float, otherwise: str) -> None:
    """Poll until true. Fails the test with `otherwise` after that long."""
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, otherwise
        time.sleep(0.1)
