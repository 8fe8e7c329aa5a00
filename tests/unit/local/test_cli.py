"""The command line without a server: help, errors of one sentence, files found."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from local.cli import main
from local.uploading import files_under

NOWHERE = {"DOCUELEVATE_URL": "http://127.0.0.1:1"}


@pytest.mark.parametrize(
    "command",
    ["serve", "upload", "list", "show", "search", "download", "replay", "events", "status", "migrate", "dead-letters"],
)
def test_every_command_explains_itself(command: str) -> None:
    assert CliRunner().invoke(main, [command, "--help"]).exit_code == 0


@pytest.mark.parametrize("command", [["list"], ["show", "x"], ["search", "x"], ["status"], ["upload", "."]])
def test_a_server_that_is_not_there_is_one_sentence(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.txt").write_text("a")
    done = CliRunner().invoke(main, command, env=NOWHERE)
    assert done.exit_code == 1
    assert done.stderr == "Error: Nothing answers at http://127.0.0.1:1: start `docuelevate serve`, or set --url.\n"


def test_options_after_the_command_win(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["--url", "http://127.0.0.1:1", "list", "--url", "http://127.0.0.1:2"])
    assert "127.0.0.1:2" in done.stderr


@pytest.mark.parametrize("document_id", ["../x", "a/b", "a?b", "a%2fb"])
def test_an_id_cannot_lead_elsewhere(document_id: str) -> None:
    assert CliRunner().invoke(main, ["show", document_id], env=NOWHERE).exit_code == 1


def test_a_wrong_setting_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Set here so that they are taken back: `serve` hands its options on through the environment.
    for name, value in {"SHUTDOWN_GRACE_SECONDS": "soon", "DATA_DIR": str(tmp_path), "PORT": "0"}.items():
        monkeypatch.setenv(name, value)
    done = CliRunner().invoke(main, ["serve"])
    assert done.exit_code == 1 and "SHUTDOWN_GRACE_SECONDS" in done.stderr and "Traceback" not in done.output


def test_migrating_says_where_the_database_stands(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["migrate"], env={"DATA_DIR": str(tmp_path / "new"), "DATABASE_URL": None})
    assert done.exit_code == 0 and "revision" in done.stdout


def test_directories_are_walked_without_what_is_hidden(tmp_path: Path) -> None:
    for name in ("b.txt", "a/c.txt", "a/.d.txt", ".git/e.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    named = tmp_path / ".git" / "e.txt"
    assert files_under([tmp_path, named, named]) == [tmp_path / "b.txt", tmp_path / "a" / "c.txt", named]
