"""sweep: originals without a row become documents, with all that was asked for; nothing else of theirs goes."""

import shutil
from datetime import timedelta
from pathlib import Path

from shared.database.engine import writing
from shared.database.tables import Document, LedgerEntry, OutboxEvent, Tombstone
from shared.documents import new_document_id
from shared.events import DocumentReceived, ObjectCreated, RunOptions, from_json, new_event
from shared.originals import Provenance
from shared.sources import CLAIMED, RECEIVED
from shared.storage import keys
from tests.app.sweep.estate import Estate, sha256
from web.sweep import STILL_WRITING

ASKED = Provenance(
    "Rechnung März.pdf",
    "erika",
    "api",
    RunOptions(language="deu+eng"),
    title="Grüße aus 大阪",
    tags=("Strom", "naïve"),
)


def test_an_original_without_a_row_becomes_a_document_with_all_that_was_asked_for(anywhere: Estate) -> None:
    """rules 1"""
    document_id = anywhere.original(b"to pay", ASKED)
    assert anywhere.late().adopted == 1
    row = anywhere.row(document_id)
    assert (row.filename, row.owner, row.channel, row.title) == (ASKED.filename, "erika", "api", ASKED.title)
    assert (row.options["language"], sorted(row.locked), row.sha256) == (
        "deu+eng",
        ["tags", "title"],
        sha256(b"to pay"),
    )
    assert (row.status, row.run_from) == ("processing", "convert")
    [queued] = anywhere.rows(OutboxEvent)
    event = from_json(queued.body)
    assert (event.type, event.subject, event.source) == (DocumentReceived.type, document_id, "/docuelevate/web")
    assert anywhere.late().adopted == 0
    assert anywhere.keys("documents/") == [keys.original(document_id)]


def test_what_may_still_become_a_document_by_itself_is_left_alone(estate: Estate) -> None:
    estate.original(b"to pay", ASKED)
    assert estate.swept().adopted == 0
    assert estate.swept(after=STILL_WRITING / 2).adopted == 0


def test_a_purged_document_is_not_adopted(estate: Estate) -> None:
    """rules 23: later work for a purged document brings nothing back; what it wrote is removed."""
    document_id = estate.original(b"to pay", ASKED)
    estate.store.put(keys.tombstone(document_id), b"{}", media_type="application/json")
    assert (estate.late().adopted, estate.rows(Document)) == (0, [])
    assert estate.keys("documents/") == []


def test_a_document_that_an_older_backup_brought_back_is_purged_again(estate: Estate) -> None:
    document_id = estate.document()
    estate.store.delete_prefix(keys.document_prefix(document_id))
    estate.store.put(keys.tombstone(document_id), b"{}", media_type="application/json")
    assert estate.late().purged == 1
    assert estate.rows(Document) == []
    assert [row.document_id for row in estate.rows(Tombstone)] == [document_id]


def test_an_older_backup_of_the_database_costs_no_document(estate: Estate, tmp_path: Path) -> None:
    """rules 1: whatever is stored since is adopted."""
    kept = estate.document(b"kept")
    for number in range(5):
        estate.original(f"later {number}".encode(), Provenance(f"{number}.txt", "local", "api"))
    assert estate.late().adopted == 5
    assert {row.filename for row in estate.rows(Document) if row.id != kept} == {f"{n}.txt" for n in range(5)}


def test_a_second_copy_of_a_living_document_goes(estate: Estate) -> None:
    """rules 3: it came second, and its upload was answered so, or would have been."""
    kept = estate.document(b"same", owner="local")
    copy = estate.original(b"same", Provenance("b.txt", "local", "api"))
    swept = estate.late()
    assert (swept.adopted, swept.removed) == (0, 1)
    assert estate.keys(keys.document_prefix(copy)) == []
    assert [row.id for row in estate.rows(Document)] == [kept]


def test_a_second_copy_stays_where_the_first_is_not_whole(estate: Estate) -> None:
    kept = estate.document(b"same")
    estate.store.delete(keys.original(kept))
    copy = estate.original(b"same", Provenance("b.txt", "local", "api"))
    estate.late()
    assert keys.original(copy) in estate.keys("documents/")
    assert ("original_missing", kept) in estate.findings()


