"""Functions are asked to end in the middle of a step, or are put to sleep beyond their lease (F7, F8, F51).

Each runs as a process of its own, as a pod would, on a real S3 server.
"""

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from shared.events import Event, decode
from shared.jail.process import DIRECTORY_PREFIX
from shared.leases import LIFE_SECONDS, MAX_LOST
from tests.chaos.conftest import Tried, is_full
from tests.chaos.steps import Worker, Workshop, workshop
from tests.papers import LETTER, scan
from tests.servers.ceph import S3Server
from tests.servers.docuelevate import descendants, running

ALL = ("ocr", "convert", "enrich")
PATIENCE_SECONDS = 240


@dataclass(frozen=True)
class Sleep:
    """A step that sleeps, and how wrong the clocks of the two machines are, in minutes."""

    step: str
    sleeper_minutes: int = 0
    other_minutes: int = 0


SLEEPS = (Sleep("ocr", -10, 10), Sleep("ocr", 10, -10), Sleep("ocr"), Sleep("convert"))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """The short form takes the first of each."""
    for name, cases in {"ending": ALL, "killed": ("ocr", "convert"), "sleep": SLEEPS}.items():
        if name in metafunc.fixturenames:
            metafunc.parametrize(name, cases if is_full(metafunc.config) else cases[:1], ids=str)


@pytest.fixture
def shop(s3_server: S3Server) -> Iterator[Workshop]:
    with workshop(s3_server) as made:
        yield made


def answered(response: httpx.Response) -> Event:
    assert response.status_code == 200, response.text
    return decode(response.headers, response.content)


def test_a_step_that_is_asked_to_end_finishes_what_it_has_begun(shop: Workshop, ending: str, tried: Tried) -> None:
    """F7; rules 4: SIGTERM while the lease is held. The answer is the result, and the process then ends."""
    step = ending
    worker, event = shop.worker(step), shop.event_for(step)
    pending = worker.post(event)
    shop.wait_for(event, "/lease-")
    worker.function.process.send_signal(signal.SIGTERM)
    reply = answered(pending.result(PATIENCE_SECONDS))
    assert len(shop.objects(event, "/result.json")) == 1
    worker.function.process.wait(60)
    assert answered(shop.worker(step).function.post(event)).id == reply.id
    tried("SIGTERM in mid-step")


@pytest.mark.full_form
def test_a_step_that_is_killed_leaves_nothing_that_counts(
    shop: Workshop, killed: str, full: bool, tried: Tried
) -> None:
    """F5, F7; rules 6, 7: SIGKILL at different moments; the next one starts at once and commits once."""
    step, event = killed, shop.event_for(killed)
    for kill in range(4 if full else 2):
        worker = shop.worker(step)
        pending = worker.post(event)
        shop.wait_for(event, f"/lease-all-{kill + 1}.json")
        time.sleep(0.3 * kill)
        worker.function.kill()
        with pytest.raises(httpx.TransportError):
            pending.result(10)
        assert not shop.objects(event, "/result.json")
    answered(shop.worker(step).function.post(event))
    assert len(shop.objects(event, "/result.json")) == 1
    tried("SIGKILL in mid-step", 4 if full else 2)


def stop(worker: Worker) -> list[int]:
    """SIGSTOP to a function and everything below it."""
    pids = [worker.function.process.pid, *descendants(worker.function.process.pid)]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    return pids


def test_a_sleeper_that_wakes_after_its_lease_changes_nothing(shop: Workshop, sleep: Sleep, tried: Tried) -> None:
    """F8, F51; rules 4, 7: the store's clock alone says when; who took over has the result, the sleeper answers it."""
    sleeper = shop.worker(sleep.step, **clock_off_by(sleep.sleeper_minutes))
    other = shop.worker(sleep.step, **clock_off_by(sleep.other_minutes))
    event = shop.event_for(sleep.step)
    pending = sleeper.post(event)
    shop.wait_for(event, "/lease-")
    stopped = stop(sleeper)
    try:
        assert other.function.post(event).status_code == 409
        other.proxy.seconds_ahead = LIFE_SECONDS + 1
        reply = answered(other.function.post(event))
        committed = result_of(shop, event)
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
    late = answered(pending.result(PATIENCE_SECONDS))
    assert (late.id, late.payload) == (reply.id, reply.payload)
    assert result_of(shop, event) == committed
    tried("SIGSTOP beyond the lease, clocks 20 minutes apart")


def result_of(shop: Workshop, event: Event) -> tuple[str, bytes]:
    [key] = shop.objects(event, "/result.json")
    return key, shop.store.get(key)


def clock_off_by(minutes: int) -> dict[str, str]:
    """The environment of a process on a machine whose clock is wrong."""
    if not minutes:
        return {}
    libraries = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    assert libraries, "faketime is missing: run scripts/install-system test"
    # Monotonic clocks of a wrong machine run as they do everywhere.
    return {
        "LD_PRELOAD": str(libraries[0]),
        "FAKETIME": f"{minutes:+d}m",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "NO_FAKE_STAT": "1",
    }


@pytest.mark.full_form
def test_a_runner_that_is_stopped_in_mid_step_goes_on_where_it_was(tmp_path: Path, full: bool, tried: Tried) -> None:
    """F7; rules 7, 26: SIGTERM with almost no grace, over and over, in the middle of text recognition."""
    body = scan([f"{LETTER}\nSheet {n}" for n in range(8)])
    stops = MAX_LOST + 2 if full else 1
    with running(tmp_path / "data", SHUTDOWN_GRACE_SECONDS="0.2") as instance:
        [document] = instance.upload(("scan.pdf", body))
        for _ in range(stops):
            time.sleep(2.5)
            instance.stop()
            assert not descendants(instance.pid)
            instance.start()
        [done] = instance.settled(document["id"])
        assert done["status"] == "ready", done
        assert len(list((instance.data / "documents").glob("*/ocr/*/result.json"))) == 1
    tried("runner stopped in mid-step", stops)


@pytest.mark.full_form
def test_nothing_piles_up_in_the_temporary_directory(shop: Workshop, tmp_path: Path, full: bool) -> None:
    """F46: work that was asked to end leaves its jail's own directory at most, for the next process to clear."""
    for step in ("ocr", "convert", "enrich", "ocr", "convert") if full else ("ocr", "ocr"):
        worker, event = shop.worker(step, TMPDIR=str(tmp_path)), shop.event_for(step)
        pending = worker.post(event)
        shop.wait_for(event, "/lease-")
        worker.function.process.send_signal(signal.SIGTERM)
        answered(pending.result(PATIENCE_SECONDS))
        worker.function.process.wait(60)
    left = {path.relative_to(tmp_path).parts[0] for path in tmp_path.rglob("*") if path.is_file()}
    assert [name for name in left if not name.startswith(DIRECTORY_PREFIX)] == []
    assert len(left) <= 1
