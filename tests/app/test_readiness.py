"""A function that needs the database is not ready before its schema is as new as the code."""

import socket
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, event, text
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from shared.database import schema
from shared.database.engine import open_database
from shared.database.readiness import SchemaIsCurrent, newest_revision, require_current
from shared.database.schema import migrate
from shared.errors import Unavailable
from shared.step import MAX_ERROR_BYTES, answer


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


def upgraded_to(engine: Engine, revision: str) -> None:
    with engine.connect() as connection, connection.begin():
        config = schema._config()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def statements(engine: Engine) -> list[str]:
    """What is asked of the database from here on."""
    asked: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *call: asked.append(call[2]))
    return asked


async def probe(ready: Callable[[], None], path: str = "/ready") -> httpx.Response:
    async def function(request: Request) -> Response:
        return await answer(request, lambda event: None, {}, ready)

    transport = httpx.ASGITransport(Starlette(routes=[Route("/{path:path}", function)]))
    async with httpx.AsyncClient(transport=transport, base_url="http://step") as client:
        return await client.get(path)


def test_the_newest_revision_is_the_one_that_migrations_lead_to(engine: Engine) -> None:
    script = ScriptDirectory.from_config(schema._config())
    assert newest_revision() == script.get_current_head() == migrate(engine)
    # Older and newer are told by comparing the numbers.
    in_order = [revision.revision for revision in script.walk_revisions()]
    assert in_order == sorted(in_order, reverse=True)


@pytest.mark.anyio
async def test_a_function_is_ready_once_an_older_schema_is_migrated(empty: Engine) -> None:
    ready = SchemaIsCurrent(empty, pause_seconds=0)
    for step in (lambda: None, lambda: upgraded_to(empty, "0001")):
        step()
        refusal = await probe(ready)
        assert (refusal.status_code, refusal.json()["code"]) == (503, "unavailable")
        assert "docuelevate migrate" in refusal.json()["message"]
        assert len(refusal.content) <= MAX_ERROR_BYTES
        assert (await probe(ready, "/health")).status_code == 200
    migrate(empty)
    assert (await probe(ready)).status_code == 200


@pytest.mark.anyio
async def test_a_function_asks_no_more_once_it_is_ready(engine: Engine) -> None:
    ready = SchemaIsCurrent(engine)
    assert (await probe(ready)).status_code == 200
    asked = statements(engine)
    assert (await probe(ready)).status_code == 200
    assert asked == []


@pytest.mark.anyio
async def test_many_questions_in_a_row_are_one_to_the_database(empty: Engine) -> None:
    ready = SchemaIsCurrent(empty, pause_seconds=60)
    first = await probe(ready)
    asked = statements(empty)
    again = await probe(ready)
    assert (again.status_code, again.json()) == (503, first.json())
    assert asked == []


def test_a_newer_schema_is_fine(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    require_current(engine)


@pytest.mark.anyio
async def test_a_database_that_says_nothing_holds_up_one_probe_only() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        engine = open_database(f"postgresql://nobody@127.0.0.1:{silent.getsockname()[1]}/none")
        ready = SchemaIsCurrent(engine)
        asking = threading.Thread(target=pytest.raises, args=(Unavailable, ready))
        asking.start()
        connection, _ = silent.accept()
        refusal = await probe(ready)
        assert (refusal.status_code, refusal.json()["message"]) == (503, "the database has not answered yet")
        connection.close()
        asking.join()
        engine.dispose()
