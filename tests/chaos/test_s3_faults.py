"""The object store breaks off, crawls, lies, forgets and goes away (F9–F13): the whole product on Ceph behind a proxy.

Clients that are refused try again; afterwards every original is whole and every document is done, once.
"""

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from shared.storage import keys
from tests.chaos.conftest import Tried, is_full
from tests.chaos.load import Sent, letters, send, sending
from tests.chaos.stand import Stand, standing
from tests.papers import LETTER
from tests.servers.ceph import S3Server
from tests.servers.docuelevate import wait_for
from tests.servers.postgresql import PostgresServer
from tests.servers.s3_proxy import Kind

ORIGINAL = "/original"
RESULT = "/result.json"


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory, postgres: PostgresServer, s3_server: S3Server) -> Iterator[Stand]:
    """One product for all faults: each finds the processes that the one before has left."""
    root = tmp_path_factory.mktemp("s3-faults")
    with standing(root / "data", postgres, s3_server) as made:
        yield made


@pytest.fixture(autouse=True)
def _healed(stand: Stand) -> Iterator[None]:
    yield
    stand.proxy.heal()


FAULTS: dict[str, dict[str, Any]] = {
    "an original breaks off on its way": {"kind": "cut_request", "method": "PUT", "key": ORIGINAL, "after_bytes": 40},
    "a payload breaks off on its way": {"kind": "cut_request", "method": "PUT", "key": r"\.pdf", "after_bytes": 500},
    "a commit breaks off on its way": {"kind": "cut_request", "method": "PUT", "key": RESULT, "after_bytes": 99},
    "an original's write loses its answer": {"kind": "lose_answer", "method": "PUT", "key": ORIGINAL},
    "a commit loses its answer": {"kind": "lose_answer", "method": "PUT", "key": RESULT},
    "a lease loses its answer": {"kind": "lose_answer", "method": "PUT", "key": "/lease-"},
    "a body breaks off on its way back": {
        "kind": "cut_answer",
        "method": "GET",
        "key": r"\.pdf|original",
        "after_bytes": 30,
    },
    "a body arrives with another byte": {"kind": "flip", "method": "GET", "key": r"\.pdf|original|text\.json"},
    "a commit arrives with another byte": {"kind": "flip", "method": "GET", "key": RESULT},
    "an object seems gone": {"kind": "not_found", "method": "GET", "key": r"\.pdf|original|text\.json"},
    "a write is said to be done and is not": {
        "kind": "swallow",
        "method": "PUT",
        "key": r"\.pdf|text\.json|metadata\.json",
    },
    "an original is said to be kept and is not": {"kind": "swallow", "method": "PUT", "key": ORIGINAL},
    "connections are reset": {"kind": "reset"},
    "the server asks for less": {"kind": "slow_down"},
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """All faults in one load; in the full suite each of them has a load of its own as well."""
    if "names" in metafunc.fixturenames:
        alone = [[name] for name in FAULTS] if is_full(metafunc.config) else []
        metafunc.parametrize("names", [[*FAULTS], *alone], ids=lambda names: names[0] if len(names) == 1 else "all")


def test_a_fault_that_passes_costs_time_only(stand: Stand, names: list[str], tried: Tried) -> None:
    """F11–F13; rules 1, 5, 6."""
    times = 3 if len(names) == 1 else 1
    faults = [stand.proxy.fail(**FAULTS[name], times=times) for name in names]
    stand.upload(letters(3, f"passing-{len(stand.instance.documents())}"))
    assert {fault.struck for fault in faults} == {times}
    tried("S3: a request cut, lost, flipped, swallowed, refused", times * len(names))


@pytest.mark.full_form
@pytest.mark.parametrize("kind", ["reset", "slow_down"])
def test_a_store_that_fails_every_other_request_is_lived_with(stand: Stand, kind: Kind, tried: Tried) -> None:
    """F11: half of all requests, of every kind, over a whole load."""
    faults = [stand.proxy.fail(kind, times=1, skip=2 * n) for n in range(40)]
    stand.upload(letters(3, f"half-{kind}"))
    assert sum(fault.struck for fault in faults) > 20
    tried("S3: every other request fails", sum(fault.struck for fault in faults))


def test_a_store_that_is_down_refuses_uploads_with_a_sentence_and_keeps_what_is_under_way(
    stand: Stand, tried: Tried
) -> None:
    """F9: 503 with Retry-After, no document; the same request afterwards makes one. What ran goes on by itself."""
    sent = Sent()
    send(stand.instance.url, "before.txt", LETTER.encode(), sent)
    stand.proxy.is_down = True
    form, headers = {"file": ("down.txt", b"Sent while the store is down.")}, {"Idempotency-Key": "down"}
    refused = stand.instance.client.post("/api/documents", files=form, headers=headers, timeout=120)
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "unavailable")
    assert refused.headers["retry-after"]
    assert stand.instance.client.get("/api/health").status_code == 200
    assert "down.txt" not in {one["filename"] for one in stand.instance.documents()}
    stand.proxy.heal()
    send(stand.instance.url, "down.txt", b"Sent while the store is down.", sent, key="down")
    stand.check(sent)
    tried("S3 down")


@pytest.mark.full_form
def test_a_crawling_store_holds_nobody_else_up(stand: Stand, tried: Tried) -> None:
    """F10: while an upload crawls at 5 kB/s, other requests are answered as ever."""
    stand.proxy.fail("slow", method="PUT|GET", key="/original|staging", bytes_per_second=5_000)
    with sending({"slow.txt": b"Slow. " * 1_500}, stand.instance.url) as (sent, through):
        wait_for(lambda: any(kind == "slow" for _, _, kind in stand.proxy.journal), 30, "nothing crawled")
        assert through() == 0
        for _ in range(5):
            assert httpx.get(f"{stand.instance.url}/api/health", timeout=5).status_code == 200
            assert httpx.get(f"{stand.instance.url}/api/documents", timeout=5).status_code == 200
            time.sleep(0.2)
    stand.check(sent)
    tried("S3 crawls at 5 kB/s")


def test_bytes_that_stay_wrong_are_told_and_never_used(stand: Stand, tried: Tried) -> None:
    """F12; rules 5: not committed, so that a retry after the repair of the store makes the document whole."""
    stand.proxy.fail("flip", method="GET", key=ORIGINAL)
    [document] = stand.instance.upload(("flipped.txt", b"These bytes arrive wrong."))
    [failed] = stand.instance.settled(document["id"])
    assert (failed["status"], failed["failure"]["code"]) == ("attention", "source_gone")
    assert not [info for info in stand.store.list(keys.document_prefix(document["id"])) if "result.json" in info.key]
    stand.proxy.heal()
    assert stand.store.get(keys.original(document["id"])) == b"These bytes arrive wrong."
    answer = stand.instance.client.post(f"/api/documents/{document['id']}/replay", json={"from": "convert"})
    assert answer.status_code == 202
    [repaired] = stand.instance.settled(document["id"])
    assert repaired["status"] == "ready"
    tried("S3: bytes that stay wrong")
