"""The search index cannot be used for an hour, or is lost (F22, F24): documents do not care, and are found again."""

import os
import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from shared.search.tantivy_index import TantivySearchIndex
from shared.storage.directory import DirectoryObjectStore
from tests.chaos.conftest import Tried
from tests.chaos.load import Sent, check, idle, letters, sending, settle
from tests.chaos.stand import sweep_in
from tests.servers.docuelevate import Instance, descendants, wait_for

HOURS = timedelta(hours=1)


@contextmanager
def impatient(data: Path) -> Iterator[Instance]:
    """An instance whose broker gives up on index after a second instead of a quarter of an hour."""
    instance = Instance(data, IMPATIENT_TRIGGERS="index", FUNCTION_IDLE_SECONDS="1")
    instance.command = (sys.executable, "-m", "tests.chaos.impatient_runner")
    instance.start()
    try:
        yield instance
    finally:
        instance.client.close()
        instance.kill()


def sweep(instance: Instance, ahead: timedelta) -> int:
    """Sweep as if so much time had passed; how often the index was woken."""
    store, url = DirectoryObjectStore(instance.data), f"sqlite:///{instance.data / 'docuelevate.db'}"
    search = TantivySearchIndex(instance.data / "search")
    swept = sweep_in(ahead, url, store, instance.broker_url, search)
    assert not swept.failures, swept.failures
    return swept.woken


def upload(instance: Instance, count: int, about: str) -> Sent:
    with sending(letters(count, about), instance.url, clients=4) as (sent, _):
        pass
    return sent


def check_all(instance: Instance, *loads: Sent) -> None:
    """Every document is ready, whole, and visible, whatever the index is."""
    for sent in loads:
        documents = [one for one in settle(instance, sent) if one["filename"] in sent.accepted]
        check(sent, documents, DirectoryObjectStore(instance.data), f"sqlite:///{instance.data / 'docuelevate.db'}")
        for document_id in sent.accepted.values():
            assert instance.client.get(f"/api/documents/{document_id}/pdf").status_code == 200


def found(instance: Instance, about: str) -> set[str]:
    answer = instance.client.get("/api/search", params={"q": about, "page_size": 200})
    return {hit["id"] for hit in answer.json()["hits"]} if answer.status_code == 200 else set()


def indexed(instance: Instance, sent: Sent) -> Counter[str]:
    """How many times each document was indexed, by the archive."""
    page: str | None = "/api/events?type=org.docuelevate.document.indexed.v1&page_size=200"
    counts: Counter[str] = Counter()
    while page:
        answer = instance.client.get(page).json()
        counts.update(event["subject"] for event in answer["results"])
        page = answer["next"]
    return Counter({document_id: counts[document_id] for document_id in sent.accepted.values()})


def put_out_of_use(directory: Path) -> None:
    """Where the index was is something that no index can be made in."""
    directory.rename(directory.with_name("search-away"))
    directory.write_text("This is no directory.")


def bring_back(directory: Path) -> None:
    """The same index as before."""
    directory.unlink()
    directory.with_name("search-away").rename(directory)


@pytest.mark.timeout(1800)
def test_an_hour_without_search_holds_no_document_up(tmp_path: Path, full: bool, tried: Tried) -> None:
    """F22; rules 18, 21: wake-ups become dead letters that mark nothing; sweep wakes once per document afterwards."""
    count = 100 if full else 6
    with impatient(tmp_path / "data") as instance:
        first = upload(instance, 2, "before")
        settle(instance, first)
        wait_for(lambda: found(instance, "before") == set(first.accepted.values()), 60, "not found before")
        wait_for(lambda: idle(instance), 60, "events are still waiting")
        wait_for(lambda: not index_runs(instance), 60, "the index function did not end")
        put_out_of_use(instance.data / "search")
        during = upload(instance, count, "during")
        check_all(instance, first, during)
        wait_for(lambda: letters_of_index(instance) >= count, 120, "the broker did not give up")
        assert search_status(instance) == 503
        assert {one["status"] for one in instance.documents()} == {"ready"}
        # One more wake-up asks for an index that cannot be read to be begun anew.
        assert 0 < sweep(instance, timedelta(minutes=10)) <= count + 1
        wait_for(lambda: idle(instance), 120, "wake-ups are still tried")
        bring_back(instance.data / "search")
        assert sweep(instance, HOURS) <= count
        everything = set(first.accepted.values()) | set(during.accepted.values())
        wait_for(lambda: found(instance, "during") == set(during.accepted.values()), 120, "not found afterwards")
        wait_for(lambda: found(instance, "thank") >= everything or count > 20, 60, "not all are found")
        assert max(indexed(instance, during).values()) <= 3, "a flood"
        wait_for(lambda: sweep(instance, HOURS * 20) == 0, 30, "the index is woken for ever")
        check_all(instance, first, during)
    tried("search down for an hour: documents", count)


@pytest.mark.full_form
def test_a_lost_index_is_made_again_while_everything_is_served(tmp_path: Path, full: bool, tried: Tried) -> None:
    """F24; rules 21: what was deleted stays out."""
    with impatient(tmp_path / "data") as instance:
        sent = upload(instance, 30 if full else 5, "kept")
        settle(instance, sent)
        wait_for(lambda: found(instance, "kept") == set(sent.accepted.values()), 60, "not found")
        [gone, *left] = sent.accepted.values()
        instance.client.delete(f"/api/documents/{gone}").raise_for_status()
        wait_for(lambda: found(instance, "kept") == set(left), 60, "the trashed one is still found")
        wait_for(lambda: not index_runs(instance), 60, "the index function did not end")
        shutil.rmtree(instance.data / "search")

        def is_back() -> bool:
            sweep(instance, timedelta(minutes=10))
            return found(instance, "kept") == set(left)

        wait_for(is_back, 60, "the index was not made again")
        assert httpx.get(f"{instance.url}/api/documents").status_code == 200
    tried("search index lost")


def search_status(instance: Instance) -> int:
    return instance.client.get("/api/search", params={"q": "during"}).status_code


def letters_of_index(instance: Instance) -> int:
    return len(list((instance.data / "dead-letters").rglob("index/*.json")))


def index_runs(instance: Instance) -> bool:
    """Whether the index function has the index open; it ends by itself when there is nothing to do."""
    return any(writes_into(pid, instance.data / "search") for pid in descendants(instance.pid))


def writes_into(pid: int, directory: Path) -> bool:
    try:
        held = [os.readlink(entry) for entry in Path(f"/proc/{pid}/fd").iterdir()]
    except OSError:
        return False
    return any(path.startswith(str(directory)) and path.endswith(".lock") for path in held)
