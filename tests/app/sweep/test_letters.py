"""sweep: dead letters that only the store knows, and those of causes that pass (rules 18 and 19)."""

import json
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, select

from shared.database.engine import reading, writing
from shared.database.tables import DeadLetter, Document, OutboxEvent
from shared.events import Event, from_json
from shared.storage import keys
from tests.app.sweep.estate import Estate
from web.sweep.letters import MOST_REPLAYS
from web.sweep.stalled import last_start
from web.writes import purge


def start(estate: Estate, **values: Any) -> Event:
    """The first event of a document at work."""
    document_id = estate.document(status="processing", **values)
    with reading(estate.engine) as session:
        event = last_start(session, session.get_one(Document, document_id))
    estate.record.record(event)
    return event


def bury(estate: Estate, event: Event, status: int | None = 503, trigger: str = "convert") -> None:
    error = {"knativeerrorcode": str(status)} if status else {}
    estate.record.bury(trigger, event.attributes() | error, event.payload)


def queued(estate: Estate) -> list[Event]:
    """What would be published now; it is taken."""
    with writing(estate.engine) as session:
        bodies = session.scalars(select(OutboxEvent.body).order_by(OutboxEvent.number)).all()
        session.execute(delete(OutboxEvent))
    return [from_json(body) for body in bodies]


def forget_rows(estate: Estate) -> None:
    """The database was down when they arrived."""
    with writing(estate.engine) as session:
        session.execute(delete(DeadLetter))


def test_letters_that_a_purge_was_to_remove_are_removed(anywhere: Estate) -> None:
    """rules 23: the purge died first, or the letter came in the same moment."""
    event = start(anywhere)
    for _ in range(2):
        bury(anywhere, event)
    kept = {info.key: anywhere.store.get(info.key) for info in anywhere.store.list(keys.DEAD_LETTERS)}
    purge(anywhere.engine, anywhere.store, "local", event.subject)
    for key, body in kept.items():
        anywhere.store.put(key, body, media_type="application/json")
    assert len(kept) == 2 and anywhere.swept(after=timedelta(hours=1)).removed == 2
    assert anywhere.keys(keys.DEAD_LETTERS) == []


def test_a_letter_without_a_row_is_imported_whole_and_marks_its_document(anywhere: Estate) -> None:
    """rules 18"""
    event = start(anywhere)
    bury(anywhere, event, 422)
    forget_rows(anywhere)
    anywhere.change(event.subject, status="processing", code=None)
    assert anywhere.swept(after=timedelta(minutes=2)).imported == 1
    [letter] = anywhere.rows(DeadLetter)
    assert (letter.trigger, letter.event_id, letter.status, letter.state) == ("convert", event.id, 422, "open")
    assert letter.document_id == event.subject and letter.last_at < anywhere.now
    assert anywhere.row(event.subject).code == "retries_exhausted"
    assert anywhere.swept(after=timedelta(hours=1)).imported == 0


def test_earlier_arrivals_of_the_same_letter_are_not_imported_again(estate: Estate) -> None:
    event = start(estate)
    for _ in range(3):
        bury(estate, event, 422)
    assert len(estate.keys("dead-letters/")) == 3
    assert estate.swept(after=timedelta(minutes=2)).imported == 0
    assert [letter.arrivals for letter in estate.rows(DeadLetter)] == [3]


def test_letters_that_cannot_be_read_are_told(estate: Estate) -> None:
    name = f"dead-letters/convert/{'a' * 32}-20260101T000000000000Z.json"
    for key, body in ((name, b"{"), ("dead-letters/notes.txt", b"hello")):
        estate.store.put(key, body, media_type="text/plain")
    assert estate.swept(after=timedelta(minutes=2)).imported == 0
    assert estate.findings() == [("letter_unreadable", name), ("letter_unreadable", "dead-letters/notes.txt")]
    estate.store.delete(name)
    estate.store.delete("dead-letters/notes.txt")
    estate.swept(after=timedelta(hours=1))
    assert estate.findings() == []


def test_letters_of_purged_documents_are_removed_instead(estate: Estate) -> None:
    """rules 23: dead letters of the document lose their personal data."""
    event = start(estate)
    bury(estate, event)
    forget_rows(estate)
    purge(estate.engine, estate.store, "local", event.subject)
    assert estate.swept(after=timedelta(minutes=2)).imported == 0
    assert (estate.keys("dead-letters/"), estate.rows(DeadLetter)) == ([], [])


def test_every_arrival_of_a_purged_document_goes(estate: Estate) -> None:
    event = start(estate)
    for _ in range(3):
        bury(estate, event)
    purge(estate.engine, estate.store, "local", event.subject)
    assert estate.keys("dead-letters/") == []


@pytest.mark.parametrize("status", [None, 429, 503, 409])
def test_a_letter_of_a_passing_cause_is_sent_again_unchanged(estate: Estate, status: int | None) -> None:
    event = start(estate)
    bury(estate, event, status)
    assert estate.swept().replayed == 0
    assert estate.swept(after=timedelta(minutes=6)).replayed == 1
    [again] = queued(estate)
    assert (again.id, again.source, again.runid, again.payload) == (event.id, event.source, event.runid, event.payload)
    assert [letter.state for letter in estate.rows(DeadLetter)] == ["replayed"]


def test_other_letters_wait_for_a_person(estate: Estate) -> None:
    bury(estate, start(estate), 422)
    assert estate.swept(after=timedelta(days=1)).replayed == 0


def test_a_letter_that_fails_again_is_sent_less_and_less_often_and_not_for_ever(estate: Estate) -> None:
    event = start(estate)
    bury(estate, event)
    sent = 0
    for _ in range(60):
        replayed = estate.swept(after=timedelta(hours=7)).replayed
        sent += replayed
        queued(estate)
        if replayed:
            bury(estate, event)
    assert sent == MOST_REPLAYS
    assert [letter.state for letter in estate.rows(DeadLetter)] == ["open"]


def test_a_letter_of_an_earlier_run_is_closed_not_sent(estate: Estate) -> None:
    """rules 19"""
    event = start(estate)
    bury(estate, event)
    estate.change(event.subject, runid="another", status="ready", indexed_version=99)
    swept = estate.swept(after=timedelta(minutes=6))
    assert (swept.replayed, swept.closed) == (0, 1)
    assert [letter.state for letter in estate.rows(DeadLetter)] == ["closed"]


def test_a_letter_whose_object_is_gone_is_told(estate: Estate) -> None:
    event = start(estate)
    bury(estate, event, 422)
    [key] = estate.keys("dead-letters/")
    body = estate.store.get(key)
    estate.store.delete(key)
    estate.swept(after=timedelta(hours=1))
    assert ("letter_missing", event.subject) in estate.findings()
    estate.store.put(key, body, media_type="application/json")
    estate.swept(after=timedelta(hours=1))
    assert estate.findings() == []
    assert json.loads(body)["id"] == event.id


def test_the_letter_of_a_document_that_was_given_up_is_a_persons_to_send(estate: Estate) -> None:
    """rules 20"""
    event = start(estate)
    estate.change(event.subject, resends=99, status="processing")
    assert estate.swept(after=timedelta(hours=1)).given_up == 1
    assert [estate.swept(after=timedelta(hours=7)).replayed for _ in range(3)] == [0, 0, 0]
    assert estate.keys(keys.DEAD_LETTERS)
