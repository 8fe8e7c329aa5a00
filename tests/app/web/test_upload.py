"""POST /api/documents: what is stored, what is answered, and what leaves no trace."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Engine, func, select
from starlette.testclient import TestClient

from shared.database.engine import reading
from shared.database.tables import Document, OutboxEvent
from shared.errors import Unavailable
from shared.events import DocumentReceived, from_json
from shared.storage import keys
from shared.storage.port import ObjectStore, ObjectWriter
from tests.app.web.conftest import Library, MakeContext, digest
from web.app import create_app

MULTIPART = {"content-type": "multipart/form-data; boundary=B"}


@pytest.fixture
def database(engine: Engine) -> Engine:
    return engine


def stored(store: ObjectStore) -> list[str]:
    return [info.key for info in store.list("documents/")]


def part(disposition: str, body: str, *headers: str) -> str:
    return "\r\n".join(("--B", f"Content-Disposition: form-data; {disposition}", *headers, "", body, ""))


LONG_HEADER = part('name="file"; filename="a"', "x", "A: " + "b" * 20_000).encode()


def test_an_upload_is_stored_and_registered_and_its_first_event_queued(
    client: TestClient, store: ObjectStore, database: Engine
) -> None:
    answer = client.post("/api/documents", files={"file": ("Brief.txt", b"Hallo", "text/plain")})
    assert answer.status_code == 202
    (document,) = answer.json()["documents"]
    assert document["filename"] == "Brief.txt" and document["sha256"] == digest(b"Hallo")
    assert document["status"] == "processing" and document["duplicate_of"] is None
    assert store.get(keys.original(document["id"])) == b"Hallo"
    with reading(database) as session:
        event = from_json(session.scalars(select(OutboxEvent)).one().body)
    data = DocumentReceived.model_validate(event.payload)
    assert (data.document_id, data.filename, data.size) == (document["id"], "Brief.txt", 5)


def test_the_original_carries_what_its_adoption_needs(client: TestClient, store: ObjectStore) -> None:
    answer = client.post("/api/documents", files={"file": ("Größe.pdf", b"x")}, data={"language": "de"})
    info = store.head(keys.original(answer.json()["documents"][0]["id"]))
    assert info is not None
    assert info.metadata["filename"] == "Größe.pdf" and info.metadata["owner"] == "local"
    assert '"de"' in info.metadata["options"]


def test_fields_may_come_after_the_file(client: TestClient) -> None:
    body = part('name="file"; filename="a.txt"', "abc") + part('name="title"', "My title")
    body += part('name="tags"', "red, blue") + part('name="tags"', "green") + "--B--\r\n"
    answer = client.post("/api/documents", content=body.encode(), headers=MULTIPART)
    document = client.get(answer.json()["documents"][0]["links"]["self"]).json()
    assert document["title"] == "My title" and document["tags"] == ["blue", "green", "red"]
    assert document["locked"] == ["tags", "title"] and document["metadata"]["title"]["origin"] == "user"


def test_an_exact_duplicate_answers_200_and_stores_nothing(client: TestClient, store: ObjectStore) -> None:
    first = client.post("/api/documents", files={"file": ("a.txt", b"same")}).json()["documents"][0]
    before = stored(store)
    answer = client.post("/api/documents", files={"file": ("b.txt", b"same")})
    again = answer.json()["documents"][0]
    assert answer.status_code == 200 and again["id"] == again["duplicate_of"] == first["id"]
    assert stored(store) == before


def test_a_duplicate_of_another_owner_is_none(client: TestClient, library: Library) -> None:
    library.received("theirs.txt", b"same", owner="somebody")
    assert client.post("/api/documents", files={"file": ("a.txt", b"same")}).status_code == 202


def test_a_duplicate_among_new_files_answers_202(client: TestClient) -> None:
    client.post("/api/documents", files={"file": ("a.txt", b"same")})
    files = [("file", ("a.txt", b"same")), ("file", ("b.txt", b"new")), ("file", ("c.txt", b"new"))]
    answer = client.post("/api/documents", files=files)
    first, second, third = answer.json()["documents"]
    assert answer.status_code == 202
    assert first["duplicate_of"] == first["id"] and second["duplicate_of"] is None
    assert third["duplicate_of"] == second["id"]


def test_force_stores_a_duplicate(client: TestClient) -> None:
    first = client.post("/api/documents", files={"file": ("a.txt", b"same")}).json()["documents"][0]
    answer = client.post("/api/documents", files={"file": ("a.txt", b"same")}, data={"force": "true"})
    assert answer.status_code == 202 and answer.json()["documents"][0]["id"] != first["id"]


def test_a_duplicate_in_the_trash_offers_restore(client: TestClient) -> None:
    first = client.post("/api/documents", files={"file": ("a.txt", b"same")}).json()["documents"][0]
    client.delete(first["links"]["self"])
    answer = client.post("/api/documents", files={"file": ("a.txt", b"same")})
    again = answer.json()["documents"][0]
    assert answer.status_code == 200 and again["trashed"] and again["status"] == "trashed"
    assert client.post(again["links"]["restore"]).json()["status"] == "processing"


def test_equal_uploads_at_once_make_one_document(client: TestClient, store: ObjectStore) -> None:
    barrier = threading.Barrier(4)

    def send(number: int) -> tuple[int, str]:
        barrier.wait()
        answer = client.post("/api/documents", files={"file": (f"{number}.txt", b"same" * 1000)})
        return answer.status_code, answer.json()["documents"][0]["id"]

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(send, range(4)))
    assert sorted(status for status, _ in answers) == [200, 200, 200, 202]
    assert len({document_id for _, document_id in answers}) == 1
    assert stored(store) == [keys.original(answers[0][1])]


def test_the_same_idempotency_key_gets_the_same_answer(client: TestClient, store: ObjectStore) -> None:
    def send() -> tuple[int, object]:
        headers = {"Idempotency-Key": "k-1"}
        answer = client.post("/api/documents", files={"file": ("a.txt", b"abc")}, headers=headers)
        return answer.status_code, answer.json()

    assert send() == send() and len(stored(store)) == 1


def test_an_idempotency_key_is_good_for_the_same_files_only(client: TestClient, store: ObjectStore) -> None:
    headers = {"Idempotency-Key": "k-1"}
    client.post("/api/documents", files={"file": ("a.txt", b"abc")}, headers=headers)
    for other in ([("file", ("a.txt", b"abd"))], [("file", ("a.txt", b"abc")), ("file", ("b.txt", b"b"))]):
        answer = client.post("/api/documents", files=other, headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "idempotency_key_reused")
    assert len(stored(store)) == 1


def test_the_same_idempotency_key_at_once_makes_one_document(client: TestClient, store: ObjectStore) -> None:
    barrier = threading.Barrier(4)

    def send(_number: int) -> str:
        barrier.wait()
        files, headers = {"file": ("a.txt", b"abc")}, {"Idempotency-Key": "k-2"}
        return client.post("/api/documents", files=files, data={"force": "true"}, headers=headers).text

    with ThreadPoolExecutor(4) as pool:
        answers = set(pool.map(send, range(4)))
    assert len(answers) == 1 and len(stored(store)) == 1


@pytest.mark.parametrize(
    ("request_", "status", "code"),
    [
        ({"files": {"file": ("a.txt", b"")}}, 422, "empty"),
        ({"files": [("file", ("a.txt", b"x")), ("file", ("b.txt", b""))]}, 422, "empty"),
        ({"json": {"file": "x"}}, 415, "unsupported_media_type"),
        ({"content": b"x", "headers": {"content-type": "application/pdf"}}, 415, "unsupported_media_type"),
        ({"files": {"other": ("a.txt", b"x")}}, 422, "unknown_field"),
        ({"content": b"--B--\r\n", "headers": MULTIPART}, 422, "missing_file"),
        ({"content": (part('name="file"', "x") + "--B--\r\n").encode(), "headers": MULTIPART}, 422, "missing_file"),
        ({"files": {"file": ("a.txt", b"x" * 2000)}}, 413, "too_large"),
        ({"files": [("file", (f"{n}.txt", b"x")) for n in range(6)]}, 413, "too_large"),
        ({"files": {"file": ("a.txt", b"x")}, "data": {"force": "maybe"}}, 422, "invalid_parameter"),
        ({"files": {"file": ("a.txt", b"x")}, "data": {"language": "../x"}}, 422, "invalid_parameter"),
        ({"files": {"file": ("a.txt", b"x")}, "data": {"language": "deu+" * 30 + "eng"}}, 422, "invalid_parameter"),
        ({"files": {"file": ("a.txt", b"x")}, "data": {"title": "t" * 1001}}, 422, "invalid_parameter"),
        ({"files": {"file": ("a.txt", b"x")}, "data": {"title": "t" * 70_000}}, 413, "too_large"),
        ({"files": {"file": ("a.txt", b"x")}, "data": {"x": ["y"] * 300}}, 413, "too_large"),
        ({"files": {"file": ("a.txt", b"x")}, "headers": {"Idempotency-Key": "k" * 256}}, 422, "invalid_parameter"),
        ({"files": {"file": ("a.txt", b"x")}, "headers": {"Content-Encoding": "gzip"}}, 415, "unsupported_media_type"),
        ({"content": b"rubbish", "headers": MULTIPART}, 400, "malformed_form"),
        ({"content": b"", "headers": MULTIPART}, 400, "malformed_form"),
        ({"content": part('name="file"; filename="a"', "x").encode(), "headers": MULTIPART}, 400, "malformed_form"),
        (
            {"content": part('name="file"; filename="a"', "x", "A: " + "b" * 20_000).encode(), "headers": MULTIPART},
            400,
            "malformed_form",
        ),
        ({"content": part('filename="a"', "x").encode(), "headers": MULTIPART}, 400, "malformed_form"),
        ({"content": b"x", "headers": {"content-type": "multipart/form-data"}}, 400, "malformed_form"),
    ],
)
def test_what_is_refused_is_named_and_leaves_nothing(
    make_client: Callable[..., TestClient],
    store: ObjectStore,
    database: Engine,
    request_: dict[str, object],
    status: int,
    code: str,
) -> None:
    with make_client(max_upload_size=1000, max_upload_files=5) as client:
        answer = client.post("/api/documents", **request_)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert stored(store) == []
    with reading(database) as session:
        assert session.scalar(select(func.count()).select_from(Document)) == 0


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\scan.pdf", "scan.pdf"),
        ("a/b/c.pdf", "c.pdf"),
        ("..", "document"),
        ("   ", "document"),
        ("a%0D%0ASet-Cookie: x.pdf", "aSet-Cookie: x.pdf"),
        ("tab\there.txt", "tabhere.txt"),
        ("re\u0301sume\u0301.pdf", "r\u00e9sum\u00e9.pdf"),
        ("\u202efdp.exe", "fdp.exe"),
        ("<script>alert(1)</script>.pdf", "script>.pdf"),
        ("名前.pdf", "名前.pdf"),
        ("a" * 300 + ".pdf", "a" * 251 + ".pdf"),
        ("ü" * 300 + ".pdf", "ü" * 125 + ".pdf"),
    ],
)
def test_hostile_names_become_sane_ones(client: TestClient, sent: str, kept: str) -> None:
    body = part(f'name="file"; filename="{sent}"', "abc") + "--B--\r\n"
    document = client.post("/api/documents", content=body.encode(), headers=MULTIPART).json()["documents"][0]
    assert document["filename"] == kept
    disposition = client.get(f"{document['links']['self']}/original").headers["content-disposition"]
    assert disposition.startswith("attachment; filename=") and "\r" not in disposition


class FailingStore:
    """A store whose writers fail after a number of bytes."""

    def __init__(self, store: ObjectStore, *, after_bytes: int) -> None:
        self._store = store
        self._after_bytes = after_bytes

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    @contextmanager
    def writer(self, key: str, *, create_only: bool = False) -> Iterator[Any]:
        with self._store.writer(key, create_only=create_only) as writer:
            yield FailingWriter(writer, self._after_bytes)


class FailingWriter:
    def __init__(self, writer: ObjectWriter, after_bytes: int) -> None:
        self._writer = writer
        self._left = after_bytes

    def __getattr__(self, name: str) -> Any:
        return getattr(self._writer, name)

    def write(self, chunk: bytes) -> None:
        self._left -= len(chunk)
        if self._left < 0:
            raise Unavailable("the object store does not answer")
        self._writer.write(chunk)


def test_a_store_that_fails_midway_answers_503_and_leaves_nothing(
    make_context: MakeContext, store: ObjectStore
) -> None:
    failing: Any = FailingStore(store, after_bytes=1500)
    app = create_app(replace(make_context(), store=failing))
    with TestClient(app, base_url="http://localhost", raise_server_exceptions=False) as client:
        files = [("file", ("a", b"x" * 1000)), ("file", ("b", b"y" * 1_000_000))]
        answer = client.post("/api/documents", files=files)
        assert answer.status_code == 503 and answer.headers["retry-after"]
        assert client.get("/api/documents").json()["count"] == 0
    assert stored(store) == []


def test_more_files_than_writers_may_be_open_are_all_stored(client: TestClient, store: ObjectStore) -> None:
    files = [("file", (f"{number}.txt", f"{number}".encode())) for number in range(20)]
    client.post("/api/documents", files=files[:1])
    answer = client.post("/api/documents", files=files)
    assert answer.status_code == 202
    assert [document["duplicate_of"] is None for document in answer.json()["documents"]] == [False] + [True] * 19
    assert len(stored(store)) == 20
