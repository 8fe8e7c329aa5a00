"""What Prometheus is told of the database, on both kinds: it is what happened, and cheap."""

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import Engine, delete, event, insert, update

from shared.database.engine import open_database, reading, writing
from shared.database.tables import ArchivedEvent, Charge, DeadLetter, Document, DocumentStep, OutboxEvent
from shared.errors import FailureCode
from shared.storage.directory import DirectoryObjectStore
from tests.app.recorded import Archive
from tests.app.sweep.estate import Estate
from web.metrics.exposition import Metrics
from web.metrics.reads import Reading, everything
from web.metrics.totals import SETTLED_AFTER, ArchivedEvents, Charges, Spent

DAY = timedelta(days=1)
NOW = datetime.now(UTC)
SPENT = ("ocr_pages_total", "tokens_total", "cost_usd_total")
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def scrape(engine: Engine, *, search_enabled: bool = True) -> Samples:
    """All samples, read anew."""
    text, _ = Metrics(engine, search_enabled=search_enabled).exposition("text/plain")
    families = text_string_to_metric_families(text.decode())
    return {(each.name, frozenset(each.labels.items())): each.value for family in families for each in family.samples}


def value(samples: Samples, name: str, **labels: str) -> float | None:
    return samples.get((f"docuelevate_{name}", frozenset(labels.items())))


def named(samples: Samples, name: str) -> list[Mapping[str, str]]:
    return [dict(labels) for found, labels in samples if found == f"docuelevate_{name}"]


def spend(engine: Engine, booked_at: datetime, **spent: Any) -> None:
    row = {"document_id": str(uuid.uuid4()), "step": "enrich", "fingerprint": uuid.uuid4().hex, "booked_at": booked_at}
    with writing(engine) as session:
        session.execute(insert(Charge).values(row | {"pages": 0, "tokens": 0, "cost": "0"} | spent))


def archived(engine: Engine, recorded_at: datetime, event_type: str) -> None:
    row = {"source": "/x", "id": uuid.uuid4().hex, "type": event_type, "subject": "", "time": NOW, "body": "{}"}
    with writing(engine) as session:
        session.execute(insert(ArchivedEvent).values(row | {"recorded_at": recorded_at}))


def test_a_document_is_followed_from_step_to_step(archive: Archive) -> None:
    archive.record(archive.start())
    before = scrape(archive.engine)
    assert value(before, "documents", status="processing") == 1
    assert value(before, "documents", status="ready") == 0
    assert value(before, "search_behind_documents") == 1
    archive.run()
    after = scrape(archive.engine)
    assert value(after, "documents", status="ready") == 1
    assert value(after, "oldest_progress_seconds") == 0
    assert value(after, "steps_ended", step="ocr", state="done") == 1
    assert value(after, "steps_ended", step="ocr", state="failed") == 0
    assert value(after, "step_duration_seconds", step="enrich", percentile="90") is not None
    assert value(after, "run_duration_seconds", percentile="50") is not None
    assert value(after, "database_up") == 1


def test_a_step_that_failed_is_counted_apart(archive: Archive) -> None:
    archive.record(archive.start(), archive.failed("convert", FailureCode.CORRUPT))
    samples = scrape(archive.engine)
    assert value(samples, "steps_ended", step="convert", state="failed") == 1
    assert value(samples, "documents", status="attention") == 1


def test_durations_are_percentiles_of_what_ended_lately(archive: Archive) -> None:
    archive.record(archive.start())
    archive.run()
    ended = datetime.now(UTC)
    with writing(archive.engine) as session:
        took = {"started_at": ended - timedelta(seconds=40), "finished_at": ended}
        session.execute(update(DocumentStep).where(DocumentStep.step == "ocr").values(took))
        session.execute(update(DocumentStep).where(DocumentStep.step == "convert").values(finished_at=ended - DAY))
    samples = scrape(archive.engine)
    assert value(samples, "step_duration_seconds", step="ocr", percentile="99") == pytest.approx(40)
    assert value(samples, "step_duration_seconds", step="convert", percentile="50") is None
    assert value(samples, "steps_ended", step="convert", state="done") == 0


def test_what_stands_still_is_told_by_its_age(archive: Archive) -> None:
    archive.record(archive.start())
    with writing(archive.engine) as session:
        session.execute(update(Document).values(changed_at=datetime.now(UTC) - DAY, resends=2))
        waiting = {"source": "/x", "id": "1", "body": "{}", "not_before": NOW, "attempts": 3}
        session.execute(delete(OutboxEvent))
        session.execute(insert(OutboxEvent).values(waiting | {"created_at": datetime.now(UTC) - DAY}))
        unreadable = {"source": "/x", "id": "2", "body": "", "not_before": NOW, "attempts": 9, "problem": "?"}
        session.execute(insert(OutboxEvent).values(unreadable | {"created_at": datetime.now(UTC) - 2 * DAY}))
    samples = scrape(archive.engine)
    assert value(samples, "oldest_progress_seconds") == pytest.approx(DAY.total_seconds(), abs=60)
    assert value(samples, "documents_resent") == 1
    assert value(samples, "outbox_events", state="waiting") == 1
    assert value(samples, "outbox_events", state="set_aside") == 1
    assert value(samples, "outbox_oldest_seconds") == pytest.approx(DAY.total_seconds(), abs=60)
    assert value(samples, "outbox_attempts") == 3


