"""The sweep on request: over the API, from the command line, and as the module that a CronJob runs."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from starlette.testclient import TestClient

from local.cli import main
from shared.storage import keys
from shared.storage.directory import DirectoryObjectStore
from shared.storage.port import ObjectStore
from tests.app.web.conftest import Library, RecordingPublisher

ROOT = Path(__file__).parents[3]


def test_a_report_lists_findings_and_a_sweep_writes_them_down(
    make_client: Callable[..., TestClient], library: Library, store: ObjectStore
) -> None:
    document_id = library.ready()
    store.delete(keys.original(document_id))
    store.put("documents/stray", b"?", media_type="text/plain")
    with make_client(publisher=RecordingPublisher()) as client:
        report = client.post("/api/sweep", json={"report": True}).json()
        assert report["report"] is True and report["did"]["marked"] == 1
        assert {found["kind"] for found in report["findings"]} == {"original_missing", "orphaned_object"}
        nothing = client.get("/api/sweep").json()
        assert (nothing["last_swept_at"], nothing["count"], nothing["findings"]) == (None, 0, [])
        swept = client.post("/api/sweep", json={}).json()
        assert swept["did"] == report["did"] and swept["failures"] == {}
        status = client.get("/api/sweep").json()
        assert status["count"] == 2 and status["last"]["did"] == swept["did"] and status["last_swept_at"]
        found = {each["kind"]: each for each in status["findings"]}
        assert found["original_missing"]["document_id"] == document_id and found["original_missing"]["found_at"]
        shown = client.get(f"/api/documents/{document_id}").json()
        assert (shown["status"], shown["failure"]["code"]) == ("attention", "source_gone")


def test_without_a_broker_the_rest_is_done_and_that_is_told(client: TestClient, library: Library) -> None:
    library.change(library.ready(), version=9)
    swept = client.post("/api/sweep", json={"report": False}).json()
    assert swept["did"]["woken"] == 0 and isinstance(swept["failures"], dict)


@pytest.mark.parametrize("body", [{"report": "perhaps"}, {"dry_run": True}, []])
def test_what_is_asked_wrongly_sweeps_nothing(client: TestClient, body: Any) -> None:
    assert client.post("/api/sweep", json=body).status_code == 422


def installation(tmp_path: Path) -> dict[str, str]:
    """A data directory with an object that belongs to nobody."""
    environment = {"DATA_DIR": str(tmp_path / "data"), "ENABLE_SEARCH": "false", "PATH": "/usr/bin:/bin"}
    command = str(Path(sys.executable).with_name("docuelevate"))
    subprocess.run([command, "migrate"], env=environment, check=True, cwd=ROOT)
    store = DirectoryObjectStore(tmp_path / "data")
    store.put("documents/stray", b"?", media_type="text/plain")
    return environment


def test_the_command_works_without_a_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in installation(tmp_path).items():
        monkeypatch.setenv(name, value)
    told = CliRunner().invoke(main, ["sweep", "--report", "--direct", "--json"])
    assert told.exit_code == 0, told.output
    assert [found["key"] for found in json.loads(told.stdout)["findings"]] == ["documents/stray"]
    shown = CliRunner().invoke(main, ["sweep", "--direct"])
    assert "orphaned_object" in shown.output and "1 finding(s)" in shown.output


def test_a_wrong_data_directory_is_told_and_stays_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.delenv("DATABASE_URL", raising=False)
    told = CliRunner().invoke(main, ["sweep", "--report", "--direct"])
    assert told.exit_code == 1 and "There is no database at" in told.output
    assert not (tmp_path / "elsewhere").exists()


def test_the_module_ends_well_only_when_all_was_within_reach(tmp_path: Path) -> None:
    environment = installation(tmp_path)
    command = [sys.executable, "-m", "web.sweep"]
    wrong = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True)
    assert wrong.returncode == 1 and "BROKER_URL" in wrong.stderr + wrong.stdout
    good = subprocess.run(command, env=environment | {"BROKER_URL": "http://127.0.0.1:9"}, cwd=ROOT)
    assert good.returncode == 0
    away = environment | {"BROKER_URL": "http://127.0.0.1:9", "DATABASE_URL": "postgresql://nobody@127.0.0.1:9/x"}
    assert subprocess.run(command, env=away, cwd=ROOT).returncode == 1
