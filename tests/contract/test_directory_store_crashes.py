"""A process is killed before each of its system calls in turn: the directory store is never left in between."""

import hashlib
import itertools
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from shared.storage.directory import DirectoryObjectStore
from shared.storage.port import ObjectInfo

KEY = "documents/0190a1b2-c3d4-7e5f-8a9b-0123456789ab/original"
OLD, NEW = b"old bytes", b"new bytes, longer"
Action = Callable[[DirectoryObjectStore], object]


def create(store: DirectoryObjectStore) -> None:
    store.put(KEY, NEW, media_type="text/new", create_only=True, metadata={"version": "new"})


def replace(store: DirectoryObjectStore) -> None:
    store.put(KEY, NEW, media_type="text/new", metadata={"version": "new"})


def copy(store: DirectoryObjectStore) -> None:
    source = store.head("incoming/source")
    assert source is not None
    store.copy(source, KEY, media_type="text/new", metadata={"version": "new"})


def remove(store: DirectoryObjectStore) -> None:
    store.delete(KEY)


def remove_prefix(store: DirectoryObjectStore) -> None:
    store.delete_prefix(KEY.removesuffix("original"))


def survives(root: Path, action: Action, calls: int) -> bool:
    """Run the action in a process that is killed before system call number `calls`; whether it came to its end."""
    child = os.fork()
    if child == 0:
        _act_and_exit(root, action, calls)
    _, status = os.waitpid(child, 0)
    assert status in (0, signal.SIGKILL)
    return status == 0


def _act_and_exit(root: Path, action: Action, calls: int) -> NoReturn:
    try:
        _die_at_call(calls)
        action(DirectoryObjectStore(root))
        sys.setprofile(None)
        os._exit(0)
    finally:
        os._exit(1)


def _die_at_call(calls: int) -> None:
    left = itertools.count(calls - 1, -1)

    def count(_frame: object, event: str, argument: object) -> None:
        if event == "c_call" and getattr(argument, "__module__", "") in ("posix", "fcntl") and next(left) == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.setprofile(count)


def prepared(root: Path, *, existing: bool) -> DirectoryObjectStore:
    store = DirectoryObjectStore(root)
    store.put("incoming/source", NEW, media_type="text/source")
    if existing:
        store.put(KEY, OLD, media_type="text/old", metadata={"version": "old"})
    return store


def version(info: ObjectInfo | None, body: bytes | None) -> str | None:
    """Which version is there, after making sure that everything known of it is of that version."""
    if info is None or body is None:
        assert info is None
        assert body is None
        return None
    name = info.metadata["version"]
    assert body == {"old": OLD, "new": NEW}[name]
    assert (info.media_type, info.sha256) == (f"text/{name}", hashlib.sha256(body).hexdigest())
    return name


@pytest.mark.parametrize(
    ("action", "before", "after"),
    [
        (create, None, "new"),
        (replace, "old", "new"),
        (copy, None, "new"),
        (remove, "old", None),
        (remove_prefix, "old", None),
    ],
)
def test_a_kill_anywhere_leaves_the_old_state_or_the_new_and_a_retry_completes(
    tmp_path: Path, action: Action, before: str | None, after: str | None
) -> None:
    seen = set()
    for calls in itertools.count(1):
        root = tmp_path / str(calls)
        store = prepared(root, existing=before == "old")
        ended = survives(root, action, calls)
        reader = DirectoryObjectStore(root)
        found = version(reader.head(KEY), (root / KEY).read_bytes() if (root / KEY).exists() else None)
        assert found in (before, after)
        seen.add(found)
        if found != after:
            action(store)
            assert version(reader.head(KEY), reader.get(KEY) if after else None) == after
        reader.remove_leftovers(0)
        assert list((root / ".drafts").iterdir()) == []
        if ended:
            break
    assert calls > 10
    assert seen == {before, after}
