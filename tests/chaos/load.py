"""A load of uploads by clients that do not give up, and what must be true of it once the fault has passed.

A client repeats a request that failed or whose answer it never saw, with the same Idempotency-Key: as the web app and
the command line do.
"""

import hashlib
import json
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from sqlalchemy import Select, select

from shared.database.engine import open_database, reading
from shared.database.tables import ArchivedEvent, Document, OutboxEvent
from shared.events import DocumentReceived
from shared.storage import keys
from shared.storage.port import ObjectStore
from tests.papers import LETTER
from tests.servers.docuelevate import Instance, wait_for

CLIENTS = 8
GIVE_UP_SECONDS = 120
_PASSING = frozenset({408, 429, 500, 502, 503, 504, 507})


@dataclass
class Sent:
    """What clients have sent and been answered: `refusals` counts answers other than 2xx, `broken` those never seen."""

    accepted: dict[str, str] = field(default_factory=dict)
    """File name → document id of its 2xx."""
    bodies: dict[str, bytes] = field(default_factory=dict)
    refusals: Counter[int] = field(default_factory=Counter)
    messages: set[str] = field(default_factory=set)
    broken: int = 0

    def require_sentences(self) -> None:
        """Every refusal was a 503 or 507 with a sentence for people, never a bug's 500."""
        assert set(self.refusals) <= {503, 507}, (self.refusals, self.messages)
        for message in self.messages:
            assert message and message[0].isupper() and message.endswith("."), message


def letters(count: int, about: str = "copy") -> dict[str, bytes]:
    """So many small letters, all different."""
    return {f"{about}-{n:03}.txt": f"{LETTER}\nThis is {about} number {n}.\n".encode() for n in range(count)}


def send(url: str, name: str, body: bytes, sent: Sent, *, key: str | None = None) -> str:
    """Upload one file as often as it takes; the id of its document."""
    ends = time.monotonic() + GIVE_UP_SECONDS
    headers = {"Idempotency-Key": key or f"key-of-{name}"}
    with httpx.Client(base_url=url, timeout=60) as client:
        while True:
            try:
                answer = client.post("/api/documents", files={"file": (name, body)}, headers=headers)
            except httpx.TransportError:
                sent.broken += 1
            else:
                if answer.status_code in (200, 202):
                    sent.bodies[name] = body
                    sent.accepted[name] = str(answer.json()["documents"][0]["id"])
                    return sent.accepted[name]
                assert answer.status_code in _PASSING, answer.text
                sent.refusals[answer.status_code] += 1
                sent.messages.add(answer.json()["error"]["message"])
            assert time.monotonic() < ends, f"{name} was not taken in {GIVE_UP_SECONDS} s"
            time.sleep(0.2)


@contextmanager
def sending(files: Mapping[str, bytes], *urls: str, clients: int = CLIENTS) -> Iterator[tuple[Sent, Callable[[], int]]]:
    """Upload while the block runs, by turns to each of the servers; at its end every file was taken.

    Gives what was sent and how many files are through by now.
    """
    sent = Sent()
    with ThreadPoolExecutor(clients) as pool:
        futures: list[Future[str]] = [
            pool.submit(send, urls[n % len(urls)], name, body, sent) for n, (name, body) in enumerate(files.items())
        ]
        yield sent, lambda: len(sent.accepted)
        for future in futures:
            future.result()


def settle(instance: Instance, sent: Sent, seconds: float = 240) -> list[dict[str, Any]]:
    """Wait until no document is processing any more and all that is queued is sent; all documents."""
    wait_for(lambda: _asked(instance, sent), seconds, "a document was still processing")
    return instance.documents()


def _asked(instance: Instance, sent: Sent) -> bool:
    try:
        found = {one["id"]: one["status"] for one in instance.documents()}
    except httpx.HTTPError:
        return False
    return all(found.get(document_id, "lost") != "processing" for document_id in sent.accepted.values())


def idle(instance: Instance) -> bool:
    """Whether the broker has delivered everything: then no step is at work either."""
    with closing(sqlite3.connect(f"file:{instance.data / 'queue.db'}?mode=ro", uri=True)) as queue:
        return queue.execute("SELECT count(*) FROM deliveries").fetchone() == (0,)


def check(sent: Sent, documents: list[dict[str, Any]], store: ObjectStore, database_url: str) -> None:
    """Nothing lost, nothing doubled, nothing half: by listing database and object store (I1–I4, I7)."""
    assert {one["status"] for one in documents} <= {"ready"}, [one for one in documents if one["status"] != "ready"]
    assert sorted(one["filename"] for one in documents) == sorted(sent.accepted)
    assert {one["filename"]: one["id"] for one in documents} == sent.accepted
    for name, document_id in sent.accepted.items():
        check_objects(store, document_id, sent.bodies[name])
    check_archive(database_url, set(sent.accepted.values()))


def check_objects(store: ObjectStore, document_id: str, original: bytes) -> None:
    """The original is what was sent, and every committed result names payloads that are there, whole."""
    assert store.get(keys.original(document_id)) == original
    commits = [info.key for info in store.list(keys.document_prefix(document_id)) if info.key.endswith("/result.json")]
    steps = Counter(key.split("/")[2] for key in commits)
    assert steps == {"convert": 1, "ocr": 1, "enrich": 1}, steps
    for key in commits:
        for payload in json.loads(store.get(key))["payloads"].values():
            body = store.get(payload["key"])
            assert (len(body), hashlib.sha256(body).hexdigest()) == (payload["size"], payload["sha256"])


def check_archive(database_url: str, documents: set[str]) -> None:
    """Each document was received once, whoever answered whom; in the end nothing waits to be sent."""
    engine = open_database(database_url)

    def ids(statement: Select[tuple[str]]) -> list[str]:
        with reading(engine) as session:
            return list(session.scalars(statement))

    received = select(ArchivedEvent.document_id).where(ArchivedEvent.type == DocumentReceived.type)
    try:
        # A document may be done before its arrival is archived: that delivery may wait for its next attempt.
        wait_for(lambda: documents <= set(ids(received)), 120, "an arrival was never archived")
        assert documents <= set(ids(select(Document.id)))
        assert Counter(one for one in ids(received) if one in documents) == dict.fromkeys(documents, 1)
        wait_for(lambda: not ids(select(OutboxEvent.document_id)), 60, "an event was never sent")
    finally:
        engine.dispose()


def orphans(store: ObjectStore, documents: set[str]) -> list[str]:
    """Documents of the store that the database does not know: left by requests that were refused, for the sweep."""
    seen = {info.key.split("/")[1] for info in store.list(keys.DOCUMENTS)}
    return sorted(seen - documents)
