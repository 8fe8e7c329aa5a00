"""Whether the disk for temporary files has room: what fails on a full one says nothing about the document."""

import errno
import os
import tempfile
from pathlib import Path

from shared.errors import Unavailable

ROOM_BYTES = 32 << 20
"""With less a disk is as good as full: the writer that failed has often removed again what filled it."""

_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})
_MESSAGE = "there is no room left on the disk for temporary files"


def require_room(directory: Path | None = None) -> None:
    """Raise Unavailable where the disk of the directory is full; by default of the one for temporary files."""
    disk = os.statvfs(directory or tempfile.gettempdir())
    # Some file systems do not count files.
    no_files = disk.f_files > 0 and disk.f_favail == 0
    if disk.f_bavail * disk.f_frsize < ROOM_BYTES or no_files:
        raise Unavailable(_MESSAGE)


def refuse_no_room(error: OSError) -> None:
    """Raise Unavailable where the error means that a disk is full."""
    if error.errno in _NO_ROOM:
        raise Unavailable(_MESSAGE) from error
