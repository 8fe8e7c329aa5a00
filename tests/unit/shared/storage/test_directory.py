"""What only a directory can be asked: strangers' files, links, hidden names, durability, leftovers."""

import fcntl
import hashlib
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from shared.errors import InvalidKey, ObjectChanged, ObjectExists, ObjectNotFound, Unavailable
from shared.storage.directory import DirectoryObjectStore

KEY = "documents/0190a1b2-c3d4-7e5f-8a9b-0123456789ab/original"
TEXT = "text/plain"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def store(root: Path) -> DirectoryObjectStore:
    return DirectoryObjectStore(root)


@contextmanager
def calls_into_the_system(seen: list[str]) -> Iterator[None]:
    """Note the name of every system call that this thread makes through Python, in order."""

    def note(_frame: object, event: str, argument: object) -> None:
        if event == "c_call" and getattr(argument, "__module__", "") == "posix":
            seen.append(getattr(argument, "__name__", ""))

    sys.setprofile(note)
    try:
        yield
    finally:
        sys.setprofile(None)


def keys(store: DirectoryObjectStore, prefix: str = "") -> list[str]:
    return [info.key for info in store.list(prefix)]


def test_an_object_is_a_plain_private_file_under_its_key(store: DirectoryObjectStore, root: Path) -> None:
    store.put(KEY, b"hello", media_type=TEXT)
    assert (root / KEY).read_bytes() == b"hello"
    assert (root / KEY).stat().st_mode & 0o077 == 0


def test_the_folder_for_dropped_files_is_there_from_the_start(store: DirectoryObjectStore, root: Path) -> None:
    assert (root / "incoming").is_dir()
    assert keys(store) == []


def test_another_store_on_the_same_directory_sees_the_same(store: DirectoryObjectStore, root: Path) -> None:
    store.put(KEY, b"hello", media_type=TEXT, metadata={"filename": "ü"})
    other, own = DirectoryObjectStore(root).head(KEY), store.head(KEY)
    assert other is not None
    assert own is not None
    assert (other.etag, other.metadata, other.sha256) == (own.etag, own.metadata, own.sha256)


def test_bytes_are_synced_before_their_name_appears_and_the_folder_after(store: DirectoryObjectStore) -> None:
    store.put(KEY, b"x", media_type=TEXT)
    seen: list[str] = []
    with calls_into_the_system(seen):
        store.put(KEY + "-2", b"x", media_type=TEXT, create_only=True)
    order = [name for name in seen if name in ("write", "fsync", "rename", "link")]
    assert order == ["write", "fsync", "write", "fsync", "rename", "fsync", "link", "fsync"]


# Strangers' files


def test_a_dropped_file_is_an_object_of_which_little_is_known(store: DirectoryObjectStore, root: Path) -> None:
    (root / "incoming/letter.pdf").write_bytes(b"%PDF")
    info = store.head("incoming/letter.pdf")
    assert info is not None
    assert (info.size, info.sha256, info.media_type) == (4, None, "application/octet-stream")
    assert keys(store, "incoming/") == ["incoming/letter.pdf"]


def test_a_file_changed_by_hand_has_another_etag_and_no_old_metadata(store: DirectoryObjectStore, root: Path) -> None:
    store.put(KEY, b"hello", media_type=TEXT, metadata={"filename": "a"})
    before = store.head(KEY)
    (root / KEY).write_bytes(b"jello!")
    after = store.head(KEY)
    assert before is not None
    assert after is not None
    assert before.etag != after.etag
    assert (after.sha256, after.metadata) == (None, {})
    assert not store.delete_exact(before)


def test_a_file_copied_with_its_old_date_is_young(store: DirectoryObjectStore, root: Path) -> None:
    (root / "incoming/old.pdf").write_bytes(b"x")
    os.utime(root / "incoming/old.pdf", (1_000_000_000, 1_000_000_000))
    info = store.head("incoming/old.pdf")
    assert info is not None
    assert info.age_seconds < 60


def test_bytes_changed_under_the_old_size_and_date_are_noticed(store: DirectoryObjectStore, root: Path) -> None:
    path = root / "incoming/scan.pdf"
    path.write_bytes(b"one")
    os.utime(path, (1_000_000_000, 1_000_000_000))
    seen = store.head("incoming/scan.pdf")
    assert seen is not None
    replacement = root / "incoming/.new"
    replacement.write_bytes(b"two")
    os.utime(replacement, (1_000_000_000, 1_000_000_000))
    replacement.rename(path)
    with pytest.raises(ObjectChanged):
        store.copy(seen, KEY, media_type=TEXT)
    assert not store.delete_exact(seen)
    assert path.read_bytes() == b"two"


@pytest.mark.parametrize("create", [Path.mkdir, os.mkfifo])
def test_what_is_no_file_is_no_object(
    store: DirectoryObjectStore, root: Path, create: Callable[[Path], object]
) -> None:
    create(root / "incoming/thing")
    assert store.head("incoming/thing") is None
    with pytest.raises(ObjectNotFound):
        store.get("incoming/thing")
    store.delete("incoming/thing")
    assert (root / "incoming/thing").exists()
    assert keys(store) == []


