"""Objects under `incoming/`: how one version of them is told from every other, and which files are not finished yet."""

import fcntl
import os
import re
from hashlib import sha256
from pathlib import Path

from shared.storage.port import ObjectInfo

CLAIMED = "claimed"
RECEIVED = "received"
DUPLICATE = "duplicate"
REJECTED = "rejected"
REFUSED = "refused"
"""The states of a ledger entry. Rejected is what was gone before it was taken in, refused what is there and may not."""

_UNFINISHED = re.compile(
    r"\..*|~\$.*|.*~|.*\.(?:part|partial|tmp|temp|crdownload|download|filepart|opdownload|swp|lock)|thumbs\.db|desktop\.ini",
    re.IGNORECASE,
)


def identity(bucket: str, info: ObjectInfo) -> str:
    """One version of an object, the same for notification and listing: the version id, else etag and last change.

    `info` is what HEAD told: a listing knows no version ids, and less of the time (contract §5).
    """
    version = info.version_id or f"{info.etag} {info.last_modified.isoformat()}"
    return named_identity(bucket, info.key, version)


def named_identity(bucket: str, key: str, version: str) -> str:
    """The identity of a version that can only be named, because the object is not there."""
    return sha256("\n".join((bucket, key, version)).encode()).hexdigest()


def is_finished_name(name: str) -> bool:
    """Whether programs that write files call a complete one so; in a folder unfinished ones can be seen."""
    return _UNFINISHED.fullmatch(name) is None


def is_being_written(path: Path) -> bool:
    """Whether some process has the file open for writing, as far as the file system tells. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        # A read lease is granted only while nobody has the file open for writing.
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except BlockingIOError:
        return True
    except OSError:
        # Not ours, or a file system without leases: the quiet time has to do.
        return False
    finally:
        os.close(descriptor)
    return False
