"""`docuelevate dead-letters` against a running server: exit code 0 only where all of it succeeded."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Engine

from local.cli import main
from shared.storage.directory import DirectoryObjectStore
from tests.app.web.conftest import Library
from tests.app.web.live import LiveServer, live_server
from tests.app.web.post import Post


@pytest.fixture
def server(tmp_path: Path, database: Engine) -> Iterator[LiveServer]:
    with live_server(tmp_path) as running:
        yield running


@pytest.fixture
def post(tmp_path: Path, database: Engine) -> Post:
    store = DirectoryObjectStore(tmp_path)
    return Post(database, store, Library(database, store))


def run(server: LiveServer, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["--url", server.url, "dead-letters", *arguments])


def told(server: LiveServer, *arguments: str) -> Any:
    return json.loads(run(server, *arguments, "--json").stdout)


def test_letters_are_listed_shown_sent_and_set_aside(server: LiveServer, post: Post) -> None:
    first, second = post.received("a.txt"), post.received("b.txt")
    ids = [post.given_up("convert", first), post.given_up("convert", second, None)]

    listed = run(server)
    assert listed.exit_code == 0 and ids[0] in listed.stdout and "convert answered 503" in listed.stdout
    assert told(server, "--trigger", "ocr") == {"count": 0, "results": []}
    assert [each["id"] for each in told(server, "--document", first.subject)["results"]] == ids[:1]

    shown = run(server, "show", ids[0])
    assert shown.exit_code == 0 and "knativeerrorcode" in shown.stdout
    assert told(server, "show", ids[0])["event"]["data"] == first.payload

    dry = run(server, "replay", "--all", "--dry-run")
    assert dry.exit_code == 0 and "2 would be sent again" in dry.stdout
    assert run(server, "replay", ids[0]).stdout == "1 sent again.\n"
    assert post.letter(ids[0]).state == "replayed" and post.letter(ids[1]).state == "open"

    assert run(server, "discard", ids[1]).exit_code == 2
    assert run(server, "discard", ids[1], "--reason", "A test.").exit_code == 0
    assert post.letter(ids[1]).reason == "A test."
    assert told(server, "--state", "all")["count"] == 2


def test_what_was_left_alone_is_told_and_fails(server: LiveServer, post: Post) -> None:
    event = post.received()
    letter_id = post.given_up("convert", event)
    post.record.record(post.converted(event))
    done = run(server, "replay", letter_id, "none")
    assert done.exit_code == 1 and "0 sent again, 2 left alone." in done.stdout
    assert "its step has passed" in done.stderr and "no such dead letter" in done.stderr
    assert told(server, "replay", letter_id)["skipped"] == {"closed": 1}


@pytest.mark.parametrize("arguments", [["replay"], ["replay", "x", "--all"], ["replay", "x", "--trigger", "ocr"]])
def test_a_choice_is_needed_and_only_one(arguments: list[str]) -> None:
    done = CliRunner().invoke(main, ["--url", "http://127.0.0.1:1", "dead-letters", *arguments])
    assert done.exit_code == 2


def test_more_letters_than_one_request_takes(server: LiveServer, post: Post) -> None:
    for number in range(105):
        post.given_up("convert", post.received(f"{number}.txt"))
    done = run(server, "replay", "--trigger", "convert")
    assert done.exit_code == 0 and done.stdout == "105 sent again.\n"
    assert told(server)["count"] == 0
