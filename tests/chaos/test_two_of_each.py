"""Two webs and several sweeps on one PostgreSQL and one S3 bucket (F52, F53, F55): nobody is needed twice."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import httpx
import pytest

from shared.storage import keys
from tests.chaos.conftest import Tried
from tests.chaos.load import Sent, letters, send, sending
from tests.chaos.stand import Stand, standing, sweep_in
from tests.papers import LETTER
from tests.servers.ceph import S3Server
from tests.servers.docuelevate import wait_for
from tests.servers.function import listening
from tests.servers.postgresql import PostgresServer
from tests.servers.web import Web, second_web
from web.sweep import PATIENCE

SWEEPS = 3
LARGE_BYTES = 24 << 20


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory, postgres: PostgresServer, s3_server: S3Server) -> Iterator[Stand]:
    with standing(tmp_path_factory.mktemp("two") / "data", postgres, s3_server) as made:
        yield made


@pytest.fixture(scope="module")
def other(stand: Stand) -> Iterator[Web]:
    """The second web, on the broker of the first."""
    with second_web(stand.instance, **stand.environment) as web:
        yield web


@pytest.mark.full_form
def test_two_webs_share_the_work_and_tell_the_same(stand: Stand, other: Web, full: bool) -> None:
    """F52: uploads by turns to both; each tells of all of them, whichever took them."""
    with sending(letters(40 if full else 10, "turn"), stand.instance.url, other.url) as (sent, _):
        pass
    stand.check(sent)
    lists = [httpx.get(f"{url}/api/documents?page_size=200").json() for url in (stand.instance.url, other.url)]
    assert lists[0]["results"] == lists[1]["results"]
    wait_for(lambda: all(found(url, "turn") for url in (stand.instance.url, other.url)), 60, "not found by both")


def found(url: str, words: str) -> int:
    answer = httpx.get(f"{url}/api/search", params={"q": words})
    return int(answer.json()["total"]) if answer.status_code == 200 else 0


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    """All calls, each in a thread, at the same instant."""
    barrier = threading.Barrier(len(calls))

    def meet(call: Callable[[], Any]) -> Any:
        barrier.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(meet, calls))


def sender(url: str, name: str, body: bytes, **headers: str) -> Callable[[], httpx.Response]:
    """An upload to be done later, in the name of nobody who tries again."""
    return lambda: httpx.post(f"{url}/api/documents", files={"file": (name, body)}, headers=headers, timeout=60)


def test_the_same_file_sent_to_both_at_once_is_one_document(stand: Stand, other: Web, full: bool, tried: Tried) -> None:
    """F55; rules 3: one is told 202, the other 200 with the first one's id; never an error."""
    for n in range(30 if full else 6):
        name, body = f"equal-{n}.txt", f"{LETTER}\nEqual {n}".encode()
        answers = at_once(*(sender(url, name, body) for url in (stand.instance.url, other.url)))
        assert sorted(answer.status_code for answer in answers) == [200, 202], [a.text for a in answers]
        documents = [answer.json()["documents"][0] for answer in answers]
        assert len({document["id"] for document in documents}) == 1
        assert_no_others(stand, {document["id"] for document in documents}, name)
    tried("two webs: the same file at the same instant", 30 if full else 6)


def assert_no_others(stand: Stand, ids: set[str], name: str) -> None:
    assert {one["id"] for one in stand.instance.documents() if one["filename"] == name} == ids


def test_one_request_repeated_to_both_at_once_is_done_once(stand: Stand, other: Web, full: bool, tried: Tried) -> None:
    """F52, F17: the same Idempotency-Key on both webs; one answer, word for word."""
    urls = (stand.instance.url, other.url, other.url)
    for n in range(20 if full else 4):
        name, body = f"repeated-{n}.txt", f"{LETTER}\nRepeated {n}".encode()
        answers = at_once(*(sender(url, name, body, **{"Idempotency-Key": name}) for url in urls))
        assert {answer.status_code for answer in answers} == {202}, [a.text for a in answers]
        assert len({answer.content for answer in answers}) == 1
        assert_no_others(stand, {answers[0].json()["documents"][0]["id"]}, name)
    tried("two webs: the same request at the same instant", 20 if full else 4)


