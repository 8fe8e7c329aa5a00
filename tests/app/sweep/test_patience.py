"""sweep: what counts as standing still, what wakes the index, what is kept how long (rules 20 and 21)."""

from datetime import timedelta

import pytest
from sqlalchemy import delete, select, update

from shared.database.documents import enqueue
from shared.database.engine import open_database, reading, writing
from shared.database.tables import ArchivedEvent, Document, IdempotencyKey, OutboxEvent, SweepMark, Tombstone
from shared.errors import Unavailable
from shared.events import DocumentDeleted, DocumentPurged, DocumentUpdated, new_event
from shared.leases import lease
from shared.storage import keys
from tests.app.sweep.estate import Estate
from tests.app.sweep.test_letters import start
from web.sweep import Sweep
from web.sweep.configured import sweep_with
from web.sweep.stalled import MOST_RESENDS
from web.writes import purge, trash

MINUTE = timedelta(minutes=1)


def archive_something(estate: Estate) -> None:
    """A sign of life: some other event passes."""
    data = DocumentDeleted(document_id=keys_id(estate), version=1)
    estate.record.record(new_event(data, source="/elsewhere"))


def keys_id(estate: Estate) -> str:
    return estate.rows(Document)[0].id


def test_while_nothing_is_archived_one_document_at_a_time_is_tried(estate: Estate) -> None:
    """rules 20: hours in which nothing at all was archived do not count as standing still."""
    for number in range(5):
        start(estate, body=f"{number}".encode())
    assert estate.swept(after=6 * MINUTE).resent == 5
    sent = [estate.swept(after=6 * MINUTE).resent for _ in range(20)]
    assert set(sent) <= {0, 1} and sum(sent) > 3
    archive_something(estate)
    estate.swept(after=timedelta(hours=7))
    assert estate.swept(after=timedelta(hours=7)).resent <= 1, "silent again"


def test_an_outage_uses_up_no_tries(estate: Estate) -> None:
    """rules 20"""
    event = start(estate)
    for _ in range(50):
        estate.swept(after=timedelta(hours=7))
    assert estate.row(event.subject).resends < MOST_RESENDS
    assert estate.row(event.subject).status == "processing"


def test_whoever_waited_out_an_outage_gets_time_to_move_first(estate: Estate) -> None:
    """rules 20"""
    event = start(estate)
    with writing(estate.engine) as session:
        session.execute(update(ArchivedEvent).values(recorded_at=estate.now - timedelta(hours=8)))
    estate.change(event.subject, changed_at=estate.now - timedelta(hours=8))
    archive_something(estate)
    assert estate.swept().resent == 0
    assert estate.swept(after=6 * MINUTE).resent == 1


def test_what_is_tried_in_vain_while_others_move_is_given_up(estate: Estate) -> None:
    """rules 20: capped per document."""
    event = start(estate)
    resent = given_up = 0
    for _ in range(MOST_RESENDS + 5):
        archive_something(estate)
        swept = estate.swept(after=timedelta(hours=7))
        resent, given_up = resent + swept.resent, given_up + swept.given_up
    assert (resent, given_up) == (MOST_RESENDS, 1)
    assert (estate.row(event.subject).status, estate.row(event.subject).code) == ("attention", "retries_exhausted")


def test_what_the_broker_did_not_take_counts_for_nothing(estate: Estate) -> None:
    event = start(estate)
    estate.broker.is_down = True
    swept = estate.swept(after=6 * MINUTE)
    assert (swept.resent, "stalled documents" in swept.failures) == (0, True)
    assert estate.row(event.subject).resends == 0
    estate.broker.is_down = False
    assert estate.swept(after=6 * MINUTE).resent == 1


def test_a_lease_that_ended_holds_nobody_up(estate: Estate) -> None:
    event = start(estate)
    prefix = keys.work_prefix(event.subject, "convert", "f")
    with lease(estate.store, prefix, "all"):
        assert estate.swept(after=6 * MINUTE).resent == 0
    assert estate.swept(after=6 * MINUTE).resent == 1


def test_a_broken_document_stops_no_other(estate: Estate) -> None:
    broken, other = start(estate, body=b"1"), start(estate, body=b"2")
    with writing(estate.engine) as session:
        session.execute(update(ArchivedEvent).where(ArchivedEvent.document_id == broken.subject).values(body="{"))
    assert estate.swept(after=6 * MINUTE).resent == 1
    assert [event.subject for event in estate.broker.events] == [other.subject]
    assert ("not_swept", broken.subject) in estate.findings()


def test_an_index_that_was_not_told_of_a_purge_is_told_again(estate: Estate) -> None:
    """rules 21"""
    document_id = estate.document()
    purge(estate.engine, estate.store, "local", document_id)
    with writing(estate.engine) as session:
        session.execute(OutboxEvent.__table__.delete())
    assert estate.swept(after=3 * MINUTE).woken == 1
    [event] = estate.broker.events
    version = estate.rows(Tombstone)[0].version
    assert (event.type, event.subject, event.payload["version"]) == (DocumentPurged.type, document_id, version)
    with writing(estate.engine) as session:
        session.execute(update(Tombstone).values(indexed_version=version))
    assert estate.swept(after=timedelta(days=1)).woken == 0


def test_an_index_that_was_not_told_of_the_trash_is_woken(estate: Estate) -> None:
    """rules 21"""
    document_id = estate.document()
    trash(estate.engine, "local", document_id)
    with writing(estate.engine) as session:
        session.execute(OutboxEvent.__table__.delete())
    assert estate.swept(after=3 * MINUTE).woken == 1
    assert estate.broker.events[0].type == DocumentUpdated.type


