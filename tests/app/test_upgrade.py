"""A database as the first release left it, with work under way in it, after the migrations: all of it goes on."""

import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from sqlalchemy import Engine, MetaData, column, insert, select, table

from shared.database import schema
from shared.database.engine import open_database, reading, writing
from shared.database.tables import DeadLetter, Document, OutboxEvent, Table, Tombstone
from shared.events import DocumentReceived
from shared.storage.directory import DirectoryObjectStore
from tests.app.sweep.estate import Estate
from tests.app.sweep.test_letters import bury, start
from web.outbox import Relay
from web.writes import purge, put_into_trash

FIRST = "0001"


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """A database without tables."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'old.db'}"
    else:
        url = str(request.getfixturevalue("postgres").create(uuid.uuid4().hex))
    engine = open_database(url)
    yield engine
    engine.dispose()


def at_first_release(engine: Engine) -> MetaData:
    """Its tables as they were."""
    with engine.connect() as connection, connection.begin():
        config = schema._config()
        config.attributes["connection"] = connection
        command.upgrade(config, FIRST)
    tables = MetaData()
    tables.reflect(engine)
    return tables


def carried_over(new: Engine, old: Engine, tables: MetaData) -> None:
    """Copy what the first release could have written."""
    with new.connect() as source, old.connect() as target, target.begin():
        for new_table in Table.metadata.sorted_tables:
            if new_table.name not in tables.tables:
                continue
            # Numbers are given anew, in the same order.
            names = set(tables.tables[new_table.name].columns.keys()) - {"number"}
            old_table = table(new_table.name, *(column(name, new_table.c[name].type) for name in names))
            for row in source.execute(select(new_table)):
                target.execute(insert(old_table).values({name: row._mapping[name] for name in names}))


@pytest.fixture
def upgraded(empty: Engine, tmp_path: Path) -> Callable[[Callable[[Estate], Any]], tuple[Estate, Any]]:
    """Lets something happen, carries it into a database of the first release, and migrates that."""

    def upgrade(happens: Callable[[Estate], Any]) -> tuple[Estate, Any]:
        model = open_database(f"sqlite:///{tmp_path / 'model.db'}")
        schema.migrate(model)
        store = DirectoryObjectStore(tmp_path / "objects")
        outcome = happens(Estate(model, store))
        carried_over(model, empty, at_first_release(empty))
        schema.migrate(empty)
        return Estate(empty, store), outcome

    return upgrade


Upgraded = Callable[[Callable[[Estate], Any]], tuple[Estate, Any]]


def test_a_document_at_work_goes_on(upgraded: Upgraded) -> None:
    estate, event = upgraded(start)
    assert estate.swept(after=timedelta(minutes=6)).resent == 1
    assert [sent.id for sent in estate.broker.events] == [event.id]
    assert estate.row(event.subject).verified_at is not None


def test_an_open_letter_is_sent_again_and_closed_with_its_document(upgraded: Upgraded) -> None:
    def fails(estate: Estate) -> Any:
        event = start(estate)
        bury(estate, event, 503)
        return event

    estate, event = upgraded(fails)
    assert estate.swept(after=timedelta(minutes=11)).replayed == 1
    [letter] = estate.rows(DeadLetter)
    assert (letter.state, letter.replays, letter.reason, letter.dropped) == ("replayed", 1, None, None)
    bury(estate, event, 503)
    assert [row.state for row in estate.rows(DeadLetter)] == ["open"]
    purge(estate.engine, estate.store, "local", event.subject)
    assert estate.keys("dead-letters/") == []


def test_what_waits_in_the_outbox_is_sent(upgraded: Upgraded) -> None:
    def waits(estate: Estate) -> Any:
        document_id = estate.document()
        with writing(estate.engine) as session:
            put_into_trash(session, session.get_one(Document, document_id))
        return document_id

    estate, document_id = upgraded(waits)
    assert Relay(estate.engine, estate.broker).send_due() == 1
    assert [event.subject for event in estate.broker.events] == [document_id]
    assert estate.rows(OutboxEvent) == []


def test_a_purged_document_stays_gone(upgraded: Upgraded) -> None:
    def is_purged(estate: Estate) -> Any:
        event = start(estate)
        purge(estate.engine, estate.store, "local", event.subject)
        return event

    estate, event = upgraded(is_purged)
    estate.record.record(event)
    bury(estate, event)
    estate.swept(after=timedelta(hours=2))
    with reading(estate.engine) as session:
        assert session.get(Document, event.subject) is None and session.get(Tombstone, event.subject) is not None
    assert event.type == DocumentReceived.type and estate.keys("documents/") == []