def test_a_copy_that_was_to_be_stored_anyway_becomes_a_document(estate: Estate) -> None:
    """rules 3: `force` is exempt."""
    estate.document(b"same")
    estate.original(b"same", Provenance("b.txt", "local", "api", force=True))
    assert estate.late().adopted == 1


def test_a_copy_of_a_trashed_document_becomes_one_of_its_own(estate: Estate) -> None:
    trashed = estate.document(b"same", status="trashed")
    estate.change(trashed, trashed_at=estate.now)
    estate.original(b"same", Provenance("b.txt", "local", "api"))
    assert estate.late().adopted == 1


def test_an_original_that_says_nothing_of_itself_is_adopted_all_the_same(estate: Estate) -> None:
    document_id = estate.original(b"who am I?")
    assert estate.late().adopted == 1
    assert (estate.row(document_id).filename, estate.row(document_id).owner) == ("document", "local")


def test_a_file_put_back_by_hand_is_adopted(estate: Estate, tmp_path: Path) -> None:
    document_id = new_document_id()
    path = tmp_path / "objects" / keys.original(document_id)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"from a backup")
    assert estate.late().adopted == 1
    assert estate.row(document_id).sha256 == sha256(b"from a backup")


def test_objects_without_original_and_row_are_told_and_kept(estate: Estate) -> None:
    document_id = new_document_id()
    estate.store.put(f"{keys.document_prefix(document_id)}ocr/f/a/text.json", b"{}", media_type="text/plain")
    estate.store.put("documents/README", b"hello", media_type="text/plain")
    assert estate.late().removed == 0
    assert estate.findings() == [("orphaned_object", document_id), ("orphaned_object", "documents/README")]
    assert len(estate.keys("documents/")) == 2
    estate.store.delete("documents/README")
    estate.store.delete_prefix(keys.document_prefix(document_id))
    estate.late()
    assert estate.findings() == []


def test_a_claim_whose_source_was_replaced_is_adopted_and_settled(estate: Estate) -> None:
    """rules 16"""
    document_id = estate.original(b"first", Provenance("bill.txt", "local", "s3"))
    estate.store.put("incoming/bill.txt", b"second", media_type="text/plain")
    with writing(estate.engine) as session:
        session.add(
            LedgerEntry(
                identity="i",
                bucket=estate.store.bucket,
                key="incoming/bill.txt",
                etag="of the first",
                document_id=document_id,
                runid="run",
                state=CLAIMED,
                created_at=estate.now,
            )
        )
    assert estate.late().adopted == 1
    [entry] = estate.rows(LedgerEntry)
    assert (entry.state, estate.row(document_id).runid) == (RECEIVED, "run")
    assert entry.received is not None and from_json(entry.received).subject == document_id


def test_sweeps_that_walk_together_adopt_once(anywhere: Estate) -> None:
    for number in range(20):
        anywhere.original(f"{number}".encode(), Provenance(f"{number}.txt", "local", "api"))
    later = anywhere.now + timedelta(hours=2)
    sweeps = [anywhere.sweep.run(later).adopted for _ in range(3)]
    assert sorted(sweeps) == [0, 0, 20]


def test_a_directory_without_its_records_loses_names_only(estate: Estate, tmp_path: Path) -> None:
    document_id = estate.original(b"to pay", ASKED)
    shutil.rmtree(tmp_path / "objects" / ".metadata")
    (tmp_path / "objects" / ".metadata").mkdir()
    assert estate.late().adopted == 1
    assert estate.row(document_id).sha256 == sha256(b"to pay")


def test_the_answer_of_ingest_is_the_adopted_run(estate: Estate) -> None:
    """rules 16: every later event that meets the claim answers the same."""
    document_id = estate.original(b"first", Provenance("bill.txt", "local", "s3"))
    with writing(estate.engine) as session:
        session.add(
            LedgerEntry(
                identity="i",
                bucket=estate.store.bucket,
                key="incoming/bill.txt",
                etag="e",
                document_id=document_id,
                runid="run",
                state=CLAIMED,
                created_at=estate.now,
            )
        )
    estate.late()
    data = ObjectCreated(bucket=estate.store.bucket, key="incoming/bill.txt", etag="e")
    reply = estate.ingest(new_event(data, source="/s", subject="x"))
    assert reply is not None and (reply.subject, reply.runid) == (document_id, "run")
