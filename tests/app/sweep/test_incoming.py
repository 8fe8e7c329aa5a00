"""sweep: objects under `incoming/` that nobody told of, and claims that were never finished (rules 16)."""

import os
from datetime import timedelta
from pathlib import Path

from sqlalchemy import Engine, select

from shared.database.engine import reading, writing
from shared.database.tables import Document, LedgerEntry
from shared.events import ObjectCreated, new_event
from shared.originals import Provenance
from shared.sources import CLAIMED, DUPLICATE, RECEIVED, REJECTED, identity
from shared.storage import keys
from shared.storage.directory import DirectoryObjectStore
from tests.app.sweep.estate import Estate
from web.sweep import Sweep
from web.sweep.configured import sweep_with
from web.sweep.round import LONGEST_PAUSE

LATE = timedelta(minutes=2)


def drop(estate: Estate, name: str = "bill.txt", body: bytes = b"to pay") -> str:
    """As others do: without our metadata."""
    if isinstance(estate.store, DirectoryObjectStore):
        path = estate.store._root / "incoming" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    else:
        estate.store.put(f"incoming/{name}", body, media_type="text/plain")
    return f"incoming/{name}"


def claim(estate: Estate, key: str) -> LedgerEntry:
    """What ingest does first, and then died."""
    head = estate.store.head(key)
    assert head is not None
    entry = LedgerEntry(
        identity=identity(estate.store.bucket, head),
        bucket=estate.store.bucket,
        key=key,
        version_id=head.version_id,
        etag=head.etag,
        document_id="0190a1b2-c3d4-7e5f-8a9b-0123456789ab",
        runid="run",
        state=CLAIMED,
        created_at=estate.now,
    )
    with writing(estate.engine) as session:
        session.add(entry)
    return entry


def test_an_object_that_nobody_told_of_is_announced_and_becomes_a_document(anywhere: Estate) -> None:
    key = drop(anywhere, "Ordner/Käse & Brot.txt")
    assert anywhere.swept().announced == 0, "its notification may still come"
    assert anywhere.swept(after=LATE).announced == 1
    [event] = anywhere.announced()
    data = ObjectCreated.model_validate(event.payload)
    assert (event.source, data.key, data.bucket) == ("/docuelevate/sweep", key, anywhere.store.bucket)
    assert event.subject.isascii()
    assert anywhere.ingest(event) is not None
    assert [row.filename for row in anywhere.rows(Document)] == ["Käse & Brot.txt"]
    assert anywhere.swept(after=timedelta(days=1)).announced == 0


def test_a_notification_and_an_announcement_are_one_document(anywhere: Estate) -> None:
    """contract §5: the identity is the same for notification and listing."""
    key = drop(anywhere)
    head = anywhere.store.head(key)
    assert head is not None
    notice = ObjectCreated(bucket=anywhere.store.bucket, key=key, etag=head.etag, version_id=head.version_id)
    first = anywhere.ingest(new_event(notice, source="/docuelevate/web", subject=key), keep_incoming=True)
    assert anywhere.swept(after=LATE).announced == 0
    drop(anywhere, "other.txt", b"another")
    anywhere.swept(after=LATE)
    [announced] = anywhere.announced()
    assert announced.payload["key"] == "incoming/other.txt"
    assert first is not None and len(anywhere.rows(Document)) == 1


def test_a_source_that_is_kept_is_not_announced_for_ever(anywhere: Estate) -> None:
    drop(anywhere)
    anywhere.swept(after=LATE)
    anywhere.ingest(anywhere.announced()[0], keep_incoming=True)
    assert [anywhere.swept(after=timedelta(hours=hours)).announced for hours in (1, 10, 100)] == [0, 0, 0]
    assert anywhere.keys("incoming/") == ["incoming/bill.txt"]


def test_new_bytes_under_a_kept_name_are_announced(anywhere: Estate) -> None:
    drop(anywhere)
    anywhere.swept(after=LATE)
    anywhere.ingest(anywhere.announced()[0], keep_incoming=True)
    drop(anywhere, body=b"to pay again")
    assert anywhere.swept(after=LATE).announced == 1


def test_while_nobody_takes_it_over_it_is_announced_less_and_less_often(estate: Estate) -> None:
    drop(estate)
    estate.now += LATE
    sent = [estate.swept(after=timedelta(minutes=1)).announced for _ in range(60)]
    assert [minute for minute, count in enumerate(sent) if count] == [0, 5, 15, 35]


def test_an_announcement_that_the_broker_did_not_take_is_made_later(estate: Estate) -> None:
    drop(estate)
    estate.broker.is_down = True
    assert "incoming" in estate.swept(after=LATE).failures
    estate.broker.is_down = False
    assert estate.swept(after=timedelta(minutes=10)).announced == 1


