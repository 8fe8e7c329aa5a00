"""What every object store must do, tried on a directory and on every real S3 server that is at hand.

Servers promise different things; where one promises less, the test says what is left.
"""

import hashlib
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError

from shared.documents import ObjectReference
from shared.errors import InvalidKey, ObjectChanged, ObjectExists, ObjectNotFound, Unavailable
from shared.storage.directory import DirectoryObjectStore
from shared.storage.port import ObjectStore
from shared.storage.s3 import S3ObjectStore, s3_client
from shared.storage.settings import UnsafeObjectStore, object_store
from tests.servers.buckets import new_bucket, settings_for
from tests.servers.ceph import DOMAIN, S3Server
from tests.servers.s3_servers import available_servers

ID = "0190a1b2-c3d4-7e5f-8a9b-0123456789ab"
KEY = f"documents/{ID}/original"
TEXT = "text/plain"
MEBIBYTE = 1 << 20


# Only one server runs at a time: pytest goes through the tests server by server.
SERVERS = ["given"] if os.environ.get("S3_ENDPOINT_URL") else sorted(available_servers())
WITH_VERSIONS = [name for name in SERVERS if name != "rclone"]
BY_HOST_NAME = [name for name in SERVERS if name in ("ceph", "minio")]


@pytest.fixture(scope="module")
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server | None]:
    """An S3 server; None for the store that is a directory."""
    if request.param == "directory":
        yield None
    elif request.param in ("given", "ceph"):
        yield request.getfixturevalue("s3_server")
    else:
        with available_servers()[request.param](tmp_path_factory.mktemp(request.param)) as running:
            yield running


@pytest.fixture
def store(server: S3Server | None, tmp_path: Path) -> Iterator[ObjectStore]:
    """An empty store."""
    if server is None:
        yield DirectoryObjectStore(tmp_path / "data")
    else:
        with new_bucket(server) as opened:
            yield opened


@pytest.fixture
def s3(server: S3Server) -> Iterator[S3ObjectStore]:
    with new_bucket(server) as opened:
        yield opened


@pytest.fixture
def versioned(server: S3Server) -> Iterator[S3ObjectStore]:
    with new_bucket(server, versioned=True) as opened:
        yield opened


