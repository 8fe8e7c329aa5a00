"""The functions as a cluster runs and probes them, each in a process of its own."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from shared.database.engine import open_database
from shared.database.schema import migrate
from tests.servers.docuelevate import wait_for
from tests.servers.function import ROOT, Function

NEED_THE_DATABASE = ("ingest", "record", "index")
OTHERS = ("convert", "ocr", "enrich")


@pytest.fixture
def function(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Function]:
    environment = {"DATA_DIR": str(tmp_path), "BROKER_URL": "http://127.0.0.1:9"}
    started = Function(ROOT / "functions" / request.param / "main.py", request.param, environment)
    yield started
    started.kill()


@pytest.mark.parametrize("function", NEED_THE_DATABASE, indirect=True)
def test_a_function_with_a_database_waits_for_its_migration(function: Function, tmp_path: Path) -> None:
    refusal = httpx.get(f"{function.url}/ready")
    assert refusal.status_code == 503
    assert refusal.json()["code"] == "unavailable"
    assert httpx.get(f"{function.url}/health").status_code == 200
    database = open_database(f"sqlite:///{tmp_path / 'docuelevate.db'}")
    migrate(database)
    database.dispose()
    wait_for(lambda: httpx.get(f"{function.url}/ready").status_code == 200, 60, "the function did not get ready")


@pytest.mark.parametrize("function", OTHERS, indirect=True)
def test_a_function_without_a_database_is_ready_as_soon_as_it_lives(function: Function) -> None:
    assert httpx.get(f"{function.url}/ready").status_code == 200


@pytest.mark.parametrize("name", NEED_THE_DATABASE)
def test_a_cold_start_does_not_load_the_migration_tool(name: str, tmp_path: Path) -> None:
    code = f"import sys, functions.{name}.main; assert 'alembic' not in sys.modules"
    environment = {"DATA_DIR": str(tmp_path), "PATH": "/usr/bin:/bin"}
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, check=True)