def test_open_letters_are_told_by_trigger_and_cause_from_known_lists(archive: Archive) -> None:
    first = archive.start()
    archive.record(first)
    for trigger, status in (("convert", "503"), ("ocr-pages", None), ("made-up", "503"), ("enrich", "299")):
        error = {"knativeerrorcode": status} if status else {}
        archive.recorder.bury(trigger, first.attributes() | error, first.payload)
    samples = scrape(archive.engine)
    found = {(each["trigger"], each["cause"], each["state"]) for each in named(samples, "dead_letters")}
    assert found == {
        ("convert", "503", "open"),
        ("ocr-pages", "no_answer", "open"),
        ("other", "503", "open"),
        ("enrich", "other", "open"),
    }
    with writing(archive.engine) as session:
        session.execute(update(DeadLetter).values(state="closed"))
    assert named(scrape(archive.engine), "dead_letters") == []


def test_what_was_spent_outlives_its_document(archive: Archive) -> None:
    archive.record(archive.start())
    archive.run()
    spend(archive.engine, NOW - DAY, pages=3)
    before = scrape(archive.engine)
    assert (value(before, "tokens_total"), value(before, "cost_usd_total")) == (7, 0.001)
    assert value(before, "ocr_pages_total") == 4
    archive.client.delete(archive.here)
    assert archive.client.delete(f"{archive.here}?purge=true").is_success
    after = scrape(archive.engine)
    assert value(after, "documents", status="trashed") == 0
    assert [value(after, name) for name in SPENT] == [value(before, name) for name in SPENT]


def test_sums_of_spending_read_each_old_row_once(engine: Engine) -> None:
    charges, now = Charges(), NOW
    spend(engine, now - DAY, tokens=1)
    spend(engine, now, tokens=10)
    totals = []
    for later in range(4):
        moment = now + later * SETTLED_AFTER / 2
        with reading(engine) as session:
            totals.append(charges.read(session, moment).tokens)
    assert totals == [11] * 4
    # Both are settled by now: without them the sum stays.
    with writing(engine) as session:
        session.execute(delete(Charge))
    spend(engine, now + 3 * SETTLED_AFTER, pages=2, cost="1.5")
    with reading(engine) as session:
        assert charges.read(session, now + 2 * SETTLED_AFTER) == Spent(2, 11, 1.5)


def test_events_are_counted_from_the_first_scrape_on_whatever_is_removed(engine: Engine) -> None:
    events = ArchivedEvents()
    archived(engine, NOW - DAY, "a")
    counts = []
    for later, event_type in enumerate(("a", "b", "a")):
        with reading(engine) as session:
            counts.append(events.read(session, NOW + later * SETTLED_AFTER))
        archived(engine, NOW + later * SETTLED_AFTER, event_type)
    assert counts == [{}, {"a": 1}, {"a": 1, "b": 1}]
    with reading(engine) as session:
        assert events.read(session, NOW + 5 * SETTLED_AFTER) == {"a": 2, "b": 1}
    with writing(engine) as session:
        session.execute(delete(ArchivedEvent))
    with reading(engine) as session:
        assert events.read(session, NOW + 6 * SETTLED_AFTER) == {"a": 2, "b": 1}


def test_types_that_this_release_does_not_know_make_no_label(archive: Archive) -> None:
    events = ArchivedEvents()
    with reading(archive.engine) as session:
        events.read(session, NOW)
    archive.record(archive.start())
    archived(archive.engine, NOW, "org.example.strange")
    with reading(archive.engine) as session:
        view = Reading(session, NOW, Charges(), events, search_enabled=True)
        [family] = [found for found in everything(view) if found.name == "docuelevate_events_archived"]
    counts = {sample.labels["type"]: sample.value for sample in family.samples}
    assert (counts["document.received"], counts["document.indexed"], counts["other"]) == (1, 0, 1)
    assert "org.example.strange" not in counts


def test_what_sweeps_have_done_adds_up(engine: Engine, tmp_path: Path) -> None:
    estate = Estate(engine, DirectoryObjectStore(tmp_path / "objects"))
    assert value(scrape(engine), "sweep_last_timestamp_seconds") == 0
    for body in (b"a", b"b"):
        estate.document(body, status="processing")
        estate.late()
    samples = scrape(engine)
    assert value(samples, "sweep_last_timestamp_seconds")
    assert (value(samples, "sweep_deeds_total", deed="resent") or 0) >= 2
    assert value(samples, "sweep_failures") == 0


def test_without_search_nothing_is_behind(archive: Archive) -> None:
    archive.record(archive.start())
    assert value(scrape(archive.engine, search_enabled=False), "search_behind_documents") is None


def test_a_second_scrape_within_seconds_asks_the_database_nothing(engine: Engine) -> None:
    metrics = Metrics(engine, search_enabled=True)
    first = metrics.exposition("")[0]
    asked: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *call: asked.append(call[2]))
    assert b"docuelevate_documents" in metrics.exposition("")[0] and b"docuelevate_documents" in first
    assert asked == []


def test_a_database_that_is_away_leaves_out_what_it_knows() -> None:
    samples = scrape(open_database("postgresql://nobody@127.0.0.1:1/none"))
    assert value(samples, "database_up") == 0
    assert named(samples, "documents") == []
    assert ("process_resident_memory_bytes", frozenset()) in samples
