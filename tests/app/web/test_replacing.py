"""Another file in a document's place: what the person set is taken over, the old original stays, all or nothing."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session
from starlette.testclient import TestClient

from shared.database.engine import reading
from shared.database.tables import Document, OutboxEvent
from shared.events import DocumentDeleted, DocumentReceived, from_json
from shared.storage import keys
from shared.storage.port import ObjectStore
from tests.app.web.conftest import Library, RecordingPublisher
from web.api.models import UploadedDocument
from web.replacing import Replacement
from web.sweep import STILL_WRITING, Sweep, Swept
from web.uploads import ReceivedFile, UploadOptions

NEW = ("better.pdf", b"%PDF-better")


@pytest.fixture
def database(engine: Engine) -> Engine:
    return engine


@pytest.fixture
def document(library: Library) -> str:
    return library.ready("letter.txt")


def replaced(client: TestClient, document: str, file: tuple[str, bytes] = NEW, key: str | None = None) -> Any:
    headers = {"Idempotency-Key": key} if key else {}
    return client.post(f"/api/documents/{document}/replace", files={"file": file}, headers=headers)


def count(database: Engine) -> int:
    with reading(database) as session:
        return session.scalar(select(func.count()).select_from(Document)) or 0


def test_the_new_document_has_what_the_person_set_and_the_old_one_is_kept(
    client: TestClient, database: Engine, store: ObjectStore, library: Library, document: str
) -> None:
    library.change(document, options={"language": "deu", "force": "ocr"})
    patch = {"metadata": {"title": "Mine", "tags": ["a", "b"], "sender": None}}
    client.patch(f"/api/documents/{document}", json=patch)
    answer = replaced(client, document)
    assert answer.status_code == 202
    [made] = answer.json()["documents"]
    assert made["status"] == "processing" and made["duplicate_of"] is None and made["filename"] == "better.pdf"

    new = client.get(f"/api/documents/{made['id']}").json()
    assert (new["title"], new["tags"], new["locked"]) == ("Mine", ["a", "b"], ["sender", "tags", "title"])
    assert new["options"]["language"] == "deu" and new["options"]["force"] is None
    assert (new["replaces"], new["replaced_by"]) == (document, None)

    old = client.get(f"/api/documents/{document}").json()
    assert (old["status"], old["replaced_by"], old["replaces"]) == ("trashed", new["id"], None)
    assert old["actions"] == ["restore"]
    assert store.get(keys.original(document)) == b"letter.txt" and store.get(keys.original(new["id"])) == NEW[1]
    with reading(database) as session:
        told = [from_json(body) for body in session.scalars(select(OutboxEvent.body).order_by(OutboxEvent.number))]
    assert [(e.type, e.subject) for e in told[-2:]] == [
        (DocumentReceived.type, new["id"]),
        (DocumentDeleted.type, document),
    ]


def test_a_restored_document_is_replaced_no_more(client: TestClient, document: str) -> None:
    made = replaced(client, document).json()["documents"][0]["id"]
    assert client.post(f"/api/documents/{document}/restore").json()["replaced_by"] is None
    assert client.get(f"/api/documents/{made}").json()["replaces"] is None


def test_the_same_request_again_gets_the_same_answer(client: TestClient, database: Engine, document: str) -> None:
    first = replaced(client, document, key="k")
    again = replaced(client, document, key="k")
    assert (again.status_code, again.json()) == (first.status_code, first.json())
    assert again.headers["idempotency-replayed"] == "true" and count(database) == 2
    other = replaced(client, document, ("other.pdf", b"%PDF-other"), key="k")
    assert other.json()["error"]["code"] == "idempotency_key_reused"


def test_a_key_of_an_upload_is_another_one(client: TestClient, document: str) -> None:
    client.post("/api/documents", files={"file": ("a.txt", b"a")}, headers={"Idempotency-Key": "k"})
    assert replaced(client, document, key="k").status_code == 202


def test_an_answer_that_was_lost_is_found_again_without_a_key(client: TestClient, document: str) -> None:
    made = replaced(client, document).json()["documents"][0]["id"]
    again = replaced(client, document)
    assert (again.status_code, again.json()["documents"][0]["duplicate_of"]) == (200, made)


@pytest.mark.parametrize("of_itself", [True, False])
def test_a_file_that_is_there_already_replaces_nothing(
    client: TestClient, database: Engine, library: Library, store: ObjectStore, document: str, of_itself: bool
) -> None:
    other = library.ready("other.txt")
    before = len(list(store.list("documents/")))
    answer = replaced(client, document, ("x.txt", b"letter.txt" if of_itself else b"other.txt"))
    [told] = answer.json()["documents"]
    assert answer.status_code == 200 and told["duplicate_of"] == (document if of_itself else other) and told["message"]
    assert client.get(f"/api/documents/{document}").json()["status"] == "ready"
    assert count(database) == 2 and len(list(store.list("documents/"))) == before


def test_a_document_in_the_trash_is_not_replaced(client: TestClient, store: ObjectStore, document: str) -> None:
    client.delete(f"/api/documents/{document}")
    before = len(list(store.list("documents/")))
    answer = replaced(client, document)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "trashed")
    assert len(list(store.list("documents/"))) == before


def test_two_at_once_do_not_both_replace(client: TestClient, database: Engine, document: str) -> None:
    assert replaced(client, document).status_code == 202
    assert replaced(client, document, ("third.pdf", b"%PDF-third")).status_code == 409
    assert count(database) == 2


@pytest.mark.parametrize("files", [[], [("file", NEW), ("file", ("b.pdf", b"%PDF-b"))], [("other", NEW)]])
def test_exactly_one_file_is_needed(client: TestClient, document: str, files: list[Any]) -> None:
    answer = client.post(f"/api/documents/{document}/replace", files=files or {"x": (None, "y")})
    assert answer.status_code in (413, 422)
    assert client.get(f"/api/documents/{document}").json()["status"] == "ready"


def test_documents_of_others_are_not_found(client: TestClient, library: Library, database: Engine) -> None:
    theirs = library.received("theirs.txt", owner="ada")
    assert replaced(client, theirs).status_code == 404
    assert replaced(client, "01890a5d-ac96-774b-bcce-b302099a8057").status_code == 404
    assert count(database) == 1


def test_a_file_that_is_too_large_replaces_nothing(
    make_client: Callable[..., TestClient], database: Engine, store: ObjectStore, document: str
) -> None:
    before = len(list(store.list("documents/")))
    with make_client(max_upload_size=5) as client:
        assert replaced(client, document).status_code == 413
        assert client.get(f"/api/documents/{document}").json()["status"] == "ready"
    assert count(database) == 1 and len(list(store.list("documents/"))) == before


class Killed(BaseException):
    """The process ends here: nothing that it would still do is done."""


class Dying(Replacement):
    """Dies when the file is stored and no row names it yet."""

    def register_file(self, session: Session, file: ReceivedFile, options: UploadOptions) -> UploadedDocument:
        raise Killed


def die_replacing(database: Engine, store: ObjectStore, document: str) -> str:
    """Where the file was stored."""
    dying = Dying(database, store, "local", "web", max_size=100, max_files=1, replaces=document)
    dying.begin("file", NEW[0], "application/pdf")
    dying.write(memoryview(NEW[1]))
    dying.end()
    with pytest.raises(Killed):
        dying.register_all(UploadOptions(), None)
    return keys.original(dying.files[0].document_id)


def sweep_later(database: Engine, store: ObjectStore) -> Swept:
    return Sweep(database, store, RecordingPublisher()).run(datetime.now(UTC) + 3 * STILL_WRITING)


def test_a_crash_before_the_transaction_leaves_the_document_and_the_file_becomes_one_too(
    client: TestClient, database: Engine, store: ObjectStore, document: str
) -> None:
    """rules 1: the row and the replacement come together or not at all; the stored bytes are adopted."""
    left = die_replacing(database, store, document)
    old = client.get(f"/api/documents/{document}").json()
    assert (old["status"], old["replaced_by"], count(database)) == ("ready", None, 1)
    assert store.get(left) == NEW[1]
    assert sweep_later(database, store).adopted == 1
    assert client.get(f"/api/documents/{document}").json()["status"] == "ready"
    [adopted] = [each for each in client.get("/api/documents").json()["results"] if each["id"] != document]
    assert (adopted["filename"], keys.original(adopted["id"])) == (NEW[0], left)


def test_replacing_again_after_a_crash_does_it_once(
    client: TestClient, database: Engine, store: ObjectStore, document: str
) -> None:
    """rules 1 and 3: of the two stored copies the one without a row goes, as the other is whole."""
    left = die_replacing(database, store, document)
    made = replaced(client, document).json()["documents"][0]["id"]
    swept = sweep_later(database, store)
    assert (swept.adopted, swept.removed) == (0, 1) and store.head(left) is None
    assert store.get(keys.original(made)) == NEW[1] and count(database) == 2
    assert client.get(f"/api/documents/{document}").json()["replaced_by"] == made
