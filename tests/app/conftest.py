"""A document played through record and web, on either database."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine
from starlette.testclient import TestClient

from shared.storage.directory import DirectoryObjectStore
from tests.app.recorded import Archive
from web.app import create_app
from web.changes import ChangeFeed
from web.context import Context
from web.outbox import Relay
from web.settings import WebSettings
from web.unlocking import Unlocker


@pytest.fixture
def archive(engine: Engine, tmp_path: Path) -> Iterator[Archive]:
    store = DirectoryObjectStore(tmp_path / "objects")
    context = Context(
        settings=WebSettings.model_validate({"allow_file_delete": True}),
        engine=engine,
        store=store,
        search=None,
        relay=Relay(engine, None, poll_seconds=60),
        changes=ChangeFeed(engine, poll_seconds=60),
        unlocker=Unlocker(None),
    )
    with TestClient(create_app(context), base_url="http://localhost:8000", raise_server_exceptions=False) as client:
        yield Archive(engine, store, client)


@pytest.fixture
def edited(archive: Archive) -> Archive:
    """A ready document whose title a person has set."""
    archive.record(archive.start())
    archive.run()
    archive.edit()
    return archive
