"""Processes that run crash loops for the tests: they fork for each attempt, which the process of the tests must not."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.chaos.report import Report

MEMORY = Path("/dev/shm")
"""A process that dies leaves in memory what it would leave on a disk; each attempt has a world of its own there."""


class LoopWorker:
    """Answers jobs, one after the other."""

    def __init__(self, directory: Path) -> None:
        # The kernel ends it with the process of the tests, however that ends.
        command = ["setpriv", "--pdeathsig", "KILL", sys.executable, "-m", "tests.chaos.crash_points", str(directory)]
        root = Path(__file__).parents[2]
        self._is_waited_for = False
        self._process = subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def answer(self, job: Mapping[str, object]) -> Report:
        """Have one scenario tried; nothing more once an answer was not waited for, which the next job would read."""
        assert self._process.stdin and self._process.stdout
        assert not self._is_waited_for, "an earlier job was given up before it was answered"
        self._is_waited_for = True
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        report = Report(**json.loads(self._process.stdout.readline()))
        self._is_waited_for = False
        return report

    def end(self) -> None:
        """No more jobs."""
        self._process.kill()
        self._process.communicate()


@contextmanager
def loop_worker_in_memory() -> Iterator[LoopWorker]:
    """A worker with a directory of its own."""
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as directory:
        worker = LoopWorker(Path(directory))
        try:
            yield worker
        finally:
            worker.end()
