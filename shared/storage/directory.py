"""Objects as plain files in a directory, for one machine: durable, atomic, safe for several processes at once.

An object lies at root/<key>, so that people can look at their documents and drop files into incoming/. What else is
known of it lies in root/.metadata/ (see `sidecar`). Nothing is visible before its bytes are on the disk.
"""

import errno
import hashlib
import io
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from shared.documents import ObjectReference
from shared.errors import InvalidKey, ObjectChanged, ObjectExists, ObjectNotFound, Unavailable
from shared.storage.durable import Draft, clear_orphans, locked, open_regular, opened_directory, regular_stat
from shared.storage.keys import INCOMING, PREFIXES, check_key, check_prefix
from shared.storage.port import ObjectInfo
from shared.storage.sidecar import Record, encode_records, read_record, sidecar_path

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_CHUNK_BYTES = 1 << 20
_LOCKS = 256
_FOREIGN_MEDIA_TYPE = "application/octet-stream"
_PLACING_ATTEMPTS = 5
_ABANDONED_SECONDS = 60


class DirectoryObjectStore:
    """The object store port on a directory. Every process that shares the directory makes its own."""

    def __init__(self, root: Path, bucket: str = "docuelevate") -> None:
        self.bucket = bucket
        self._root = root.absolute()
        self._metadata = self._root / ".metadata"
        self._locks = self._root / ".locks"
        self._drafts = self._root / ".drafts"
        with _writing():
            for directory in (self._metadata, self._locks, self._drafts):
                directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            (self._root / INCOMING).mkdir(exist_ok=True)
        self.remove_leftovers(_ABANDONED_SECONDS)

    def put(
        self,
        key: str,
        body: bytes,
        *,
        media_type: str,
        create_only: bool = False,
        metadata: Mapping[str, str] | None = None,
    ) -> ObjectReference:
        """Write a small object at once."""
        with self._early_writer(key, create_only=create_only) as writer:
            writer.write(body)
            return writer.commit(media_type=media_type, metadata=metadata)

    def put_file(
        self,
        key: str,
        path: Path,
        *,
        media_type: str,
        create_only: bool = False,
        metadata: Mapping[str, str] | None = None,
    ) -> ObjectReference:
        """Write a file of any size."""
        with path.open("rb", buffering=0) as source, self._early_writer(key, create_only=create_only) as writer:
            for chunk in _chunks(source.fileno()):
                writer.write(chunk)
            return writer.commit(media_type=media_type, metadata=metadata)

    @contextmanager
    def writer(self, key: str, *, create_only: bool = False) -> Iterator["DirectoryObjectWriter"]:
        """Write a stream; whatever is not committed is gone at the end of the context."""
        _check_key(key)
        with _writing():
            writer = DirectoryObjectWriter(self, key, Draft(self._drafts), create_only=create_only)
        try:
            yield writer
        finally:
            writer.abort()

    @contextmanager
    def _early_writer(self, key: str, *, create_only: bool) -> Iterator["DirectoryObjectWriter"]:
        """As `writer`, for bodies that are at hand: a taken key is noticed before anything is written."""
        if create_only and self.head(key) is not None:
            raise ObjectExists(f"there is an object under {key}")
        with self.writer(key, create_only=create_only) as writer:
            yield writer

    def place(
        self, key: str, draft: Draft, media_type: str, metadata: Mapping[str, str], *, create_only: bool
    ) -> ObjectReference:
        """Make a draft the object under the key, for this store's writers."""
        draft.sync()
        with locked(self._lock_of(key)):
            for attempt in range(_PLACING_ATTEMPTS):
                try:
                    self._place(key, draft, media_type, metadata, create_only=create_only)
                    break
                except FileNotFoundError:
                    # Somebody removed the prefix, and with it the empty folder, between its opening and the naming.
                    if attempt == _PLACING_ATTEMPTS - 1:
                        raise
        return ObjectReference(
            bucket=self.bucket,
            key=key,
            size=draft.size,
            sha256=draft.sha256,
            etag=draft.sha256,
            media_type=media_type,
        )

    def _place(
        self, key: str, draft: Draft, media_type: str, metadata: Mapping[str, str], *, create_only: bool
    ) -> None:
        folders, name = _split(key)
        with opened_directory(self._root, folders, create=True) as folder:
            earlier = regular_stat(folder, name)
            if earlier and create_only:
                raise FileExistsError(errno.EEXIST, "taken", name)
            status = draft.stat_after(earlier)
            record = Record(draft.size, status.st_mtime_ns, draft.sha256, media_type, dict(metadata))
            replaced = read_record(self._sidecar_of(key), earlier) if earlier else None
            # The record first: a file without its record would be a stranger's, a record without its file is nothing.
            self._write_records(key, [record] if replaced is None else [record, replaced])
            draft.place(folder, name, replace=not create_only)

    def _write_records(self, key: str, records: Sequence[Record]) -> None:
        path = self._sidecar_of(key)
        draft = Draft(self._drafts)
        try:
            draft.write(encode_records(records))
            draft.sync()
            with opened_directory(self._metadata, _parts(self._metadata, path.parent), create=True) as folder:
                draft.place(folder, path.name, replace=True)
        finally:
            draft.discard()

    def get(self, key: str) -> bytes:
        """The whole object."""
        with self.open(key) as source:
            return source.read()

    def get_file(self, reference: ObjectReference, path: Path) -> None:
        """Fetch an object into a file; the file is removed again when its bytes are not the ones referred to."""
        if reference.bucket != self.bucket:
            raise InvalidKey("the object is in another bucket")
        digest = hashlib.sha256()
        with self._handle(reference.key) as handle, path.open("wb") as target:
            for chunk in _chunks(handle):
                digest.update(chunk)
                target.write(chunk)
        if digest.hexdigest() != reference.sha256:
            path.unlink()
            raise ObjectChanged(f"the bytes of {reference.key} are not the ones that were referred to")

    @contextmanager
    def open(self, key: str, *, start: int = 0, length: int | None = None) -> Iterator[BinaryIO]:
        """Read an object, or a range of it; a range behind its end is empty."""
        with self._handle(key) as handle:
            os.lseek(handle, start, os.SEEK_SET)
            reader = _RangeReader(handle, length)
            yield cast(BinaryIO, io.BufferedReader(reader, _CHUNK_BYTES))

    @contextmanager
    def _handle(self, key: str) -> Iterator[int]:
        _check_key(key)
        folders, name = _split(key)
        with _reading(key), opened_directory(self._root, folders) as folder:
            handle = open_regular(folder, name)
        try:
            yield handle
        finally:
            os.close(handle)

    def head(self, key: str) -> ObjectInfo | None:
        """What is known of the object; a link, a pipe or a folder under its name is none."""
        _check_key(key)
        folders, name = _split(key)
        try:
            with _reading(key), opened_directory(self._root, folders) as folder:
                return self._settled_info(key, folder, name)
        except ObjectNotFound:
            return None

    def _settled_info(self, key: str, folder: int, name: str) -> ObjectInfo | None:
        """A file without a record is a stranger's, unless it was replaced since it was looked at: then look again."""
        status = regular_stat(folder, name)
        while status is not None:
            record = read_record(self._sidecar_of(key), status)
            again = None if record else regular_stat(folder, name)
            if record or (again and _foreign_etag(again) == _foreign_etag(status)):
                return self._info(key, status, record)
            status = again
        return None

    def _info(self, key: str, status: os.stat_result, record: Record | None) -> ObjectInfo:
        # The change time cannot be set back: a file that was copied here with its old date is still a new one.
        modified_ns = status.st_mtime_ns if record else max(status.st_mtime_ns, status.st_ctime_ns)
        return ObjectInfo(
            key=key,
            size=status.st_size,
            etag=record.sha256 if record else _foreign_etag(status),
            media_type=record.media_type if record else _FOREIGN_MEDIA_TYPE,
            last_modified=datetime.fromtimestamp(modified_ns / 1e9, UTC),
            age_seconds=max(0, self._now_ns() - modified_ns) / 1e9,
            sha256=record.sha256 if record else None,
            metadata=record.metadata if record else {},
        )

    def _now_ns(self) -> int:
        """The file system's own time: on a network file system it is not this machine's."""
        clock = self._locks / "clock"
        try:
            clock.touch(mode=0o600)
            return clock.stat().st_mtime_ns
        except OSError:
            # A directory that this process may only read.
            return time.time_ns()

    def list(self, prefix: str, *, after: str = "") -> Iterator[ObjectInfo]:
        """Every object under a prefix in key order, one folder at a time. Hidden files are nobody's objects."""
        return (info for key in self._keys(prefix, after) if (info := self.head(key)) is not None)

    def _keys(self, prefix: str, after: str = "") -> Iterator[str]:
        if prefix and not any(top.startswith(prefix) for top in PREFIXES):
            check_prefix(prefix)
        return self._walk("", prefix, after)

    def _walk(self, base: str, prefix: str, after: str) -> Iterator[str]:
        for name in self._entries(base):
            path = base + name
            if name.endswith("/") and (path.startswith(prefix) or prefix.startswith(path)):
                # A folder that sorts before `after` holds nothing behind it, unless `after` lies inside.
                if path > after or after.startswith(path):
                    yield from self._walk(path, prefix, after)
            elif not name.endswith("/") and path.startswith(prefix) and path > after:
                yield path

    def _entries(self, base: str) -> Sequence[str]:
        """The names in a folder in key order, those of folders with a slash at their end."""
        if not base:
            return sorted(PREFIXES)
        folders = base.rstrip("/").split("/")
        try:
            with _reading(base), opened_directory(self._root, folders) as folder, os.scandir(folder) as entries:
                return sorted(_entry_name(entry) for entry in entries if _is_listed(entry))
        except ObjectNotFound:
            return []

    def copy(
        self, source: ObjectInfo, target: str, *, media_type: str, metadata: Mapping[str, str] | None = None
    ) -> ObjectReference:
        """Copy create-only what `source` names; its bytes are looked at again after they were read."""
        with self._handle(source.key) as handle, self._early_writer(target, create_only=True) as writer:
            self._same(source, handle)
            for chunk in _chunks(handle):
                writer.write(chunk)
            self._same(source, handle)
            return writer.commit(media_type=media_type, metadata=metadata)

    def _same(self, source: ObjectInfo, handle: int) -> None:
        status = os.fstat(handle)
        record = read_record(self._sidecar_of(source.key), status)
        if self._info(source.key, status, record).etag != source.etag:
            raise ObjectChanged(f"{source.key} is no longer what it was")

    def delete(self, key: str) -> None:
        """Remove the object, durably."""
        _check_key(key)
        with _writing(), locked(self._lock_of(key)):
            self._unlink(key)

    def delete_exact(self, info: ObjectInfo) -> bool:
        """Remove the object if it is still the one that `info` names; True as well when it is already gone."""
        with _writing(), locked(self._lock_of(info.key)):
            current = self.head(info.key)
            if current is not None and current.etag != info.etag:
                return False
            self._unlink(info.key)
        return True

    def delete_prefix(self, prefix: str) -> int:
        """Remove everything under a prefix, records and empty folders too; how many objects that were."""
        check_prefix(prefix)
        doomed = list(self._keys(prefix))
        for key in doomed:
            self.delete(key)
        with _writing():
            if prefix.endswith("/"):
                _prune(self._root / prefix)
                _prune(self._metadata / prefix, files=True)
        return len(doomed)

    def remove_leftovers(self, older_than_seconds: float) -> int:
        """Remove the drafts of writers that died."""
        with _writing():
            return clear_orphans(self._drafts, self._now_ns() / 1e9 - older_than_seconds)

    def temporary_url(self, key: str, *, seconds: int) -> str | None:
        """There is no server that would answer under an address."""
        return None

    def weakness(self) -> str | None:
        """None: a file system does all that is asked of it."""
        return None

    def _unlink(self, key: str) -> None:
        folders, name = _split(key)
        with suppress(FileNotFoundError, NotADirectoryError), opened_directory(self._root, folders) as folder:
            if regular_stat(folder, name) is not None:
                os.unlink(name, dir_fd=folder)
                os.fsync(folder)
        with suppress(FileNotFoundError, NotADirectoryError):
            self._sidecar_of(key).unlink()

    def _sidecar_of(self, key: str) -> Path:
        return sidecar_path(self._metadata, key)

    def _lock_of(self, key: str) -> Path:
        return self._locks / f"{hashlib.sha256(key.encode()).digest()[0] % _LOCKS:02x}"