def test_a_folder_marker_is_no_document(anywhere: Estate) -> None:
    if not isinstance(anywhere.store, DirectoryObjectStore):
        anywhere.store._client.put_object(Bucket=anywhere.store.bucket, Key="incoming/folder/", Body=b"")
    assert anywhere.swept(after=LATE).announced == 0


def test_files_that_are_still_being_written_are_left_to_their_writers(engine: Engine, tmp_path: Path) -> None:
    """rules 17"""
    os.environ["DATA_DIR"] = str(tmp_path / "objects")
    try:
        store = DirectoryObjectStore(tmp_path / "objects")
        estate = Estate(engine, store)
        estate.sweep = sweep_with(engine, store, estate.broker, None)
    finally:
        del os.environ["DATA_DIR"]
    for name in ("a.pdf.part", ".hidden", "~$letter.docx"):
        drop(estate, name)
    with (tmp_path / "objects" / "incoming" / "scan.pdf").open("wb") as scanner:
        scanner.write(b"%PDF")
        assert estate.swept(after=LATE).announced == 0
    assert estate.swept(after=LATE).announced == 1


def test_a_claim_is_resumed(anywhere: Estate) -> None:
    key = drop(anywhere)
    entry = claim(anywhere, key)
    assert anywhere.swept(after=timedelta(minutes=10)).announced == 1
    reply = anywhere.ingest(anywhere.announced()[0])
    assert reply is not None and (reply.subject, reply.runid) == (entry.document_id, "run")
    assert [row.state for row in anywhere.rows(LedgerEntry)] == [RECEIVED]


def test_a_claim_whose_source_is_gone_after_the_copy_is_resumed(anywhere: Estate) -> None:
    key = drop(anywhere)
    entry = claim(anywhere, key)
    head = anywhere.store.head(key)
    assert head is not None
    about = Provenance("bill.txt", "local", "s3").to_metadata()
    anywhere.store.copy(head, keys.original(entry.document_id), media_type="text/plain", metadata=about)
    anywhere.store.delete(key)
    anywhere.swept(after=timedelta(minutes=10))
    reply = anywhere.ingest(anywhere.announced()[0])
    assert reply is not None and (reply.subject, reply.runid) == (entry.document_id, "run")


def test_a_claim_on_what_is_gone_ends(estate: Estate) -> None:
    key = drop(estate)
    claim(estate, key)
    estate.store.delete(key)
    assert estate.swept(after=timedelta(minutes=10)).rejected == 1
    [entry] = estate.rows(LedgerEntry)
    assert (entry.state, entry.reason) == (REJECTED, "The object was gone before it could be copied.")
    assert estate.swept(after=timedelta(minutes=10)).rejected == 0


def test_an_object_that_was_gone_and_came_back_is_taken_over(anywhere: Estate) -> None:
    """A replica that lags, a delete marker taken away: the version is the one that was once said to be gone."""
    key = drop(anywhere)
    entry = claim(anywhere, key)
    with writing(anywhere.engine) as session:
        session.get_one(LedgerEntry, entry.identity).state = REJECTED
    assert anywhere.swept(after=LATE).announced == 1
    assert anywhere.ingest(anywhere.announced()[0]) is not None
    assert len(anywhere.rows(Document)) == 1


def test_what_equals_a_living_document_is_settled_without_a_second_one(anywhere: Estate) -> None:
    anywhere.document(b"to pay")
    drop(anywhere)
    anywhere.swept(after=LATE)
    anywhere.ingest(anywhere.announced()[0])
    with reading(anywhere.engine) as session:
        assert session.scalars(select(LedgerEntry.state)).all() == [DUPLICATE]
    assert (anywhere.late().adopted, anywhere.swept().announced, len(anywhere.rows(Document))) == (0, 0, 1)


def test_a_file_that_is_refused_is_told_of_as_long_as_it_is_there(anywhere: Estate) -> None:
    """It is announced now and then all the same: the limit may have been raised."""
    key = drop(anywhere, "film.mp4")
    anywhere.swept(after=LATE)
    assert anywhere.ingest(anywhere.announced()[0], max_size_bytes=1) is None
    assert [anywhere.swept(after=LONGEST_PAUSE).announced for _ in range(2)] == [1, 1]
    assert anywhere.findings() == [("file_refused", key)]
    anywhere.store.delete(key)
    anywhere.late()
    assert anywhere.findings() == []


def test_sweeps_at_once_announce_once(estate: Estate) -> None:
    drop(estate)
    later = estate.now + LATE
    others = [Sweep(estate.engine, estate.store, estate.broker) for _ in range(3)]
    assert sum(each.run(later).announced for each in others) == 1


def test_a_long_inbox_is_walked_to_its_end(estate: Estate) -> None:
    for number in range(1200):
        drop(estate, f"{number:04}.txt", str(number).encode())
    estate.now += LATE
    # On a slow machine one sweep does not come to the end.
    assert sum(estate.swept().announced for _ in range(4)) == 1200
    assert len({event.payload["key"] for event in estate.announced()}) == 1200
