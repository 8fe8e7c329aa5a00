"""Everything at once for one worker: what cannot be done yet waits, and nothing of it is lost (F59)."""

import hashlib
import os
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice

import pytest

from tests.chaos.conftest import remember
from tests.chaos.memory import in_memory
from tests.chaos.report import Report
from tests.papers import LETTER
from tests.servers.docuelevate import SETTLE_SECONDS, running

FULL, SHORT = 1_000, 25
IN_ONE_REQUEST = 50


@contextmanager
def on_one_core() -> Iterator[None]:
    """Processes that are started here have one core: the runner then starts one worker of each function."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def batched(files: dict[str, bytes]) -> Iterator[list[tuple[str, bytes]]]:
    left = iter(files.items())
    while batch := list(islice(left, IN_ONE_REQUEST)):
        yield batch


@pytest.mark.timeout(3600)
def test_a_burst_goes_through_one_worker_whole(full: bool, request: pytest.FixtureRequest) -> None:
    started, count = time.monotonic(), FULL if full else SHORT
    sent = {f"letter {n:04}.txt": f"{LETTER}\nCopy number {n}.\n".encode() for n in range(count)}
    with in_memory() as root, on_one_core(), running(root / "data") as instance:
        ids = {d["filename"]: d["id"] for batch in batched(sent) for d in instance.upload(*batch)}
        instance.settled(*ids.values(), seconds=3 * SETTLE_SECONDS + count)
        documents = instance.documents()
        assert Counter(document["status"] for document in documents) == {"ready": count}
        for name, document_id in ids.items():
            original = (instance.data / "documents" / document_id / "original").read_bytes()
            assert hashlib.sha256(original).digest() == hashlib.sha256(sent[name]).digest()
        letters = instance.client.get("/api/dead-letters").raise_for_status().json()
        assert letters["count"] == 0
    report = Report("burst, one worker", points=0, runs=count, lost=count - len(documents))
    report.seconds = time.monotonic() - started
    remember(request.config, report)
