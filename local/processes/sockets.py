"""Where the functions' sockets lie: a directory that nobody else may enter.

Not in the data directory, which may have a path too long for a socket or be on a file system that has none; but
the data directory remembers it, so that the next run removes what a killed one has left.
"""

import contextlib
import shutil
import tempfile
from pathlib import Path

_PREFIX = "docuelevate-sockets-"
_REMINDER = "sockets"


def socket_directory(data_directory: Path) -> Path:
    """A new directory; the one of the last run with these data is removed. The caller has the data to itself."""
    reminder = data_directory / _REMINDER
    with contextlib.suppress(OSError):
        remove(reminder.readlink())
    reminder.unlink(missing_ok=True)
    directory = Path(tempfile.mkdtemp(prefix=_PREFIX))
    with contextlib.suppress(OSError):
        reminder.symlink_to(directory)
    return directory


def remove(directory: Path) -> None:
    """Remove a directory made here; any other is left alone."""
    if directory.name.startswith(_PREFIX) and not directory.is_symlink():
        shutil.rmtree(directory, ignore_errors=True)
