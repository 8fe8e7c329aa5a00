"""sweep: what rows name is there, what lost is gone, what changed by itself is told (rules 1, 6 and 23)."""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO

import pytest
from sqlalchemy import delete

from shared.database.engine import writing
from shared.database.tables import Document, Finding, OutboxEvent
from shared.documents import Step
from shared.events import DocumentReceived, from_json
from shared.leases import lease
from shared.results import Attempt, StepResult, Work
from shared.storage import keys
from shared.storage.directory import DirectoryObjectStore
from tests.app.sweep.estate import Estate
from web.sweep.objects import SLICE_ROWS
from web.sweep.verification import VERIFY_EVERY
from web.writes import purge

FINGERPRINT = "f" * 64


def work(estate: Estate, document_id: str) -> Work:
    return Work(estate.store, document_id, Step.CONVERT.value, "1", FINGERPRINT, "input")


def committed(estate: Estate, document_id: str) -> StepResult:
    """A result, and what two workers who came second have left."""
    done = work(estate, document_id)

    def produce(attempt: Attempt) -> StepResult:
        pdf = attempt.store_bytes("document.pdf", b"%PDF", "application/pdf")
        return done.outcome(attempt, payloads={"pdf": pdf})

    result = done.once(produce)
    for _ in range(2):
        Attempt(estate.store, done.prefix).store_bytes("document.pdf", b"%PDF-lost", "application/pdf")
    return result


def test_lost_attempts_and_old_leases_go_and_what_is_committed_stays(anywhere: Estate) -> None:
    """rules 6"""
    document_id = anywhere.document()
    result = committed(anywhere, document_id)
    prefix = work(anywhere, document_id).prefix
    assert len(anywhere.keys(prefix)) == 5
    assert anywhere.swept().removed == 0, "somebody may still be at work"
    assert anywhere.late().removed == 3
    assert anywhere.keys(prefix) == [result.payloads["pdf"].key, prefix + "result.json"]
    assert work(anywhere, document_id).result() == result


def test_attempts_without_a_committed_result_stay(estate: Estate) -> None:
    document_id = estate.document()
    Attempt(estate.store, work(estate, document_id).prefix).store_bytes("document.pdf", b"%PDF", "application/pdf")
    assert estate.late().removed == 0


def test_what_a_row_names_is_never_removed(estate: Estate) -> None:
    """rules 6: whatever the commits say."""
    document_id = estate.document()
    committed(estate, document_id)
    [named, *_] = [key for key in estate.keys(work(estate, document_id).prefix) if b"lost" in estate.store.get(key)]
    pdf = {"bucket": "b", "key": named, "size": 9, "sha256": "s", "etag": "e", "media_type": "application/pdf"}
    estate.change(document_id, converted={"pdf": pdf, "fingerprint": "f"})
    assert estate.late().removed == 2
    assert named in estate.keys(work(estate, document_id).prefix)


def test_parts_keep_their_attempts(estate: Estate) -> None:
    document_id = estate.document()
    done = work(estate, document_id)

    def produce(attempt: Attempt) -> StepResult:
        pages = attempt.store_bytes("pages.json", b"{}", "application/json")
        return done.outcome(attempt, payloads={"pages": pages})

    part = done.once(produce, unit="0001-0008", name="part-0001-0008.json")
    committed(estate, document_id)
    estate.late()
    assert part.payloads["pages"].key in estate.keys(done.prefix)


def test_work_that_is_going_on_is_left_alone(estate: Estate) -> None:
    document_id = estate.document()
    committed(estate, document_id)
    with lease(estate.store, work(estate, document_id).prefix, "join"):
        assert estate.swept(after=timedelta(minutes=10)).removed == 0