def test_a_web_that_dies_in_the_middle_of_an_upload_leaves_no_half_document(
    stand: Stand, other: Web, tried: Tried
) -> None:
    """F52; rules 1: the client goes to the other one; what the dead one has begun is cleared away when it is old."""
    body = LETTER.encode() * (LARGE_BYTES // len(LETTER))
    before = {info.key for info in stand.store.list(keys.DOCUMENTS) if info.key.endswith("/original")}
    killed = threading.Event()

    def drip() -> Iterator[bytes]:
        head = '--b\r\nContent-Disposition: form-data; name="file"; filename="large.txt"\r\n\r\n'
        yield head.encode() + body
        killed.wait(60)
        yield b"The rest of it."

    headers = {"content-type": "multipart/form-data; boundary=b", "Idempotency-Key": "large"}

    def upload() -> int:
        try:
            return httpx.post(f"{other.url}/api/documents", content=drip(), headers=headers, timeout=60).status_code
        except httpx.TransportError:
            return 0

    with ThreadPoolExecutor(1) as pool:
        cut = pool.submit(upload)
        wait_for(lambda: parts_sent(stand) > 1, 60, "no part was sent")
        other.kill()
        killed.set()
        assert cut.result(60) == 0
    assert {info.key for info in stand.store.list(keys.DOCUMENTS) if info.key.endswith("/original")} == before
    other.start()
    sent = Sent()
    send(stand.instance.url, "large.txt", body[:100_000], sent, key="large")
    stand.check(sent)
    assert stand.store.remove_leftovers(0) > 0
    assert stand.store.remove_leftovers(0) == 0
    tried("two webs: one killed in the middle of an upload")


def parts_sent(stand: Stand) -> int:
    return sum(method == "PUT" and "partNumber=" in key for method, key, _ in stand.proxy.journal)


def test_sweeps_at_once_send_each_lost_event_once(stand: Stand, full: bool, tried: Tried) -> None:
    """F20, F53; rules 20: a broker that says 202 and forgets, then three sweeps in the same instant."""
    with (
        listening() as forgetful,
        second_web(stand.instance, **stand.environment | {"BROKER_URL": forgetful.url}) as web,
    ):
        with sending(letters(20 if full else 6, "lost"), web.url) as (sent, _):
            pass
        status = f"{stand.instance.url}/api/status"
        wait_for(lambda: httpx.get(status, timeout=60).json()["outbox"] == 0, 60, "the events were not sent")
    # The first web relays the same outbox: what it was quicker with is not lost.
    lost = {event.subject for event in forgetful.events}
    assert lost
    stand.instance.settled(*{one["id"] for one in stand.instance.documents()} - lost)
    # What moves once the sweeps have begun stands still no more, for those that look later.
    time.sleep(2.0)
    ahead = PATIENCE - timedelta(seconds=1)
    sweeps = [
        lambda: sweep_in(ahead, stand.database_url, stand.store, stand.instance.broker_url) for _ in range(SWEEPS)
    ]
    swept = at_once(*sweeps)
    assert sum(one.resent for one in swept) == len(lost), swept
    assert [one.failures for one in swept] == [{}] * SWEEPS
    stand.check(sent)
    tried("three sweeps at the same instant, events lost", len(lost))


@pytest.mark.full_form
def test_relays_at_once_send_each_event_once(stand: Stand, other: Web, full: bool) -> None:
    """F53: two webs relay one outbox; the archive has each event once, whoever sent it."""
    with sending(letters(30 if full else 8, "relayed"), stand.instance.url, other.url) as (sent, _):
        pass
    stand.check(sent)
    archived = httpx.get(f"{stand.instance.url}/api/events?type=org.docuelevate.document.received.v1&page_size=200")
    counts = Counter(event["subject"] for event in archived.json()["results"])
    assert {counts[document_id] for document_id in sent.accepted.values()} == {1}