@pytest.fixture
def by_host_name(server: S3Server, s3: S3ObjectStore, monkeypatch: pytest.MonkeyPatch) -> S3ObjectStore:
    """The same bucket, whose name stands in the host's."""
    resolve = socket.getaddrinfo

    def resolved(host: Any, *rest: Any, **more: Any) -> Any:
        return resolve("127.0.0.1" if host == f"{s3.bucket}.{DOMAIN}" else host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    endpoint_url = server.endpoint_url.replace("127.0.0.1", DOMAIN)
    virtual = {"s3_addressing_style": "virtual", "s3_endpoint_url": endpoint_url}
    return S3ObjectStore(s3_client(settings_for(server, s3.bucket).model_copy(update=virtual)), s3.bucket)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "server" not in metafunc.fixturenames:
        return
    wanted = {"by_host_name": BY_HOST_NAME, "versioned": WITH_VERSIONS, "s3": SERVERS}
    names = next((wanted[name] for name in wanted if name in metafunc.fixturenames), ["directory", *SERVERS])
    metafunc.parametrize("server", names, indirect=True, scope="module")


def creates_only(store: ObjectStore) -> bool:
    return not isinstance(store, S3ObjectStore) or store.creates_only()


def sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def write_all(store: ObjectStore, key: str, chunks: list[bytes], *, create_only: bool = False) -> ObjectReference:
    with store.writer(key, create_only=create_only) as writer:
        for chunk in chunks:
            writer.write(chunk)
        return writer.commit(media_type="application/pdf", metadata={"filename": "book.pdf"})


# Reading what was written


def test_an_object_comes_back_with_everything_known_of_it(store: ObjectStore) -> None:
    reference = store.put(KEY, b"hello", media_type=TEXT, metadata={"filename": "a.txt"})
    info = store.head(KEY)
    assert info is not None
    assert store.get(KEY) == b"hello"
    assert reference == ObjectReference(
        bucket=store.bucket, key=KEY, size=5, sha256=sha256(b"hello"), etag=info.etag, media_type=TEXT
    )
    assert (info.key, info.size, info.sha256, info.media_type) == (KEY, 5, sha256(b"hello"), TEXT)
    assert info.metadata == {"filename": "a.txt"}


def test_an_empty_object_is_an_object(store: ObjectStore) -> None:
    store.put(KEY, b"", media_type=TEXT)
    info = store.head(KEY)
    assert info is not None
    assert (info.size, info.sha256) == (0, sha256(b""))
    assert store.get(KEY) == b""


def test_what_is_not_there_is_not_found(store: ObjectStore) -> None:
    assert store.head(KEY) is None
    with pytest.raises(ObjectNotFound):
        store.get(KEY)
    with pytest.raises(ObjectNotFound), store.open(KEY, start=1, length=0):
        pass
    with pytest.raises(ObjectNotFound), store.open(KEY) as source:
        source.read()


def test_writing_again_replaces_bytes_and_everything_known_of_them(store: ObjectStore) -> None:
    first = store.put(KEY, b"one", media_type=TEXT, metadata={"filename": "1"})
    second = store.put(KEY, b"two", media_type="image/png")
    info = store.head(KEY)
    assert info is not None
    assert store.get(KEY) == b"two"
    assert (info.sha256, info.media_type, info.metadata) == (sha256(b"two"), "image/png", {})
    assert first.etag != second.etag == info.etag


@pytest.mark.parametrize(
    ("start", "length", "expected"),
    [
        (0, None, b"0123456789"),
        (3, None, b"3456789"),
        (3, 4, b"3456"),
        (0, 1, b"0"),
        (9, 1, b"9"),
        (8, 100, b"89"),
        (10, None, b""),
        (50, 5, b""),
        (2, 0, b""),
    ],
)
def test_a_range_is_cut_to_the_object(store: ObjectStore, start: int, length: int | None, expected: bytes) -> None:
    store.put(KEY, b"0123456789", media_type=TEXT)
    with store.open(KEY, start=start, length=length) as source:
        assert source.read() == expected


def test_an_object_can_be_read_in_pieces(store: ObjectStore) -> None:
    store.put(KEY, b"0123456789" * 1000, media_type=TEXT)
    with store.open(KEY, start=5) as source:
        pieces = iter(lambda: source.read(777), b"")
        assert b"".join(pieces) == (b"0123456789" * 1000)[5:]


def test_a_file_goes_in_and_comes_out(store: ObjectStore, tmp_path: Path) -> None:
    body = os.urandom(3 * MEBIBYTE + 17)
    (tmp_path / "in").write_bytes(body)
    reference = store.put_file(KEY, tmp_path / "in", media_type="application/pdf", create_only=True)
    store.get_file(reference, tmp_path / "out")
    assert (reference.size, reference.sha256) == (len(body), sha256(body))
    assert (tmp_path / "out").read_bytes() == body


def test_wrong_bytes_are_noticed_and_not_left_behind(store: ObjectStore, tmp_path: Path) -> None:
    reference = store.put(KEY, b"right", media_type=TEXT)
    store.put(KEY, b"wrong", media_type=TEXT)
    with pytest.raises(ObjectChanged):
        store.get_file(reference, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_reference_into_another_bucket_is_refused(store: ObjectStore, tmp_path: Path) -> None:
    reference = store.put(KEY, b"x", media_type=TEXT)
    with pytest.raises(InvalidKey):
        store.get_file(reference.model_copy(update={"bucket": "elsewhere"}), tmp_path / "out")


# Names and metadata


@pytest.mark.parametrize(
    "name",
    ["Übergröße €.pdf", "請求書 2024.pdf", "a+b%20c&d=e?f#g.txt", 'it\'s "quoted" <b>.pdf', "tab\tnewline\n", "😀"],
)
def test_any_name_and_any_metadata_come_back_as_they_were(store: ObjectStore, name: str) -> None:
    key = f"incoming/{name}"
    store.put(key, b"x", media_type=TEXT, metadata={"filename": name, "padded": "  two  blanks "})
    info = store.head(key)
    assert info is not None
    assert info.metadata == {"filename": name, "padded": "  two  blanks "}
    assert store.get(key) == b"x"
    assert [found.key for found in store.list("incoming/")] == [key]


@pytest.mark.parametrize(
    "key",
    [
        "",
        "/etc/passwd",
        "elsewhere/x",
        "documents",
        "documents/",
        "documents/../x",
        "documents/x/../../y",
        "documents/./x",
        "documents//x",
        "documents/x/",
        "documents/a\\b",
        "documents/a\0b",
        "documents/\udcff",
        "documents/" + "x/" * 600 + "x",
        "staging/x",
        ".metadata/documents/x",
    ],
)
def test_a_hostile_key_is_refused_before_anything_is_written(store: ObjectStore, key: str) -> None:
    with pytest.raises(InvalidKey):
        store.put(key, b"x", media_type=TEXT)
    with pytest.raises(InvalidKey), store.writer(key):
        pass
    assert list(store.list("")) == []


@pytest.mark.parametrize("key", ["/etc/passwd", "documents/../x", "incoming/../documents/x", "elsewhere/x", "\0"])
def test_a_hostile_key_is_refused_by_every_reader_and_remover(store: ObjectStore, key: str) -> None:
    calls: list[Callable[[str], object]] = [store.head, store.get, store.delete, store.delete_prefix]
    for call in calls:
        with pytest.raises(InvalidKey):
            call(key)


def test_no_prefix_removes_everything_at_once(store: ObjectStore) -> None:
    with pytest.raises(InvalidKey):
        store.delete_prefix("")


# Create-only


def test_a_create_only_write_leaves_what_is_there(store: ObjectStore, tmp_path: Path) -> None:
    store.put(KEY, b"first", media_type=TEXT, create_only=True, metadata={"by": "first"})
    (tmp_path / "second").write_bytes(b"second")
    with pytest.raises(ObjectExists):
        store.put(KEY, b"second", media_type="a/b", create_only=True, metadata={"by": "second"})
    with pytest.raises(ObjectExists):
        store.put_file(KEY, tmp_path / "second", media_type="a/b", create_only=True)
    with pytest.raises(ObjectExists):
        write_all(store, KEY, [b"second"], create_only=True)
    info = store.head(KEY)
    assert info is not None
    assert (store.get(KEY), info.media_type, info.metadata) == (b"first", TEXT, {"by": "first"})


def test_one_of_many_simultaneous_creators_wins_and_all_know_it(store: ObjectStore) -> None:
    threads, rounds = 8, 6
    barrier = threading.Barrier(threads)
    won: list[list[int]] = [[] for _ in range(rounds)]
    lost: list[list[int]] = [[] for _ in range(rounds)]

    def create(number: int) -> None:
        for turn in range(rounds):
            barrier.wait()
            try:
                who = {"who": str(number)}
                store.put(f"{KEY}-{turn}", b"%d" % number, media_type=TEXT, create_only=True, metadata=who)
                won[turn].append(number)
            except ObjectExists:
                lost[turn].append(number)

    workers = [threading.Thread(target=create, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for turn in range(rounds):
        if creates_only(store):
            assert len(won[turn]) == 1
        assert len(won[turn]) + len(lost[turn]) == threads
        info = store.head(f"{KEY}-{turn}")
        assert info is not None
        try:
            who = store.get(f"{KEY}-{turn}")
        except Unavailable:
            # A server that lets several in may keep the bytes of one with the digest of another. That is noticed.
            assert not creates_only(store)
            continue
        assert int(who) in won[turn]
        assert info.metadata == {"who": who.decode()}


# Streams


@pytest.mark.parametrize("sizes", [[], [0], [1], [5, 7], [8 * MEBIBYTE], [8 * MEBIBYTE + 1], [3 * MEBIBYTE] * 6])
def test_a_stream_becomes_one_object(store: ObjectStore, sizes: list[int], tmp_path: Path) -> None:
    chunks = [os.urandom(size) for size in sizes]
    body = b"".join(chunks)
    reference = write_all(store, KEY, chunks, create_only=True)
    info = store.head(KEY)
    assert info is not None
    assert (reference.size, reference.sha256, reference.etag) == (len(body), sha256(body), info.etag)
    assert (info.sha256, info.media_type) == (sha256(body), "application/pdf")
    assert info.metadata == {"filename": "book.pdf"}
    store.get_file(reference, tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == body


def test_a_writer_tells_the_digest_before_it_commits(store: ObjectStore) -> None:
    with store.writer(KEY) as writer:
        writer.write(b"abc")
        assert writer.sha256() == sha256(b"abc")


@pytest.mark.parametrize("size", [10, 20 * MEBIBYTE])
def test_nothing_is_visible_before_commit_and_nothing_stays_without_it(store: ObjectStore, size: int) -> None:
    with store.writer(KEY) as writer:
        writer.write(b"x" * size)
        assert store.head(KEY) is None
    with pytest.raises(ZeroDivisionError), store.writer(KEY) as writer:
        writer.write(b"x" * size)
        raise ZeroDivisionError
    assert store.head(KEY) is None
    assert list(store.list("")) == []
    assert store.remove_leftovers(0) == 0


def test_a_long_create_only_stream_leaves_what_is_there(store: ObjectStore) -> None:
    store.put(KEY, b"first", media_type=TEXT)
    with pytest.raises(ObjectExists):
        write_all(store, KEY, [b"x" * MEBIBYTE] * 20, create_only=True)
    assert store.get(KEY) == b"first"
    assert store.remove_leftovers(0) == 0


STREAM_64_MEBIBYTES = """
import resource, sys
from pathlib import Path
from shared.storage.settings import ObjectStoreSettings, object_store

def peak_mebibytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

store, key, out = object_store(ObjectStoreSettings()), sys.argv[1], Path(sys.argv[2])
store.put(key + "-first", b"x" * 1000, media_type="text/plain")
before = peak_mebibytes()
with store.writer(key, create_only=True) as writer:
    for number in range(1024):
        writer.write(b"%04d" % number * (1 << 14))
    reference = writer.commit(media_type="text/plain")
store.get_file(reference, out)
store.put_file(key + "-file", out, media_type="text/plain")
store.copy(store.head(key), key + "-copy", media_type="text/plain")
print(reference.size, peak_mebibytes() - before)
"""


def test_memory_does_not_grow_with_the_size_of_an_object(
    store: ObjectStore, server: S3Server | None, tmp_path: Path
) -> None:
    environment = {"OBJECT_STORE": "directory", "DATA_DIR": str(tmp_path / "data")}
    if server is not None:
        environment = {
            "S3_ENDPOINT_URL": server.endpoint_url,
            "S3_BUCKET": store.bucket,
            "AWS_ACCESS_KEY_ID": server.access_key_id,
            "AWS_SECRET_ACCESS_KEY": server.secret_access_key,
        }
    command = [sys.executable, "-c", STREAM_64_MEBIBYTES, KEY, str(tmp_path / "out")]
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=True)
    size, grown_mebibytes = done.stdout.split()
    assert int(size) == 64 * MEBIBYTE
    assert float(grown_mebibytes) < 40
    assert [info.size for info in store.list(f"documents/{ID}/")] == [64 * MEBIBYTE] * 3 + [1000]


# Lists


def test_a_list_is_complete_and_in_key_order(store: ObjectStore) -> None:
    prefix = f"documents/{ID}/"
    names = [f"part-{number:04}" for number in range(1010)] + ["a-b", "a.b", "a/b", "a/c", "aé", "b/z", "ä"]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda name: store.put(prefix + name, b"", media_type=TEXT), names))
    store.put("tombstones/x", b"", media_type=TEXT)
    expected = sorted((prefix + name for name in names), key=str.encode)
    assert [info.key for info in store.list(prefix)] == expected
    assert [info.key for info in store.list(prefix + "part-000")] == [f"{prefix}part-000{n}" for n in range(10)]
    assert [info.key for info in store.list("documents/")] == expected
    assert [info.key for info in store.list("")] == [*expected, "tombstones/x"]
    for place in (0, 1, 3, 4, 5, 1013, 1014, 1016):
        assert [info.key for info in store.list(prefix, after=expected[place])] == expected[place + 1 :]
    assert [info.key for info in store.list("documents/", after=expected[0][:-1])] == expected
    assert list(store.list("documents/", after="documents0")) == []
    assert store.delete_prefix(prefix) == len(names)
    assert [info.key for info in store.list("")] == ["tombstones/x"]


def test_a_listed_object_is_the_one_that_head_tells_of(store: ObjectStore) -> None:
    store.put("incoming/a.pdf", b"abc", media_type=TEXT)
    (listed,) = store.list("incoming/")
    info = store.head("incoming/a.pdf")
    assert info is not None
    assert (listed.key, listed.size, listed.etag) == (info.key, info.size, info.etag)
    assert abs((listed.last_modified - info.last_modified).total_seconds()) < 1


def test_a_list_of_nothing_is_empty(store: ObjectStore) -> None:
    assert list(store.list("documents/")) == []
    assert list(store.list(f"documents/{ID}/convert/")) == []


def test_the_age_of_a_new_object_is_small(store: ObjectStore) -> None:
    store.put(KEY, b"x", media_type=TEXT)
    info = store.head(KEY)
    assert info is not None
    assert 0 <= info.age_seconds < 60


# Copies


@pytest.mark.parametrize("size", [0, 1000, 9 * MEBIBYTE])
def test_a_copy_has_the_bytes_their_digest_and_its_own_metadata(store: ObjectStore, size: int) -> None:
    body = os.urandom(size)
    store.put("incoming/a", body, media_type=TEXT, metadata={"old": "1"})
    source = store.head("incoming/a")
    assert source is not None
    reference = store.copy(source, KEY, media_type="application/pdf", metadata={"filename": "ä"})
    info = store.head(KEY)
    assert info is not None
    assert store.get(KEY) == body
    assert (reference.size, reference.sha256, reference.etag) == (size, sha256(body), info.etag)
    assert (info.sha256, info.media_type, info.metadata) == (sha256(body), "application/pdf", {"filename": "ä"})


@pytest.mark.parametrize("size", [1000, 9 * MEBIBYTE])
def test_a_copy_is_of_the_object_that_was_looked_at_or_fails(store: ObjectStore, size: int) -> None:
    store.put("incoming/a", b"a" * size, media_type=TEXT)
    source = store.head("incoming/a")
    assert source is not None
    store.put("incoming/a", b"b" * size, media_type=TEXT)
    with pytest.raises(ObjectChanged):
        store.copy(source, KEY, media_type=TEXT)
    store.delete("incoming/a")
    with pytest.raises(ObjectNotFound):
        store.copy(source, KEY, media_type=TEXT)
    assert store.head(KEY) is None


@pytest.mark.parametrize("size", [1000, 9 * MEBIBYTE])
def test_a_copy_never_replaces(store: ObjectStore, size: int) -> None:
    store.put("incoming/a", b"a" * size, media_type=TEXT)
    store.put(KEY, b"first", media_type=TEXT)
    source = store.head("incoming/a")
    assert source is not None
    with pytest.raises(ObjectExists):
        store.copy(source, KEY, media_type=TEXT)
    assert store.get(KEY) == b"first"


# Removal


def test_removing_is_final_and_may_be_repeated(store: ObjectStore) -> None:
    store.put(KEY, b"x", media_type=TEXT)
    store.delete(KEY)
    store.delete(KEY)
    assert store.head(KEY) is None
    store.put(KEY, b"again", media_type=TEXT, create_only=True)
    assert store.get(KEY) == b"again"


def test_an_exact_removal_spares_what_came_later(store: ObjectStore) -> None:
    store.put("incoming/a", b"one", media_type=TEXT)
    seen = store.head("incoming/a")
    assert seen is not None
    store.put("incoming/a", b"two", media_type=TEXT)
    assert store.delete_exact(seen) is False
    assert store.get("incoming/a") == b"two"


def test_an_exact_removal_of_what_is_gone_is_done(store: ObjectStore) -> None:
    store.put("incoming/a", b"one", media_type=TEXT)
    seen = store.head("incoming/a")
    assert seen is not None
    store.delete("incoming/a")
    assert store.delete_exact(seen) is True


def test_an_exact_removal_happens_or_says_that_it_could_not(store: ObjectStore) -> None:
    store.put("incoming/a", b"one", media_type=TEXT)
    seen = store.head("incoming/a")
    assert seen is not None
    removed = store.delete_exact(seen)
    assert (store.head("incoming/a") is None) is removed
    if isinstance(store, S3ObjectStore):
        assert removed is store.capabilities().conditional_delete
    else:
        assert removed


def test_a_prefix_is_removed_with_all_that_is_under_it_and_nothing_else(store: ObjectStore) -> None:
    for key in (KEY, f"documents/{ID}/ocr/f/part.json", f"documents/{ID[:-1]}c/original", f"tombstones/{ID}"):
        store.put(key, b"x", media_type=TEXT)
    assert store.delete_prefix(f"documents/{ID}/") == 2
    assert store.delete_prefix(f"documents/{ID}/") == 0
    assert [info.key for info in store.list("")] == [f"documents/{ID[:-1]}c/original", f"tombstones/{ID}"]


# S3 alone


def test_a_server_is_seen_to_create_only_or_not(s3: S3ObjectStore, request: pytest.FixtureRequest) -> None:
    thin = "rclone" in request.node.name
    assert s3.capabilities().create_only is not thin
    assert (s3.weakness() is None) is not thin
    assert list(s3._pages("")) == [[]]


def test_where_conditional_writes_are_required_a_server_without_them_is_refused(
    s3: S3ObjectStore, server: S3Server
) -> None:
    settings = settings_for(server, s3.bucket).model_copy(update={"require_conditional_writes": True})
    if s3.creates_only():
        object_store(settings).put(KEY, b"x", media_type=TEXT, create_only=True)
    else:
        with pytest.raises(UnsafeObjectStore, match="REQUIRE_CONDITIONAL_WRITES"):
            object_store(settings)


def test_a_bucket_may_stand_in_the_name_of_the_host(by_host_name: S3ObjectStore, s3: S3ObjectStore) -> None:
    by_host_name.put(KEY, b"hello", media_type=TEXT, create_only=True)
    assert by_host_name.get(KEY) == s3.get(KEY) == b"hello"
    assert write_all(by_host_name, f"{KEY}-long", [b"x" * MEBIBYTE] * 9).size == 9 * MEBIBYTE
    assert [info.key for info in by_host_name.list("documents/")] == [KEY, f"{KEY}-long"]
    address = by_host_name.temporary_url(KEY, seconds=60)
    assert address is not None and address.startswith(f"http://{s3.bucket}.{DOMAIN}:")
    assert httpx.get(address).text == "hello"


def test_an_address_for_a_short_time_opens_one_object_for_reading(s3: S3ObjectStore) -> None:
    s3.put(KEY, b"hello", media_type=TEXT)
    url = s3.temporary_url(KEY, seconds=3600)
    assert url is not None
    assert httpx.get(url).text == "hello"
    assert "X-Amz-Expires=300" in url
    assert httpx.get(url.replace("original", "other")).status_code in (403, 404)
    assert httpx.put(url, content=b"else").status_code in (400, 403)
    assert s3.get(KEY) == b"hello"


def test_an_exact_removal_takes_the_one_version_of_a_versioned_bucket(versioned: S3ObjectStore) -> None:
    versioned.put("incoming/a", b"one", media_type=TEXT)
    seen = versioned.head("incoming/a")
    assert seen is not None
    assert seen.version_id is not None
    versioned.put("incoming/a", b"two", media_type=TEXT)
    assert versioned.delete_exact(seen)
    assert versioned.get("incoming/a") == b"two"
    (listed,) = versioned.list("incoming/")
    assert versioned.delete_exact(listed)
    assert versioned.head("incoming/a") is None


def test_what_a_removed_version_had_replaced_does_not_come_back_to_light(versioned: S3ObjectStore) -> None:
    """Some programs make an empty object first, and then write it."""
    for body in (b"", b"one", b"two"):
        versioned.put("incoming/a", body, media_type=TEXT)
    versioned.put("incoming/a.b", b"another", media_type=TEXT)
    seen = versioned.head("incoming/a")
    assert seen is not None
    versioned.put("incoming/a", b"later", media_type=TEXT)
    assert versioned.delete_exact(seen)
    assert [info.key for info in versioned.list("incoming/")] == ["incoming/a", "incoming/a.b"]
    [later] = [info for info in versioned.list("incoming/") if info.key == "incoming/a"]
    assert versioned.get("incoming/a") == b"later"
    assert versioned.delete_exact(later)
    assert [info.key for info in versioned.list("incoming/")] == ["incoming/a.b"]


def test_a_copy_from_a_versioned_bucket_is_of_the_version_that_was_seen(versioned: S3ObjectStore) -> None:
    versioned.put("incoming/a", b"a" * 9 * MEBIBYTE, media_type=TEXT)
    seen = versioned.head("incoming/a")
    assert seen is not None
    versioned.put("incoming/a", b"b", media_type=TEXT)
    assert versioned.copy(seen, KEY, media_type=TEXT).sha256 == sha256(b"a" * 9 * MEBIBYTE)


def test_a_removed_prefix_leaves_no_version_and_no_upload(versioned: S3ObjectStore) -> None:
    for body in (b"one", b"two"):
        versioned.put(KEY, body, media_type=TEXT)
    versioned.delete(KEY)
    client = versioned._client
    client.create_multipart_upload(Bucket=versioned.bucket, Key=KEY)
    assert versioned.delete_prefix(f"documents/{ID}/") == 1
    versions = client.list_object_versions(Bucket=versioned.bucket)
    assert not versions.get("Versions") and not versions.get("DeleteMarkers")
    assert not client.list_multipart_uploads(Bucket=versioned.bucket).get("Uploads")


def test_leftovers_of_dead_writers_are_removed_once_they_are_old(s3: S3ObjectStore) -> None:
    s3._client.create_multipart_upload(Bucket=s3.bucket, Key="staging/a")
    s3._client.put_object(Bucket=s3.bucket, Key="staging/b", Body=b"x")
    s3.put(KEY, b"x", media_type=TEXT)
    assert s3.remove_leftovers(3600) == 0
    assert s3.remove_leftovers(0) == 2
    assert [info.key for info in s3.list("")] == [KEY]


def test_keys_that_s3_users_do_make_can_be_taken_in_and_removed(versioned: S3ObjectStore) -> None:
    for key in ("incoming/a//b.pdf", "incoming/c\\d.pdf", "incoming/folder/", "incoming/../documents/x"):
        with suppress(ClientError):  # Some servers refuse such a key themselves.
            versioned._client.put_object(Bucket=versioned.bucket, Key=key, Body=b"x")
    versioned._client.put_object(Bucket=versioned.bucket, Key="incoming/tag=a b+c/d.pdf", Body=b"x")
    for number, info in enumerate(list(versioned.list("incoming/"))):
        assert ".." not in info.key
        source = versioned.head(info.key)
        assert source is not None
        if info.size:
            assert versioned.copy(source, f"{KEY}-{number}", media_type=TEXT).sha256 == sha256(b"x")
        # MinIO keeps no versions of the markers of folders, which nobody takes in.
        assert versioned.delete_exact(source) or info.key.endswith("/")
    assert {info.key for info in versioned.list("incoming/")} <= {"incoming/folder/"}


def test_a_digest_that_an_uploader_claims_is_not_believed(s3: S3ObjectStore) -> None:
    claimed = {"sha256": sha256(b"else")}
    s3._client.put_object(Bucket=s3.bucket, Key="incoming/a", Body=b"x", Metadata=claimed)
    info = s3.head("incoming/a")
    assert info is not None
    assert info.sha256 is None
