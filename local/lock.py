"""One runner per data directory: a lock that the kernel lets go when its holder dies."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class DirectoryInUse(Exception):
    """Another runner works in this data directory."""


@contextmanager
def sole_use(directory: Path) -> Iterator[None]:
    """Hold the data directory, which is made if need be. Raises DirectoryInUse, or OSError where it cannot be used."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "runner.lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            holder = file.read().strip() or "?"
            raise DirectoryInUse(f"{directory} is in use by another DocuElevate (process {holder}).") from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
