"""What the replay commands ask of a server and tell of its answers."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar

import pytest
from click.testing import CliRunner, Result

from local.cli import main

REPLAY = {
    "id": "r-1",
    "kind": "reprocess",
    "state": "running",
    "mode": "reprocess",
    "filter": {"status": "attention", "tag": []},
    "rate": 10.0,
    "count": 3,
    "done": 1,
    "skipped": 0,
    "created_at": "2026-01-31T10:00:00Z",
    "finished_at": None,
    "message": None,
}
EVENT = {
    "number": 7,
    "id": "e-7",
    "type": "org.docuelevate.document.received.v1",
    "subject": "d-1",
    "time": "2026-01-31T10:00:00.000Z",
    "event": {"id": "e-7", "data": {"filename": "a\u001b[31m.txt"}},
}


class Script(BaseHTTPRequestHandler):
    """Answers as scripted, and keeps what was asked."""

    asked: ClassVar[list[tuple[str, str, Any]]] = []
    answers: ClassVar[dict[str, list[Any]]] = {}

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path = self.path.partition("?")[0]
        self.asked.append((self.command, self.path, json.loads(body) if body else None))
        left = self.answers[path]
        content = json.dumps(left.pop(0) if len(left) > 1 else left[0]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = _answer

    def log_message(self, format: str, *args: Any) -> None:
        return


Run = Callable[..., Result]


@pytest.fixture
def url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Script)
    Thread(target=server.serve_forever, daemon=True).start()
    Script.asked, Script.answers = [], {}
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def run(url: str) -> Run:
    def invoke(*words: str, answers: dict[str, list[Any]]) -> Result:
        Script.answers = answers
        return CliRunner().invoke(main, ["--url", url, *words])

    return invoke


def test_one_document_is_replayed_at_once(run: Run) -> None:
    path = "/api/documents/d-1/replay"
    done = run("replay", "d-1", "--from", "ocr", answers={path: [{"runid": "x", "started_at_step": "ocr"}]})
    assert done.stdout == "Run x started at ocr.\n"
    assert Script.asked == [("POST", path, {"from": "ocr", "force": False, "options": {}})]


def test_a_replay_may_name_another_language_and_other_engines(run: Run) -> None:
    path = "/api/documents/d-1/replay"
    words = ("--language", "fra", "--ocr-engine", "azure", "--enrich-engine", "local")
    run("replay", "d-1", *words, answers={path: [{"runid": "x", "started_at_step": "ocr"}]})
    options = {"language": "fra", "ocr_engine": "azure", "enrich_engine": "local"}
    assert Script.asked == [("POST", path, {"from": "convert", "force": False, "options": options})]


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["--all"], {}),
        (["d-1", "d-2"], {"ids": ["d-1", "d-2"]}),
        (["--status", "attention", "--code", "ocr_failed"], {"status": "attention", "code": "ocr_failed"}),
        (["--type", "invoice", "--tag", "a", "--tag", "b"], {"document_type": "invoice", "tag": ["a", "b"]}),
        (["--type", "document.failed", "--since", "2026-01-01"], {"type": "document.failed", "since": "2026-01-01"}),
        (["--run", "x", "--source", "/s", "--subject", "d"], {"runid": "x", "source": "/s", "subject": "d"}),
    ],
)
def test_many_are_selected_by_options(run: Run, words: list[str], wanted: dict[str, Any]) -> None:
    done = run("replay", *words, answers={"/api/events/replay": [REPLAY]})
    assert done.exit_code == 0
    [(_, _, body)] = Script.asked
    assert body["filter"] == wanted
    assert (body["mode"], body["from"], body["rate"], body["dry_run"]) == ("reprocess", "convert", 10.0, False)


def test_nothing_is_replayed_without_a_word_on_what(run: Run) -> None:
    done = run("replay", "--from", "ocr", answers={})
    assert done.exit_code == 2
    assert "--all" in done.stderr
    assert Script.asked == []


def test_a_dry_run_tells_what_would_be_left_out(run: Run) -> None:
    answer = {"dry_run": True, "count": 12, "skipped": {"purged": 2}}
    done = run("replay", "--all", "--redeliver", "--dry-run", answers={"/api/events/replay": [answer]})
    assert "12 events would be replayed." in done.stdout
    assert "2 left out" in done.stdout
    [(_, _, body)] = Script.asked
    assert (body["mode"], body["dry_run"]) == ("redeliver", True)


@pytest.mark.parametrize(("state", "exit_code"), [("done", 0), ("cancelled", 0), ("failed", 1)])
def test_waiting_ends_with_the_replay(run: Run, state: str, exit_code: int) -> None:
    ended = REPLAY | {"state": state, "done": 3}
    answers = {"/api/events/replay": [REPLAY], "/api/replays/r-1": [ended]}
    done = run("replay", "--all", "--wait", "--json", answers=answers)
    assert done.exit_code == exit_code
    assert json.loads(done.stdout)["state"] == state


def test_replays_are_listed_shown_and_cancelled(run: Run) -> None:
    answers = {
        "/api/replays": [{"count": 1, "results": [REPLAY]}],
        "/api/replays/r-1": [REPLAY],
        "/api/replays/r-1/cancel": [REPLAY | {"state": "cancelled"}],
    }
    for words in (["replays"], ["replays", "list"]):
        assert "r-1" in run(*words, answers=answers).stdout
    assert "status attention" in run("replays", "show", "r-1", answers=answers).stdout
    assert "cancelled" in run("replays", "cancel", "r-1", answers=answers).stdout
    assert Script.asked[-1][:2] == ("POST", "/api/replays/r-1/cancel")


def test_an_id_of_a_replay_cannot_lead_elsewhere(run: Run) -> None:
    assert run("replays", "cancel", "../x", answers={}).exit_code == 1
    assert Script.asked == []


def test_the_index_is_rebuilt_at_a_rate(run: Run) -> None:
    done = run("rebuild", "index", "--rate", "5", answers={"/api/rebuild": [REPLAY]})
    assert done.exit_code == 0
    assert Script.asked == [("POST", "/api/rebuild", {"what": "index", "rate": 5.0})]


def test_events_are_listed_over_pages_up_to_the_limit(run: Run) -> None:
    pages = [{"count": 3, "next": "/api/events?cursor=c", "results": [EVENT]}] * 3
    done = run("events", "-n", "2", "--type", "document.received", answers={"/api/events": pages})
    assert len(done.stdout.splitlines()) == 2
    assert "document.received" in done.stdout


def test_whole_events_are_written_one_on_a_line_and_steer_no_terminal(run: Run) -> None:
    page = {"count": 1, "next": None, "results": [EVENT]}
    done = run("events", "d-1", "--whole", answers={"/api/events": [page]})
    [line] = done.stdout.splitlines()
    assert json.loads(line) == EVENT["event"]
    assert "\u001b" not in line
    assert "subject=d-1" in Script.asked[0][1]


def test_following_tells_each_event_once_also_one_that_comes_to_light_behind_a_later_one(url: str) -> None:
    def page(*numbers: int) -> dict[str, Any]:
        return {"count": 9, "next": None, "results": [EVENT | {"number": n, "id": f"e-{n}"} for n in numbers]}

    Script.answers = {"/api/events": [page(7, 5), page(9, 7, 5, 3), page(9, 8, 7, 5, 3)]}
    command = [Path(sys.executable).with_name("docuelevate"), "--url", url, "events", "--follow"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as following:
        assert following.stdout is not None
        told = [following.stdout.readline().split()[-1] for _ in range(4)]
        following.send_signal(signal.SIGINT)
        assert following.stdout.read() == ""
    assert (told, following.returncode) == (["e-5", "e-7", "e-9", "e-8"], 0)