def test_a_result_that_is_gone_is_made_again(anywhere: Estate) -> None:
    """rules 6: the run's memo sets the broken commit aside."""
    document_id = anywhere.document()
    anywhere.store.delete(anywhere.with_result(document_id))
    swept = anywhere.late()
    assert (swept.repaired, anywhere.findings()) == (1, [("payload_missing", document_id)])
    [queued] = anywhere.rows(OutboxEvent)
    assert from_json(queued.body).type == DocumentReceived.type
    row = anywhere.row(document_id)
    assert (row.status, row.run_from, from_json(queued.body).runid) == ("processing", "convert", row.runid)


def test_a_result_that_cannot_be_made_again_is_not_tried_for_ever(estate: Estate) -> None:
    document_id = estate.document()
    estate.store.delete(estate.with_result(document_id))
    repaired = 0
    for _ in range(20):
        repaired += estate.swept(after=timedelta(hours=12)).repaired
        with writing(estate.engine) as session:
            session.execute(delete(OutboxEvent))
        estate.change(document_id, status="attention")
    assert repaired == 5
    assert estate.findings() == [("payload_missing", document_id)]


def test_a_finding_goes_once_it_is_no_longer_so(estate: Estate) -> None:
    document_id = estate.document()
    key = estate.with_result(document_id)
    estate.store.delete(key)
    estate.late()
    estate.store.put(key, b"%PDF", media_type="application/pdf")
    estate.change(document_id, status="ready")
    estate.late()
    assert estate.findings() == []


def test_a_missing_original_is_told_on_the_document_until_it_is_back(anywhere: Estate) -> None:
    document_id = anywhere.document(b"precious")
    settle(anywhere, document_id)
    body = anywhere.store.get(keys.original(document_id))
    anywhere.store.delete(keys.original(document_id))
    assert anywhere.late().marked == 1
    row = anywhere.row(document_id)
    assert (row.status, row.code) == ("attention", "source_gone")
    assert row.message == "The original file is no longer in the object store." and "backup" in (row.hint or "")
    assert anywhere.findings() == [("original_missing", document_id)]
    found_at = anywhere.rows(Finding)[0].found_at
    anywhere.late()
    assert anywhere.rows(Finding)[0].found_at == found_at < anywhere.rows(Finding)[0].seen_at
    anywhere.store.put(keys.original(document_id), body, media_type="text/plain")
    assert anywhere.late().repaired == 1
    assert (anywhere.row(document_id).code, anywhere.findings()) == (None, [])


def settle(estate: Estate, document_id: str) -> None:
    """Steps as a finished run leaves them is what re-projection starts from; here nothing was archived."""
    assert estate.row(document_id).status == "ready"


def test_an_empty_store_is_taken_for_the_wrong_one(estate: Estate, tmp_path: Path) -> None:
    documents = [estate.document(f"{number}".encode()) for number in range(12)]
    estate.store = estate.sweep.store = DirectoryObjectStore(tmp_path / "elsewhere")
    swept = estate.late()
    assert "originals" in swept.failures and swept.marked == 0
    assert {estate.row(each).status for each in documents} == {"ready"}
    assert estate.findings() == []


def test_bytes_that_changed_by_themselves_are_told(estate: Estate, tmp_path: Path) -> None:
    """rules 1: shown on the document, never hidden."""
    document_id = estate.document(b"precious")
    whole = estate.document(b"whole")
    path = tmp_path / "objects" / keys.original(document_id)
    status = path.stat()
    path.write_bytes(b"preciouS")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert estate.swept(after=timedelta(days=1)).marked == 0, "it is not read every day"
    swept = estate.swept(after=VERIFY_EVERY)
    assert (swept.marked, estate.findings()) == (1, [("original_damaged", document_id)])
    assert (estate.row(document_id).status, estate.row(document_id).code) == ("attention", "corrupt")
    verified_at = estate.row(whole).verified_at
    assert verified_at is not None and verified_at >= estate.now - timedelta(seconds=1)
    path.write_bytes(b"precious")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    estate.swept(after=timedelta(days=2))
    assert (estate.row(document_id).code, estate.findings()) == (None, [])


