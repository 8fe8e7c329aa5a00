"""The web process as it really runs: a child with a socket of its own."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.servers.ports import free_port

ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class LiveServer:
    """Where it listens, and who it is."""

    url: str
    data_dir: Path
    pid: int

    def peak_memory_bytes(self) -> int:
        """The most memory that the process has had in use so far."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024


@contextmanager
def live_server(data_dir: Path, **environment: str) -> Iterator[LiveServer]:
    """Start `python -m web.server` on a free port and wait until it answers."""
    port = free_port()
    settings = {"DATA_DIR": str(data_dir), "PORT": str(port), "LOG_LEVEL": "WARNING"}
    clean = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    process = subprocess.Popen([sys.executable, "-m", "web.server"], cwd=ROOT, env=clean | settings | environment)
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_for(url, process)
        yield LiveServer(url, data_dir, process.pid)
    finally:
        process.terminate()
        process.wait(timeout=60)


def _wait_for(url: str, process: "subprocess.Popen[bytes]") -> None:
    while True:
        assert process.poll() is None, "the server did not start"
        try:
            httpx.get(f"{url}/api/health", trust_env=False)
            return
        except httpx.TransportError:
            time.sleep(0.05)