def test_a_link_out_of_the_directory_is_not_followed(store: DirectoryObjectStore, root: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(b"secret")
    (root / "incoming/file").symlink_to(outside / "secret")
    (root / "incoming/folder").symlink_to(outside)
    assert keys(store) == []
    for key in ("incoming/file", "incoming/folder/secret"):
        assert store.head(key) is None
        with pytest.raises(ObjectNotFound):
            store.get(key)
        store.delete(key)
    with pytest.raises(InvalidKey):
        store.put("incoming/folder/new", b"x", media_type=TEXT)
    with pytest.raises(ObjectExists):
        store.put("incoming/file", b"x", media_type=TEXT, create_only=True)
    store.delete_prefix("incoming/folder/")
    assert [path.name for path in outside.iterdir()] == ["secret"]
    assert (outside / "secret").read_bytes() == b"secret"


def test_hidden_and_unreadable_names_are_nobodys_objects(store: DirectoryObjectStore, root: Path) -> None:
    (root / "incoming/.part").write_bytes(b"x")
    (root / "incoming/a\\b").write_bytes(b"x")
    with open(os.fsencode(root) + b"/incoming/\xff.pdf", "wb"):
        pass
    assert keys(store) == []
    with pytest.raises(InvalidKey):
        store.head("incoming/.part")


def test_a_name_longer_than_file_systems_take_is_refused_clearly(store: DirectoryObjectStore) -> None:
    with pytest.raises(InvalidKey, match="255 bytes"):
        store.put("incoming/" + "ü" * 128, b"x", media_type=TEXT)


@pytest.mark.parametrize("length", [250, 251, 255])
def test_the_longest_names_keep_their_metadata(store: DirectoryObjectStore, length: int) -> None:
    key = "incoming/" + "n" * length
    store.put(key, b"x", media_type=TEXT, metadata={"filename": "a"})
    info = store.head(key)
    assert info is not None
    assert info.metadata == {"filename": "a"}


def test_a_key_below_another_object_is_refused(store: DirectoryObjectStore) -> None:
    store.put(KEY, b"x", media_type=TEXT)
    with pytest.raises(InvalidKey):
        store.put(KEY + "/below", b"x", media_type=TEXT)
    assert store.head(KEY + "/below") is None


# Removal and leftovers


def test_a_removed_prefix_leaves_neither_folders_nor_records(store: DirectoryObjectStore, root: Path) -> None:
    store.put(KEY, b"x", media_type=TEXT, metadata={"filename": "private.pdf"})
    prefix = KEY.removesuffix("original")
    assert store.delete_prefix(prefix) == 1
    assert not (root / prefix).exists()
    assert not (root / ".metadata" / prefix).exists()


def test_a_record_without_its_object_is_removed_too(store: DirectoryObjectStore, root: Path) -> None:
    store.put(KEY, b"x", media_type=TEXT, metadata={"filename": "private.pdf"})
    (root / KEY).unlink()
    store.delete(KEY)
    assert [path for path in (root / ".metadata").rglob("*") if path.is_file()] == []


def test_drafts_of_the_dead_are_cleared_and_those_of_the_living_stay(store: DirectoryObjectStore, root: Path) -> None:
    orphan = root / ".drafts/orphan"
    orphan.write_bytes(b"x")
    os.utime(orphan, (1_000_000_000, 1_000_000_000))
    with store.writer(KEY) as writer:
        writer.write(b"x")
        (living,) = [path for path in (root / ".drafts").iterdir() if path != orphan]
        os.utime(living, (1_000_000_000, 1_000_000_000))
        DirectoryObjectStore(root)
        assert not orphan.exists()
        writer.commit(media_type=TEXT)
    assert store.get(KEY) == b"x"
    assert list((root / ".drafts").iterdir()) == []


def test_young_drafts_are_left_alone_at_the_start(store: DirectoryObjectStore, root: Path) -> None:
    (root / ".drafts/young").write_bytes(b"x")
    DirectoryObjectStore(root)
    assert (root / ".drafts/young").exists()
    assert store.remove_leftovers(0) == 1


def test_a_reader_never_sees_bytes_and_metadata_of_different_writes(store: DirectoryObjectStore) -> None:
    bodies = {number: b"%d" % number * 100 for number in range(10)}
    store.put(KEY, bodies[0], media_type=TEXT, metadata={"number": "0"})
    done = threading.Event()

    def rewrite() -> None:
        for turn in range(100):
            number = turn % 10
            store.put(KEY, bodies[number], media_type=TEXT, metadata={"number": str(number)})
        done.set()

    writer = threading.Thread(target=rewrite)
    writer.start()
    while not done.is_set():
        info = store.head(KEY)
        assert info is not None
        assert info.sha256 == hashlib.sha256(bodies[int(info.metadata["number"])]).hexdigest()
    writer.join()


def test_writers_of_one_key_wait_for_each_other(store: DirectoryObjectStore, root: Path) -> None:
    store.put(KEY, b"x", media_type=TEXT)
    (lock,) = [path for path in (root / ".locks").iterdir() if path.name != "clock"]
    other = threading.Thread(target=lambda: store.put(KEY, b"y", media_type=TEXT))
    with lock.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        other.start()
        other.join(0.2)
        assert other.is_alive()
        assert store.get(KEY) == b"x"
    other.join()
    assert store.get(KEY) == b"y"


def test_a_directory_that_cannot_be_used_is_an_unavailable_store(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises((Unavailable, InvalidKey, ObjectExists)):
        DirectoryObjectStore(tmp_path / "file")
    store = DirectoryObjectStore(tmp_path / "data")
    (tmp_path / "data/.drafts").rmdir()
    with pytest.raises(Unavailable):
        store.put(KEY, b"x", media_type=TEXT)
