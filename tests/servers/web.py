"""A second web process beside a running instance, on the same database, object store, index and broker."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.servers.docuelevate import START_SECONDS, Instance, wait_for
from tests.servers.ports import free_port

ROOT = Path(__file__).parents[2]


class Web:
    """`python -m web.server`, as a web pod runs it."""

    def __init__(self, instance: Instance, environment: Mapping[str, str]) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._environment = {
            "DATA_DIR": str(instance.data),
            "PORT": str(self.port),
            "BROKER_URL": instance.broker_url,
            **environment,
        }
        self.start()

    def start(self) -> None:
        """Start, and wait until it answers."""
        command = [sys.executable, "-m", "web.server"]
        self.process = subprocess.Popen(command, env=os.environ | self._environment, cwd=ROOT)
        wait_for(self._answers, START_SECONDS, "the web server did not start")

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.process.wait()

    def _answers(self) -> bool:
        assert self.process.poll() is None, "the web server ended at start"
        try:
            return httpx.get(f"{self.url}/api/health", timeout=5).status_code == 200
        except httpx.TransportError:
            return False


@contextmanager
def second_web(instance: Instance, **environment: str) -> Iterator[Web]:
    """One more web for the length of the block."""
    web = Web(instance, environment)
    try:
        yield web
    finally:
        web.kill()
