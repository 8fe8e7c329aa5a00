"""The disk of the data directory is full (F45): uploads are refused with a sentence, nothing is half, and it passes.

With the right to mount, the data directory is a small file system of its own. Without it, the kernel refuses the
runner and its functions every file beyond a size, which reaches the same code with another errno.
"""

import os
import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from shared.documents import new_document_id
from shared.events import (
    DocumentConverted,
    DocumentReceived,
    DocumentRecognized,
    Event,
    EventData,
    decode,
    new_event,
)
from shared.storage import keys
from shared.storage.directory import DirectoryObjectStore
from tests.chaos.conftest import is_full
from tests.chaos.load import Sent, check, letters, send, sending, settle
from tests.papers import INVOICE, LETTER, scan
from tests.servers.docuelevate import Instance, descendants, running, wait_for
from tests.servers.function import ROOT, Function

DISK_BYTES = 48 << 20
ROOMS = (0, 600 << 10, 8 << 10, 64 << 10, 300 << 10, 900 << 10, 1 << 20, 2 << 20, 4 << 20)
"""Bytes left: where it ends differs, in the fetching, in the jail, in the writing of the PDF."""
LARGE = b"%" * (6 << 20)


class Disk:
    """Where the data are, and a way to leave no room there."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._ballast = path / "ballast"

    def fill(self, leave_bytes: int = 0) -> None:
        """Take all room but so much."""
        with self._ballast.open("ab") as file:
            try:
                while (free := os.statvfs(self.path).f_bavail * os.statvfs(self.path).f_bsize - leave_bytes) > 0:
                    file.write(b"\0" * min(free, 1 << 20))
                    file.flush()
            except OSError:
                return

    def make_room(self) -> None:
        """Give it back."""
        self._ballast.unlink()


@contextmanager
def small_disk(path: Path) -> Iterator[Disk]:
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(path)], check=True)
    try:
        yield Disk(path)
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)


def may_mount() -> bool:
    """Whether this process may mount a file system."""
    probe = ["unshare", "--mount", "sh", "-c", "mount -t tmpfs tmpfs /mnt"]
    return subprocess.run(probe, capture_output=True).returncode == 0


def database_url(instance: Instance) -> str:
    return f"sqlite:///{instance.data / 'docuelevate.db'}"


def drafts(instance: Instance) -> list[Path]:
    return list((instance.data / ".drafts").iterdir())


def refused(instance: Instance) -> str:
    """Send a large file once; the sentence it was refused with."""
    answer = instance.client.post("/api/documents", files={"file": ("large.txt", LARGE)}, timeout=60)
    assert answer.status_code in (503, 507), answer.text
    assert not drafts(instance)
    return str(answer.json()["error"]["message"])


def assert_alive(instance: Instance, sent: Sent) -> None:
    """Reading goes on: the list, the documents, their originals."""
    assert instance.client.get("/api/health").status_code == 200
    assert len(instance.documents()) == len(sent.accepted)
    for name, document_id in sent.accepted.items():
        assert instance.client.get(f"/api/documents/{document_id}/original").content == sent.bodies[name]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """The short form does without the one that has to wait for a lease to run out."""
    if "moment" in metafunc.fixturenames:
        metafunc.parametrize("moment", ["at once", *(["in the middle"] if is_full(metafunc.config) else [])])


if may_mount():

    def test_a_full_disk_refuses_uploads_and_takes_them_again_when_there_is_room(tmp_path: Path) -> None:
        """F45; rules 2: no restart, no half object, no draft left."""
        with small_disk(tmp_path / "data") as disk, running(disk.path) as instance:
            with sending(letters(4, "early"), instance.url) as (sent, _):
                pass
            settle(instance, sent)
            disk.fill(leave_bytes=2 << 20)
            message = refused(instance)
            assert "space" in message and message.endswith(".")
            assert_alive(instance, sent)
            disk.fill()
            assert "space" in refused(instance)
            assert_alive(instance, sent)
            disk.make_room()
            send(instance.url, "late.txt", LETTER.encode(), sent)
            check(sent, settle(instance, sent), DirectoryObjectStore(instance.data), database_url(instance))

    def test_work_that_met_a_full_disk_is_done_when_there_is_room(tmp_path: Path, moment: str, full: bool) -> None:
        """F45; rules 5: what runs on a full disk fails for now; nothing truncated counts as done."""
        with small_disk(tmp_path / "data") as disk, running(disk.path) as instance:
            files = letters(6 if full else 2, "work") | {"scan.pdf": scan([f"{LETTER}\nSheet {n}" for n in range(3)])}
            with sending(files, instance.url) as (sent, _):
                pass
            if moment == "in the middle":
                wait_for(lambda: bool(list(instance.data.glob("documents/*/ocr"))), 60, "nothing was begun")
            disk.fill()
            wait_for(lambda: has_noticed(instance), 60, "nobody noticed")
            assert httpx.get(f"{instance.url}/api/health", timeout=60).status_code == 200
            disk.make_room()
            check(sent, settle(instance, sent), DirectoryObjectStore(instance.data), database_url(instance))
            assert not drafts(instance)

    @pytest.mark.parametrize("step", ["convert", "ocr"])
    def test_a_full_disk_for_temporary_files_decides_nothing_about_a_document(
        tmp_path: Path, step: str, full: bool
    ) -> None:
        """F45; rules 5: 503 wherever the room ends, never a failure; with room the same event is done."""
        environment = {"DATA_DIR": str(tmp_path / "store"), "BROKER_URL": "http://127.0.0.1:9", "OCR_WORKERS": "1"}
        with small_disk(tmp_path / "scratch") as disk:
            function = Function(ROOT / "functions" / step / "main.py", step, environment | {"TMPDIR": str(disk.path)})
            try:
                work = Work(DirectoryObjectStore(tmp_path / "store"), step)
                assert function.post(work.event()).status_code == 200
                answers = [
                    refused_for_now(function, disk, work.event(), left) for left in (ROOMS if full else ROOMS[:2])
                ]
                assert answers[0] == 503
            finally:
                function.kill()


def refused_for_now(function: Function, disk: Disk, event: Event, leave_bytes: int) -> int:
    """Deliver with so little room, then with enough; the status of the first."""
    disk.fill(leave_bytes)
    first = function.post(event)
    disk.make_room()
    assert first.status_code in (200, 503), first.text
    for answer in (function.post(event), *([first] if first.status_code == 200 else [])):
        assert decode(answer.headers, answer.content).type in (DocumentConverted.type, DocumentRecognized.type)
    return first.status_code


@dataclass(frozen=True)
class Work:
    """Scans of two pages in a store, to be converted or recognized."""

    store: DirectoryObjectStore
    step: str

    def event(self) -> Event:
        """One more."""
        document_id, body = new_document_id(), scan([LETTER, INVOICE])
        key = keys.document_prefix(document_id) + ("original" if self.step == "convert" else "convert/c/a/document.pdf")
        pdf = self.store.put(key, body, media_type="application/pdf")
        data: EventData
        if self.step == "convert":
            data = DocumentReceived(
                document_id=document_id,
                original=pdf,
                filename="scan.pdf",
                media_type="application/pdf",
                size=pdf.size,
                sha256=pdf.sha256,
                channel="api",
            )
        else:
            data = DocumentConverted(document_id=document_id, fingerprint="c", pdf=pdf, pages=2, converter="copy")
        return new_event(data, source="/docuelevate/tests", runid="run")


def has_noticed(instance: Instance) -> bool:
    log = (instance.data.parent / f"{instance.data.name}.log").read_text()
    return "No space left on device" in log or "disk is full" in log


def test_files_that_may_not_grow_refuse_large_uploads_and_nothing_else(tmp_path: Path) -> None:
    """F45 without a file system of its own: no file of the runner may be larger than 2 MB for a while."""
    with running(tmp_path / "data") as instance:
        with sending(letters(2, "early"), instance.url) as (sent, _):
            pass
        settle(instance, sent)
        limit_files(instance, 2 << 20)
        assert refused(instance).endswith(".")
        assert_alive(instance, sent)
        limit_files(instance, None)
        send(instance.url, "late.txt", LETTER.encode(), sent)
        check(sent, settle(instance, sent), DirectoryObjectStore(instance.data), database_url(instance))


def limit_files(instance: Instance, size: int | None) -> None:
    """Set the largest size of a file for every process; None takes the limit away."""
    for pid in [instance.pid, *descendants(instance.pid)]:
        with suppress(ProcessLookupError):
            _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard if size is None else size, hard))
