"""What all tests share: real servers, started once and only when a test asks for them."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from sqlalchemy import Engine

from tests.servers.ceph import S3Server, s3_server_of_the_tests
from tests.servers.databases import new_postgres, new_sqlite
from tests.servers.postgresql import PostgresServer, postgres_server

# Its profile for CI, wherever this runs: the same examples each time, and no time limit for one of them.
settings.load_profile("ci")


@pytest.fixture
def anyio_backend() -> str:
    """Asynchronous tests run on asyncio, as the product does."""
    return "asyncio"


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A real PostgreSQL."""
    # Not below pytest's own directory: each start of pytest closes that to other users, such as the server's.
    with tempfile.TemporaryDirectory(prefix="postgres-") as directory, postgres_server(Path(directory)) as server:
        yield server


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """A real S3 server."""
    with s3_server_of_the_tests(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """A migrated, empty database: each test runs on both kinds."""
    if request.param == "sqlite":
        opened = new_sqlite(tmp_path / "docuelevate.db")
        yield opened
        opened.dispose()
    else:
        with new_postgres(request.getfixturevalue("postgres")) as opened:
            yield opened


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Browser tests come last: the browser's driver leaves an event loop running in the thread of the tests."""
    items.sort(key=lambda item: "browser" in item.path.parts)
