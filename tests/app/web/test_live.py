"""What only a real process shows: the live stream across processes, memory under a large upload, the command line."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner
from sqlalchemy import Engine

from local.cli import main
from shared.metadata import Metadata
from shared.storage.directory import DirectoryObjectStore
from tests.app.web.conftest import Library, read_value
from tests.app.web.live import LiveServer, live_server
from tests.servers.databases import new_sqlite

UPLOAD_BYTES = 200 * 1024 * 1024


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Engine]:
    """The database of the live server; this process is one of its other replicas."""
    opened = new_sqlite(tmp_path / "docuelevate.db")
    yield opened
    opened.dispose()


@pytest.fixture
def library(database: Engine, tmp_path: Path) -> Library:
    return Library(database, DirectoryObjectStore(tmp_path))


@pytest.fixture
def server(database: Engine, tmp_path: Path) -> Iterator[LiveServer]:
    with live_server(tmp_path) as server:
        yield server


@pytest.fixture
def http(server: LiveServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, trust_env=False, timeout=60) as client:
        yield client


def stream_events(lines: Iterator[str]) -> Iterator[tuple[str, str, Any]]:
    """Event name, id and data of each event; comments are left out."""
    fields: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(": ")
        if line and name:
            fields[name] = value
        elif not line and "data" in fields:
            yield fields["event"], fields.get("id", ""), json.loads(fields["data"])
            fields = {}
        elif not line:
            fields = {}


def test_the_stream_tells_what_another_process_changed(http: httpx.Client, library: Library) -> None:
    document_id = library.ready("a.txt")
    with http.stream("GET", "/api/stream") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["x-accel-buffering"] == "no"
        lines = answer.iter_lines()
        assert next(lines).startswith("retry:")
        events = stream_events(lines)
        http.patch(f"/api/documents/{document_id}", json={"metadata": {"title": "By this server"}})
        name, _, data = next(events)
        assert (name, data["title"]) == ("document", "By this server")
        other = threading.Thread(target=library.received, args=("b.txt",))
        other.start()
        name, last_id, data = next(events)
        other.join()
        assert (name, data["filename"]) == ("document", "b.txt")
        http.delete(f"/api/documents/{document_id}?purge=true")
        assert next(events)[0::2] == ("removed", {"id": document_id})
    library.received("c.txt")
    with http.stream("GET", "/api/stream", headers={"Last-Event-ID": last_id}) as answer:
        missed = stream_events(answer.iter_lines())
        assert "c.txt" in {next(missed)[2].get("filename") for _ in range(3)}


def test_the_server_stops_although_somebody_listens(database: Engine, tmp_path: Path) -> None:
    with live_server(tmp_path) as server, httpx.Client(base_url=server.url, trust_env=False, timeout=60) as http:
        answer = http.send(http.build_request("GET", "/api/stream"), stream=True)
        assert next(answer.iter_lines())


def zeros(size: int) -> Iterator[bytes]:
    piece = bytes(1024 * 1024)
    yield b'--B\r\nContent-Disposition: form-data; name="file"; filename="zeros.bin"\r\n\r\n'
    for _ in range(size // len(piece)):
        yield piece
    yield b"\r\n--B--\r\n"


def test_memory_does_not_grow_with_the_upload(http: httpx.Client, server: LiveServer) -> None:
    headers = {"content-type": "multipart/form-data; boundary=B"}
    http.post("/api/documents", content=zeros(1024 * 1024), headers=headers)
    before = server.peak_memory_bytes()
    answer = http.post("/api/documents", content=zeros(UPLOAD_BYTES), headers=headers)
    assert answer.status_code == 202
    original = answer.json()["documents"][0]["links"]["self"] + "/original"
    with http.stream("GET", original) as download:
        assert sum(len(piece) for piece in download.iter_bytes()) == UPLOAD_BYTES
    assert server.peak_memory_bytes() - before < 40 * 1024 * 1024


def test_too_large_an_upload_is_told_so_while_it_is_being_sent(database: Engine, tmp_path: Path) -> None:
    headers = {"content-type": "multipart/form-data; boundary=B"}
    with live_server(tmp_path, MAX_UPLOAD_SIZE="1MiB") as server:
        answer = httpx.post(
            f"{server.url}/api/documents", content=zeros(20 * 1024 * 1024), headers=headers, trust_env=False, timeout=60
        )
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")


def run(server: LiveServer, *arguments: str) -> Any:
    return CliRunner().invoke(main, arguments, env={"DOCUELEVATE_URL": server.url, "DOCUELEVATE_TOKEN": None})


def test_the_command_line_uploads_lists_shows_and_downloads(
    server: LiveServer, library: Library, tmp_path: Path
) -> None:
    folder = tmp_path / "paper" / "deep"
    folder.mkdir(parents=True)
    (folder.parent / "a.txt").write_text("first")
    (folder / "b.txt").write_text("second")
    (folder / ".hidden").write_text("not this")
    done = run(server, "upload", str(folder.parent), "--tag", "paper", "--json")
    assert done.exit_code == 0, done.output
    outcomes = json.loads(done.stdout)["documents"]
    assert [Path(outcome["path"]).name for outcome in outcomes] == ["a.txt", "b.txt"]
    assert "duplicate" in run(server, "upload", str(folder / "b.txt")).stdout
    listed = json.loads(run(server, "--json", "list", "--tag", "paper").stdout)
    assert listed["count"] == 2
    document_id = outcomes[0]["id"]
    assert "a.txt" in run(server, "show", document_id).stdout
    assert run(server, "download", document_id, "--original", "-o", str(tmp_path / "out.txt")).exit_code == 0
    assert (tmp_path / "out.txt").read_text() == "first"
    assert "processing" in run(server, "status").stdout
    missing = run(server, "download", document_id, "-o", str(tmp_path / "out.pdf"))
    assert missing.exit_code == 1 and "still being made" in missing.output
    assert run(server, "replay", document_id, "--from", "ocr").exit_code == 0


def test_what_stands_in_documents_does_not_steer_the_terminal(server: LiveServer, library: Library) -> None:
    escape = "\x1b]0;owned\x07\x1b[2J\x9b2J\u202e\nfake line"
    document_id = library.ready("a.txt", metadata=Metadata(title=read_value(escape), sender=read_value(escape)))
    for command in (["list"], ["show", document_id]):
        shown = run(server, *command).stdout
        assert not {"\x1b", "\x07", "\u202e"} & set(shown) and "\nfake line" not in shown


def test_upload_fails_when_one_file_fails_and_says_which(server: LiveServer, tmp_path: Path) -> None:
    (tmp_path / "good.txt").write_text("good")
    (tmp_path / "empty.txt").touch()
    done = run(server, "upload", str(tmp_path / "good.txt"), str(tmp_path / "empty.txt"))
    assert done.exit_code == 1 and "empty.txt" in done.stdout and "1 of 2" in done.stdout


def test_waiting_ends_when_documents_are_done(server: LiveServer, library: Library, tmp_path: Path) -> None:
    library.ready("known.txt")
    (tmp_path / "known.txt").write_text("known.txt")
    done = run(server, "upload", str(tmp_path / "known.txt"), "--wait", "--json")
    assert done.exit_code == 0 and json.loads(done.stdout)["documents"][0]["status"] == "ready"
    (tmp_path / "new.txt").write_text("never done")
    timed_out = run(server, "upload", str(tmp_path / "new.txt"), "--wait", "--timeout", "1", "--json")
    assert timed_out.exit_code == 1 and json.loads(timed_out.stdout)["documents"][0]["code"] == "timeout"
