"""Where worlds lie whose disk is never pulled out: in memory, since nothing is learned from waiting for a disk."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_MEMORY = Path("/dev/shm")


@contextmanager
def in_memory() -> Iterator[Path]:
    """An empty directory, in memory where the system offers that, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="chaos-", dir=_MEMORY if _MEMORY.is_dir() else None) as directory:
        yield Path(directory)