def test_a_result_whose_bytes_changed_is_made_again(anywhere: Estate) -> None:
    """rules 6: of the same size, so that only reading tells; what is damaged is not found by the memo any more."""
    document_id = anywhere.document()
    pdf = anywhere.with_result(document_id)
    whole = anywhere.document(b"whole")
    anywhere.with_result(whole)
    anywhere.store.put(pdf, b"%PdF", media_type="application/pdf")
    assert anywhere.swept(after=VERIFY_EVERY * 2, report=True).findings[0].kind == "payload_damaged"
    assert anywhere.store.head(pdf) is not None, "a report changes nothing"
    swept = anywhere.swept()
    assert (swept.repaired, anywhere.findings()) == (1, [("payload_damaged", document_id)])
    assert anywhere.store.head(pdf) is None
    assert (anywhere.row(document_id).status, anywhere.row(document_id).run_from) == ("processing", "convert")
    assert anywhere.row(whole).status == "ready"


class WrongOnce(DirectoryObjectStore):
    """Hands out other bytes for one key, once."""

    def __init__(self, root: Path, key: str) -> None:
        super().__init__(root)
        self.wrong = [key]

    @contextmanager
    def open(self, key: str, *, start: int = 0, length: int | None = None) -> Iterator[BinaryIO]:
        with super().open(key, start=start, length=length) as stream:
            if key in self.wrong:
                self.wrong.remove(key)
                yield io.BytesIO(b"!!!!")
            else:
                yield stream


def test_bytes_that_were_read_wrong_once_are_not_taken_for_damage(estate: Estate, tmp_path: Path) -> None:
    document_id = estate.document()
    key = estate.with_result(document_id)
    estate.store = estate.sweep.store = WrongOnce(tmp_path / "objects", key)
    assert estate.swept(after=VERIFY_EVERY * 2).repaired == 0
    assert (estate.findings(), estate.store.wrong) == ([], [])


def test_the_damaged_do_not_keep_the_others_from_being_read(estate: Estate, tmp_path: Path) -> None:
    damaged = [estate.document(f"{number}".encode()) for number in range(3)]
    for document_id in damaged:
        (tmp_path / "objects" / keys.original(document_id)).write_bytes(b"!")
    for _ in range(2):
        estate.swept(after=VERIFY_EVERY * 2)
    swept = estate.swept(after=timedelta(minutes=1))
    assert swept.checked.get("originals read", 0) == 0
    assert len(estate.findings()) == 3


def test_a_purge_that_was_cut_short_is_finished(estate: Estate) -> None:
    """rules 23"""
    document_id = estate.document()
    purge(estate.engine, estate.store, "local", document_id)
    late = f"{work(estate, document_id).prefix}attempt-late/document.pdf"
    estate.store.put(late, b"%PDF", media_type="application/pdf")
    assert estate.late().removed == 1
    assert estate.keys("documents/") == []


def test_a_broken_row_stops_no_other(estate: Estate) -> None:
    broken, other = estate.document(b"1"), estate.document(b"2")
    estate.change(broken, converted={"pdf": "not a reference"}, original={"key": 5})
    estate.store.delete(estate.with_result(other))
    swept = estate.late()
    assert swept.repaired == 1
    assert ("not_swept", broken) in estate.findings()
    assert estate.row(other).status == "processing"


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_a_long_library_is_walked_in_slices_to_its_end(estate: Estate) -> None:
    ids = [estate.original(f"{number}".encode(), None) for number in range(SLICE_ROWS + 1)]
    estate.late()
    assert {row.id for row in estate.rows(Document)} == set(ids)
    estate.change(max(ids), status="ready")
    estate.store.delete(keys.original(max(ids)))
    assert estate.late().marked == 0, "one sweep walks one slice"
    assert estate.late().marked == 1
