"""The object store as the rest of DocuElevate sees it. No vendor's words in here."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Protocol

from shared.documents import ObjectReference


@dataclass(frozen=True)
class ObjectInfo:
    """What a HEAD tells. `etag` is opaque; `version_id` on versioned buckets only; `age_seconds` by the store's clock.

    `sha256` is missing where the object was not written by an object store of ours.
    """

    key: str
    size: int
    etag: str
    media_type: str
    last_modified: datetime
    age_seconds: float
    version_id: str | None = None
    sha256: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


class ObjectWriter(Protocol):
    """An object being written in pieces. Nothing is visible under the key before `commit`."""

    def write(self, chunk: bytes) -> None:
        """Add bytes. Raises Unavailable where the store does not take them."""

    def sha256(self) -> str:
        """The digest (hex) of what was written so far, so that a duplicate is known before `commit`."""

    def commit(self, *, media_type: str, metadata: Mapping[str, str] | None = None) -> ObjectReference:
        """Make the object visible, whole. Raises ObjectExists for a create-only writer that came second."""

    def abort(self) -> None:
        """Forget what was written. Leaving the context without `commit` does the same."""


class ObjectStore(Protocol):
    """One bucket. Every method raises Unavailable when the store does not answer, Throttled when it asks for less."""

    bucket: str

    def put(
        self,
        key: str,
        body: bytes,
        *,
        media_type: str,
        create_only: bool = False,
        metadata: Mapping[str, str] | None = None,
    ) -> ObjectReference:
        """Write a small object at once. Raises ObjectExists with `create_only` where the key is taken."""

    def put_file(
        self,
        key: str,
        path: Path,
        *,
        media_type: str,
        create_only: bool = False,
        metadata: Mapping[str, str] | None = None,
    ) -> ObjectReference:
        """Write a file of any size. Raises as `put`."""

    def writer(self, key: str, *, create_only: bool = False) -> AbstractContextManager[ObjectWriter]:
        """Write a stream of unknown length; memory does not grow with it."""

    def get(self, key: str) -> bytes:
        """The whole object, for small ones. Raises ObjectNotFound."""

    def get_file(self, reference: ObjectReference, path: Path) -> None:
        """Fetch an object into a file and verify its sha256.

        Raises ObjectNotFound, or ObjectChanged where the bytes are not the ones referred to.
        """

    def open(self, key: str, *, start: int = 0, length: int | None = None) -> AbstractContextManager[BinaryIO]:
        """Read an object, or a range of it, as a stream. Raises ObjectNotFound."""

    def head(self, key: str) -> ObjectInfo | None:
        """What is known of the object; None where there is none."""

    def list(self, prefix: str, *, after: str = "") -> Iterator[ObjectInfo]:
        """Every object under a prefix in key order, fetched as needed. `sha256` and `metadata` may be missing.

        With `after` only the keys that come behind that one, which itself need not be there.
        """

    def copy(
        self, source: ObjectInfo, target: str, *, media_type: str, metadata: Mapping[str, str] | None = None
    ) -> ObjectReference:
        """Copy create-only, pinned to the version or etag that `source` names, hashed on the way.

        Raises ObjectChanged, ObjectNotFound, or ObjectExists.
        """

    def delete(self, key: str) -> None:
        """Remove the object; it is fine if there is none."""

    def delete_exact(self, info: ObjectInfo) -> bool:
        """Remove exactly the version that `info` names. False where it changed or the store can not make sure.

        True as well when the object is already gone. Older versions, which it had replaced, do not come back to light.
        """

    def delete_prefix(self, prefix: str) -> int:
        """Remove everything under a prefix, all versions; how many objects that were."""

    def remove_leftovers(self, older_than_seconds: float) -> int:
        """Remove what writers that died have left unfinished for that long; how many. Objects are never touched."""

    def temporary_url(self, key: str, *, seconds: int) -> str | None:
        """An address under which this one object can be read for so long without signing in; None where there is none.

        It is a secret: not for logs, events or rows.
        """

    def weakness(self) -> str | None:
        """What the store can not promise of what is said here, in a sentence for the operator; None for nothing.

        Found out by trying, once. Raises Unavailable.
        """
