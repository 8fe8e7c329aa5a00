"""PostgreSQL goes away, comes back, drops connections and keeps to itself whether it has committed (F15–F18).

The product runs as processes on a real server; nobody restarts them.
"""

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import psycopg
import pytest

from shared.storage.directory import DirectoryObjectStore
from tests.chaos.conftest import Tried
from tests.chaos.load import Sent, check, letters, send, sending, settle
from tests.servers.docuelevate import descendants, running, wait_for
from tests.servers.postgresql import PostgresServer
from tests.servers.postgresql_proxy import Moment, postgres_proxy


@pytest.fixture
def uploads(full: bool) -> int:
    return 50 if full else 16


@pytest.fixture
def times(full: bool) -> int:
    return 2 if full else 1


def test_a_database_that_crashes_under_load_loses_and_doubles_nothing(
    tmp_path: Path, postgres: PostgresServer, uploads: int, times: int, tried: Tried
) -> None:
    """F15, F16; rules 2, 3: what was refused is sent again by its client, what was accepted is there."""
    url = postgres.create(uuid.uuid4().hex)
    with running(tmp_path / "data", DATABASE_URL=url) as instance:
        runner = instance.pid
        with sending(letters(uploads), instance.url) as (sent, through):
            for crash in range(1, times + 1):
                wait_until_through(through, uploads * crash // (times + 2))
                postgres.stop("immediate")
                assert_alive_but_not_ready(instance.url)
                time.sleep(1.0)
                postgres.start()
        documents = settle(instance, sent)
        sent.require_sentences()
        assert sent.refusals[503] > 0
        check(sent, documents, DirectoryObjectStore(instance.data), url)
        assert instance.pid == runner and descendants(runner)
    tried("PostgreSQL stopped with `immediate` under load", times)


def wait_until_through(through: Callable[[], int], count: int) -> None:
    wait_for(lambda: through() >= count, 60, "the load did not start")


def assert_alive_but_not_ready(url: str) -> None:
    """Health asks nobody else; ready names what is missing; pages of state say 503."""
    assert httpx.get(f"{url}/api/health", timeout=60).status_code == 200
    ready = httpx.get(f"{url}/api/ready", timeout=60)
    assert (ready.status_code, ready.json()["dependencies"]["database"]["ok"]) == (503, False)
    listed = httpx.get(f"{url}/api/documents", timeout=60)
    assert listed.status_code == 503
    assert listed.headers["retry-after"]


def test_connections_that_are_ended_all_the_time_only_cost_time(
    tmp_path: Path, postgres: PostgresServer, uploads: int, tried: Tried
) -> None:
    """F16: `pg_terminate_backend` five times a second during the whole load."""
    name = uuid.uuid4().hex
    url = postgres.create(name)
    with running(tmp_path / "data", DATABASE_URL=url) as instance:
        with ending_connections(postgres.url(), name) as ended, sending(letters(uploads), instance.url) as (sent, _):
            wait_for(lambda: len(sent.accepted) == uploads, 120, "the load did not get through")
            time.sleep(2.0)
        documents = settle(instance, sent)
        assert ended, "no connection was ever ended"
        sent.require_sentences()
        check(sent, documents, DirectoryObjectStore(instance.data), url)
    tried("all connections to PostgreSQL ended, five times a second", len(ended))


@contextmanager
def ending_connections(url: str, database: str, pause_seconds: float = 0.2) -> Iterator[list[int]]:
    """End every connection to a database over and over; how many each time, where there were any."""
    stop, ended = threading.Event(), list[int]()
    statement = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = %s"

    def end() -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            while not stop.wait(pause_seconds):
                row = connection.execute(statement, [database]).fetchone()
                if row and row[0]:
                    ended.append(row[0])

    thread = threading.Thread(target=end)
    thread.start()
    try:
        yield ended
    finally:
        stop.set()
        thread.join()


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_commit_whose_outcome_is_unknown_is_neither_lost_nor_doubled(
    tmp_path: Path, postgres: PostgresServer, moment: Moment, times: int, tried: Tried
) -> None:
    """F17; rules 1, 3: the connection is cut around the COMMIT of the upload, of the archive and of the projection."""
    name = uuid.uuid4().hex
    direct = postgres.create(name)
    with postgres_proxy(postgres.port) as proxy, running(tmp_path / "data", DATABASE_URL=proxy.url(name)) as instance:
        files, sent = letters(4 * times, "cut"), Sent()
        # A file name stands in the transaction of its upload, an event's type in those of record.
        cuts = [proxy.cut(file.encode(), moment) for file in list(files)[::2]]
        for kind in (b"document.converted.v1", b"document.recognized.v1", b"document.enriched.v1"):
            cuts.append(proxy.cut(kind, moment, times))
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda file: send(instance.url, *file, sent), files.items()))
        documents = settle(instance, sent)
        assert all(cut.struck for cut in cuts), cuts
        sent.require_sentences()
        check(sent, documents, DirectoryObjectStore(instance.data), direct)
    tried("connection cut around a COMMIT", sum(cut.struck for cut in cuts))


@pytest.mark.full_form
def test_a_database_behind_a_cut_network_is_waited_for(
    tmp_path: Path, postgres: PostgresServer, uploads: int, tried: Tried
) -> None:
    """F15, F58: connections break without a word from the server, and no new one comes about for seconds."""
    name = uuid.uuid4().hex
    direct = postgres.create(name)
    with postgres_proxy(postgres.port) as proxy, running(tmp_path / "data", DATABASE_URL=proxy.url(name)) as instance:
        with sending(letters(uploads), instance.url) as (sent, through):
            wait_until_through(through, uploads // 4)
            proxy.go_down()
            time.sleep(3.0)
            proxy.is_down = False
        documents = settle(instance, sent)
        sent.require_sentences()
        check(sent, documents, DirectoryObjectStore(instance.data), direct)
    tried("network to PostgreSQL cut for seconds")