class DirectoryObjectWriter:
    """A file being written aside; `commit` gives it its name."""

    def __init__(self, store: DirectoryObjectStore, key: str, draft: Draft, *, create_only: bool) -> None:
        self._store = store
        self._key = key
        self._draft = draft
        self._create_only = create_only

    def write(self, chunk: bytes) -> None:
        """Add bytes. Raises Unavailable when the disk is full."""
        with _writing():
            self._draft.write(chunk)

    def sha256(self) -> str:
        """The digest (hex) of what was written so far."""
        return self._draft.sha256

    def commit(self, *, media_type: str, metadata: Mapping[str, str] | None = None) -> ObjectReference:
        """Make the object visible, whole and durable. Raises ObjectExists."""
        try:
            with _writing():
                return self._store.place(
                    self._key, self._draft, media_type, metadata or {}, create_only=self._create_only
                )
        finally:
            self.abort()

    def abort(self) -> None:
        """Forget what was written; nothing happens after `commit`."""
        self._draft.discard()


class _RangeReader(io.RawIOBase):
    """At most `length` bytes from where the handle stands. The handle is closed by whoever opened it."""

    def __init__(self, handle: int, length: int | None) -> None:
        self._handle = handle
        self._left = length

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        view = memoryview(buffer)
        view = view if self._left is None else view[: self._left]
        read = os.readv(self._handle, [view])
        if self._left is not None:
            self._left -= read
        return read


