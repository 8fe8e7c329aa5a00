"""Files that survive a crash: written aside, synced, then named. Knows nothing of objects, keys or metadata.

Every path below the root is walked without following symbolic links, so that nothing placed in a watched folder leads
out of the data directory.
"""

import errno
import fcntl
import hashlib
import os
import secrets
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_PRIVATE_FILE = 0o600
_PRIVATE_DIRECTORY = 0o700
_NO_HARD_LINKS = {errno.EPERM, errno.ENOTSUP, errno.ENOSYS}


def open_directory(root: Path, parts: Sequence[str], *, create: bool = False) -> int:
    """A handle on root/parts…, made durably where missing and wanted. The caller closes it."""
    handle = os.open(root, _DIRECTORY)
    for part in parts:
        try:
            child = _child_directory(handle, part, create=create)
        finally:
            os.close(handle)
        handle = child
    return handle


@contextmanager
def opened_directory(root: Path, parts: Sequence[str], *, create: bool = False) -> Iterator[int]:
    """As `open_directory`, closed at the end."""
    handle = open_directory(root, parts, create=create)
    try:
        yield handle
    finally:
        os.close(handle)


def _child_directory(parent: int, name: str, *, create: bool) -> int:
    try:
        return os.open(name, _DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)
    except FileNotFoundError:
        if not create:
            raise
    with suppress(FileExistsError):
        os.mkdir(name, _PRIVATE_DIRECTORY, dir_fd=parent)
    os.fsync(parent)
    return os.open(name, _DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)


def regular_stat(folder: int, name: str) -> os.stat_result | None:
    """The status of a regular file; None where there is none (a link, a pipe and a folder count as none)."""
    try:
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
    return found if stat.S_ISREG(found.st_mode) else None


def open_regular(folder: int, name: str) -> int:
    """A handle for reading a regular file. Raises FileNotFoundError for anything else."""
    try:
        # O_NONBLOCK: opening a pipe that somebody left in the folder must not wait for its other end.
        handle = os.open(name, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO):
            raise FileNotFoundError(errno.ENOENT, "not a regular file", name) from error
        raise
    if stat.S_ISREG(os.fstat(handle).st_mode):
        return handle
    os.close(handle)
    raise FileNotFoundError(errno.ENOENT, "not a regular file", name)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of this file against every thread and process on the machine."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _PRIVATE_FILE)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


class Draft:
    """A file being written aside. It is locked while its writer lives, so that only orphans are cleared away."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / secrets.token_hex(16)
        self._handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _PRIVATE_FILE)
        fcntl.flock(self._handle, fcntl.LOCK_SH)
        self._hash = hashlib.sha256()
        self.size = 0

    @property
    def sha256(self) -> str:
        """Of what has been written so far, in hex."""
        return self._hash.hexdigest()

    def write(self, chunk: bytes) -> None:
        """Append bytes."""
        rest = memoryview(chunk)
        self._hash.update(rest)
        self.size += len(rest)
        while rest:
            rest = rest[os.write(self._handle, rest) :]

    def sync(self) -> None:
        """Put the bytes on the disk."""
        os.fsync(self._handle)

    def stat_after(self, earlier: os.stat_result | None) -> os.stat_result:
        """The status of the file; its modification time is moved behind that of the file it is to replace.

        Clocks of file systems tick in milliseconds, so that two versions of one size could look the same otherwise.
        """
        status = os.fstat(self._handle)
        if earlier is None or status.st_mtime_ns > earlier.st_mtime_ns:
            return status
        os.utime(self._handle, ns=(status.st_atime_ns, earlier.st_mtime_ns + 1_000))
        self.sync()
        return os.fstat(self._handle)

    def place(self, folder: int, name: str, *, replace: bool) -> None:
        """Give the file its name, durably. Raises FileExistsError without `replace` where the name is taken."""
        if replace:
            os.rename(self._path, name, dst_dir_fd=folder)
        else:
            self._link(folder, name)
        os.fsync(folder)

    def _link(self, folder: int, name: str) -> None:
        try:
            os.link(self._path, name, dst_dir_fd=folder)
        except OSError as error:
            if error.errno not in _NO_HARD_LINKS:
                raise
            # A file system without hard links: every writer of ours holds the key's lock, so looking first is enough.
            if name in os.listdir(folder):
                raise FileExistsError(errno.EEXIST, "taken", name) from error
            os.rename(self._path, name, dst_dir_fd=folder)

    def discard(self) -> None:
        """Close, and remove what has no name yet."""
        if self._handle < 0:
            return
        self._path.unlink(missing_ok=True)
        os.close(self._handle)
        self._handle = -1


def clear_orphans(directory: Path, modified_before: float) -> int:
    """Remove the drafts whose writers died; how many. Drafts being written are locked and stay.

    Between its creation and its lock a draft is unprotected for an instant: `modified_before` (seconds since 1970, by
    the file system's clock) spares the young ones.
    """
    return sum(_clear_orphan(entry, modified_before) for entry in directory.iterdir())


def _clear_orphan(path: Path, modified_before: float) -> bool:
    try:
        if path.stat().st_mtime > modified_before:
            return False
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink(missing_ok=True)
    except BlockingIOError:
        return False
    finally:
        os.close(handle)
    return True
