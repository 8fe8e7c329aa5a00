"""Estates on both kinds of database, in a directory, and in a bucket."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from shared.storage.directory import DirectoryObjectStore
from tests.app.sweep.estate import Estate
from tests.servers.buckets import new_bucket
from tests.servers.databases import new_sqlite


@pytest.fixture
def estate(engine: Engine, tmp_path: Path) -> Estate:
    """On a directory."""
    return Estate(engine, DirectoryObjectStore(tmp_path / "objects"))


@pytest.fixture(params=["directory", "s3", "versioned"])
def anywhere(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Estate]:
    """On a directory and on a real S3 server, where listing and deleting differ; the database matters less."""
    engine = new_sqlite(tmp_path / "docuelevate.db")
    if request.param == "directory":
        yield Estate(engine, DirectoryObjectStore(tmp_path / "objects"))
    else:
        with new_bucket(request.getfixturevalue("s3_server"), versioned=request.param == "versioned") as store:
            yield Estate(engine, store)
    engine.dispose()
