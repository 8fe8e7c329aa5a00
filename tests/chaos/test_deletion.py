"""A document is thrown away while its steps run (F56): what is gone stays gone, whoever is still at work on it."""

import uuid
from collections.abc import Iterator
from datetime import timedelta

import httpx
import pytest
from sqlalchemy import select

from shared.database.engine import open_database, reading
from shared.database.tables import ArchivedEvent, Document
from shared.events import TYPE_PREFIX, Event, from_json
from shared.publisher import HttpEventPublisher
from shared.storage import keys
from shared.storage.directory import DirectoryObjectStore
from tests.chaos.conftest import Tried, is_full
from tests.chaos.load import idle
from tests.chaos.stand import sweep_in
from tests.papers import LETTER, scan
from tests.servers.docuelevate import Instance, running, wait_for

BOUNDARIES = (
    "document.recognized",
    "document.received",
    "document.converted",
    "document.enriched",
    "document.updated",
    "document.indexed",
)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """The short form throws away at the first boundary only."""
    if "boundary" in metafunc.fixturenames:
        metafunc.parametrize("boundary", BOUNDARIES if is_full(metafunc.config) else BOUNDARIES[:1])


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    with running(tmp_path_factory.mktemp("deletion") / "data") as made:
        yield made


def upload_until(instance: Instance, boundary: str) -> str:
    """Upload a scan and wait until the archive has an event of that type."""
    [document] = instance.upload((f"{boundary}.pdf", scan([f"{LETTER}\n{boundary} {uuid.uuid4().hex}"])))
    wait_for(lambda: boundary in types(instance, document["id"]), 120, f"no {boundary}")
    return str(document["id"])


def types(instance: Instance, document_id: str) -> set[str]:
    answer = instance.client.get("/api/events", params={"subject": document_id, "page_size": 200}).json()
    return {event["type"].removeprefix(TYPE_PREFIX).removesuffix(".v1") for event in answer["results"]}


def database_url(instance: Instance) -> str:
    return f"sqlite:///{instance.data / 'docuelevate.db'}"


def archived(instance: Instance, document_id: str) -> list[Event]:
    """Every event of a document, as it was sent."""
    engine = open_database(database_url(instance))
    try:
        with reading(engine) as session:
            query = select(ArchivedEvent.body).where(ArchivedEvent.document_id == document_id)
            return [from_json(body) for body in session.scalars(query)]
    finally:
        engine.dispose()


def has_row(instance: Instance, document_id: str) -> bool:
    engine = open_database(database_url(instance))
    try:
        with reading(engine) as session:
            return session.get(Document, document_id) is not None
    finally:
        engine.dispose()


def objects(instance: Instance, document_id: str) -> list[str]:
    store = DirectoryObjectStore(instance.data)
    return [info.key for info in store.list(keys.document_prefix(document_id))]


def found(instance: Instance, boundary: str) -> set[str]:
    return {hit["id"] for hit in instance.found(boundary)}


def send_again(instance: Instance, events: list[Event]) -> None:
    """Everything that was ever sent arrives once more, late."""
    publisher = HttpEventPublisher(instance.broker_url)
    for event in events:
        publisher.publish(event)


def sweep(instance: Instance, ahead: timedelta) -> None:
    swept = sweep_in(ahead, database_url(instance), DirectoryObjectStore(instance.data), instance.broker_url)
    assert not swept.failures and not swept.adopted, swept


def swept_clean(instance: Instance, document_id: str) -> bool:
    sweep(instance, timedelta(minutes=10))
    return not objects(instance, document_id)


def test_a_purge_in_the_middle_of_a_run_is_for_good(instance: Instance, boundary: str, tried: Tried) -> None:
    """F56, I8; rules 19, 23: row, objects and entry go; late events, sweep and replay bring nothing back."""
    document_id = upload_until(instance, boundary)
    events = archived(instance, document_id)
    path = f"/api/documents/{document_id}"
    assert instance.client.delete(path, params={"purge": "true"}).is_success
    send_again(instance, events)
    wait_for(lambda: idle(instance), 60, "events are still waiting")
    wait_for(lambda: not found(instance, boundary), 60, "it is still found")
    # What a step that was still running has written goes with one of the next sweeps.
    wait_for(lambda: swept_clean(instance, document_id), 60, "objects came back")
    wait_for(lambda: idle(instance), 60, "events are still waiting")
    sweep(instance, timedelta(minutes=31))
    assert instance.client.get(path).status_code == 404
    assert not has_row(instance, document_id) and not objects(instance, document_id)
    assert httpx.post(f"{instance.url}{path}/replay", json={"from": "convert"}, timeout=60).status_code == 404
    store = DirectoryObjectStore(instance.data)
    assert store.head(keys.tombstone(document_id)) is not None
    tried("purged at a boundary of its run")


def test_a_document_that_is_trashed_in_the_middle_of_a_run_comes_back_only_by_hand(
    instance: Instance, boundary: str, tried: Tried
) -> None:
    """F56, I8: the run may end, the document stays in the trash and out of the search; restored, it is whole."""
    document_id = upload_until(instance, boundary)
    events = archived(instance, document_id)
    path = f"/api/documents/{document_id}"
    assert instance.client.delete(path).is_success
    send_again(instance, events)
    sweep(instance, timedelta(minutes=10))
    wait_for(lambda: "document.enriched" in types(instance, document_id), 120, "the run did not end")
    wait_for(lambda: document_id not in found(instance, boundary), 60, "it is still found")
    assert instance.document(document_id)["status"] == "trashed"
    assert instance.client.post(f"{path}/restore").is_success
    assert instance.settled(document_id)[0]["status"] == "ready"
    wait_for(lambda: document_id in found(instance, boundary), 60, "it is not found again")
    tried("trashed at a boundary of its run")