def test_an_index_that_cannot_be_read_is_woken_less_and_less_often_and_at_once_the_next_time(estate: Estate) -> None:
    estate.document()
    index = {"is_readable": False}

    def generation() -> str:
        if index["is_readable"]:
            return "one"
        raise Unavailable("the search index does not answer")

    estate.sweep.generation = generation
    assert estate.swept().woken == 1
    woken = sum(estate.swept(after=MINUTE).woken for _ in range(60))
    assert 2 <= woken <= 5
    index["is_readable"] = True
    estate.swept(after=MINUTE)
    index["is_readable"] = False
    assert estate.swept(after=MINUTE).woken == 1


def test_without_search_nothing_is_woken(estate: Estate) -> None:
    """rules 21"""
    purge(estate.engine, estate.store, "local", estate.document())
    estate.document(version=5)
    with writing(estate.engine) as session:
        session.execute(OutboxEvent.__table__.delete())
    estate.sweep.search_enabled = False
    assert estate.swept(after=timedelta(days=1)).woken == 0


def test_what_waits_in_the_outbox_for_too_long_is_published_or_told(estate: Estate) -> None:
    trash(estate.engine, "local", estate.document())
    estate.broker.is_down = True
    estate.swept(after=11 * MINUTE)
    assert estate.findings() == [("outbox_unsent", "outbox")]
    estate.broker.is_down = False
    with writing(estate.engine) as session:
        session.execute(update(OutboxEvent).values(not_before=estate.now - timedelta(days=1)))
    assert estate.swept().relayed == 1
    assert (estate.findings(), estate.rows(OutboxEvent)) == ([], [])


def test_an_unreadable_event_in_the_outbox_is_told_and_its_document_goes_on_without_it(estate: Estate) -> None:
    event = start(estate)
    with writing(estate.engine) as session:
        enqueue(session, event)
        session.execute(update(OutboxEvent).values(body="{", created_at=estate.now - timedelta(hours=1)))
    assert estate.swept(after=6 * MINUTE).resent == 1
    assert [event.id for event in estate.broker.events] == [event.id]
    assert estate.findings() == [("outbox_unreadable", event.subject)]
    with writing(estate.engine) as session:
        session.execute(delete(OutboxEvent))
    estate.swept()
    assert estate.findings() == []


def test_archived_events_are_kept_for_ever_unless_an_operator_says_otherwise(estate: Estate) -> None:
    start(estate)
    archive_something(estate)
    estate.swept(after=timedelta(days=4000))
    assert len(estate.rows(ArchivedEvent)) == 2


def test_events_beyond_their_time_go_but_not_those_of_a_current_run(estate: Estate) -> None:
    event = start(estate)
    archive_something(estate)
    estate.sweep.event_retention_days = 30
    assert estate.swept(after=timedelta(days=20)).removed == 0
    assert estate.swept(after=timedelta(days=20)).removed == 1
    assert [row.id for row in estate.rows(ArchivedEvent)] == [event.id]


def test_answers_to_old_requests_are_forgotten(estate: Estate) -> None:
    with writing(estate.engine) as session:
        session.add(IdempotencyKey(owner="o", key="k", status_code=202, answer={}, created_at=estate.now))
    estate.swept()
    assert len(estate.rows(IdempotencyKey)) == 1
    estate.swept(after=timedelta(days=3))
    assert estate.rows(IdempotencyKey) == []


def test_a_report_changes_nothing_and_tells_what_would_be_done(estate: Estate) -> None:
    start(estate)
    adopted = estate.original(b"lost")
    gone = estate.document(b"gone")
    estate.store.delete(keys.original(gone))
    estate.store.put("incoming/new.txt", b"new", media_type="text/plain")
    estate.now += timedelta(hours=2)
    before = everything(estate)
    report = estate.swept(report=True)
    assert everything(estate) == before and estate.broker.events == []
    assert (report.resent, report.adopted, report.announced, report.marked) == (1, 1, 1, 1)
    assert [(found.kind, found.document_id) for found in report.findings] == [("original_missing", gone)]
    assert adopted in {line.subject for line in report.lines} and report.complete
    assert report.checked["documents"] == 2 and report.checked["objects under documents/"] == 2
    swept = estate.swept()
    assert swept.counts == report.counts


def everything(estate: Estate) -> list[object]:
    with reading(estate.engine) as session:
        tables = ArchivedEvent.metadata.sorted_tables
        rows = [sorted(map(repr, session.execute(select(table)))) for table in tables]
    return [rows, estate.keys()]


def test_a_database_that_is_away_is_told(estate: Estate) -> None:
    away = Sweep(open_database("postgresql://nobody@127.0.0.1:9/nothing"), estate.store, estate.broker)
    assert away.run(estate.now).failures["stalled documents"] == "the database does not answer"


def test_a_mark_that_cannot_be_read_stops_no_other_part(estate: Estate) -> None:
    start(estate)
    estate.sweep.event_retention_days = 30
    with writing(estate.engine) as session:
        session.add(SweepMark(name="archive", tries=1, due_at=estate.now, position="no number"))
    swept = estate.swept(after=6 * MINUTE)
    assert list(swept.failures) == ["archive"] and swept.resent == 1
    assert len(estate.rows(SweepMark)) > 1, "the parts behind it have remembered what they did"


def test_an_operator_says_how_long_is_standing_still(estate: Estate) -> None:
    start(estate)
    assert estate.swept(after=MINUTE).resent == 0
    estate.sweep.patience = timedelta(seconds=20)
    assert estate.swept().resent == 1
    assert estate.swept(after=timedelta(seconds=10)).resent == 0


def test_patience_is_a_setting(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWEEP_PATIENCE_SECONDS", "45")
    assert sweep_with(estate.engine, estate.store, None, None).patience == timedelta(seconds=45)