@contextmanager
def _reading(key: str) -> Iterator[None]:
    try:
        yield
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ObjectNotFound(f"there is no object under {key}") from error
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise ObjectNotFound(f"there is no object under {key}") from error
        raise _unavailable(error) from error


@contextmanager
def _writing() -> Iterator[None]:
    try:
        yield
    except FileExistsError as error:
        raise ObjectExists("there is an object under this key") from error
    except (NotADirectoryError, IsADirectoryError) as error:
        raise InvalidKey("another object or a link is in the way of this key") from error
    except OSError as error:
        raise _unavailable(error) from error


def _unavailable(error: OSError) -> Unavailable:
    return Unavailable(f"the data directory cannot be used: {os.strerror(error.errno or 0)}")


def _check_key(key: str) -> None:
    check_key(key)
    if any(segment.startswith(".") for segment in key.split("/")):
        raise InvalidKey("the key has a hidden segment")
    if any(len(segment.encode()) > 255 for segment in key.split("/")):
        raise InvalidKey("a segment of the key is longer than the 255 bytes a file name may have")


def _split(key: str) -> tuple[list[str], str]:
    *folders, name = key.split("/")
    return folders, name


def _parts(root: Path, path: Path) -> tuple[str, ...]:
    return path.relative_to(root).parts


def _foreign_etag(status: os.stat_result) -> str:
    """Of a file that people put here: every way to change its bytes moves one of these."""
    return f"{status.st_ino:x}-{status.st_size:x}-{status.st_mtime_ns:x}-{status.st_ctime_ns:x}"


def _is_listed(entry: "os.DirEntry[str]") -> bool:
    if entry.name.startswith(".") or "\\" in entry.name or not _is_unicode(entry.name):
        return False
    return entry.is_dir(follow_symlinks=False) or entry.is_file(follow_symlinks=False)


def _is_unicode(name: str) -> bool:
    return name.isascii() or not any("\udc80" <= character <= "\udcff" for character in name)


def _entry_name(entry: "os.DirEntry[str]") -> str:
    return entry.name + "/" if entry.is_dir(follow_symlinks=False) else entry.name


def _chunks(handle: int) -> Iterator[bytes]:
    while chunk := os.read(handle, _CHUNK_BYTES):
        yield chunk


def _prune(directory: Path, *, files: bool = False) -> None:
    """Remove empty folders, the given one last; with `files` also what is in them."""
    for path, _, names in os.walk(directory, topdown=False):
        for name in names if files else ():
            Path(path, name).unlink(missing_ok=True)
        with suppress(OSError):
            Path(path).rmdir()
