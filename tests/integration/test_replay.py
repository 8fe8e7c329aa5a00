"""Replay with the real functions: nothing unchanged is worked on again; the index is made anew while it answers."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from shared.database.engine import open_database, reading
from shared.database.tables import Charge
from tests.papers import INVOICE, LETTER, png, scan
from tests.servers.docuelevate import SETTLE_SECONDS, Instance, running, wait_for

FILES = {"letter.txt": LETTER.encode(), "invoice.png": png(INVOICE), "scan.pdf": scan([LETTER, INVOICE])}
HOLDERS = {
    "lighthouse": {"letter.txt", "scan.pdf"},
    "mantles": {"letter.txt", "scan.pdf"},
    "Rechnungsbetrag": {"invoice.png", "scan.pdf"},
}
"""Words, and the files that they are in."""
FAST = {"rate": 1000}


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[Instance]:
    with running(tmp_path / "data") as started:
        started.settled(*(document["id"] for document in started.upload(*FILES.items())))
        yield started


def ended(instance: Instance, path: str, **body: Any) -> dict[str, Any]:
    """Begin a replay, wait for its end and for all documents to stand still."""
    begun = instance.client.post(path, json=FAST | body).raise_for_status().json()
    where = f"/api/replays/{begun['id']}"

    def has_ended() -> bool:
        return bool(instance.client.get(where).json()["state"] != "running")

    wait_for(has_ended, SETTLE_SECONDS, "the replay did not end")
    wait_for(lambda: instance.client.get("/api/status").json()["outbox"] == 0, SETTLE_SECONDS, "the outbox is stuck")
    instance.settled(*(document["id"] for document in instance.documents()))
    return dict(instance.client.get(where).json())


def results(instance: Instance) -> dict[str, int]:
    """Every committed result, and when its bytes were written."""
    root = instance.data / "documents"
    return {str(path.relative_to(root)): path.stat().st_mtime_ns for path in root.rglob("result.json")}


def charges(instance: Instance) -> set[tuple[str, str, str, int, int]]:
    engine = open_database(f"sqlite:///{instance.data / 'docuelevate.db'}")
    with reading(engine) as session:
        rows = session.scalars(select(Charge)).all()
    engine.dispose()
    return {(row.document_id, row.step, row.fingerprint, row.pages, row.tokens) for row in rows}


def steps_of(paths: set[str]) -> set[str]:
    return {step for step in ("convert", "ocr", "enrich") for path in paths if f"/{step}/" in path}


def found(instance: Instance) -> dict[str, set[str]]:
    return {word: {hit["id"] for hit in instance.found(word)} for word in HOLDERS}


def indexed(instance: Instance) -> dict[str, set[str]]:
    """Wait until every document is found by all its words; what is found. A document is settled before it is found."""
    ids = {document["filename"]: document["id"] for document in instance.documents()}
    wanted = {word: {ids[name] for name in names} for word, names in HOLDERS.items()}
    wait_for(lambda: finds(instance, wanted), SETTLE_SECONDS, "not yet indexed")
    return wanted


def finds(instance: Instance, wanted: dict[str, set[str]]) -> bool:
    answers = [instance.client.get("/api/search", params={"q": word}) for word in wanted]
    return all(answer.status_code == 200 for answer in answers) and found(instance) == wanted


def test_an_unchanged_library_costs_nothing_and_changed_settings_what_they_affect(instance: Instance) -> None:
    done, paid = results(instance), charges(instance)
    assert steps_of(set(done)) == {"convert", "ocr", "enrich"}
    assert sum(pages for _, step, _, pages, _ in paid if step == "ocr") == 3
    for body in ({"mode": "reprocess"}, {"mode": "reprocess", "from": "enrich"}, {"mode": "redeliver"}):
        replay = ended(instance, "/api/events/replay", **body)
        assert (replay["state"], replay["done"]) == ("done", replay["count"])
        assert results(instance) == done
        assert charges(instance) == paid

    instance.stop()
    other = Instance(instance.data, OCR_LANGUAGES="deu")
    other.start()
    try:
        ended(other, "/api/events/replay", mode="reprocess")
        after = results(other)
        assert {path: after[path] for path in done} == done
        new = set(after) - set(done)
        assert steps_of(new) == {"ocr", "enrich"}
        assert len([path for path in new if "/ocr/" in path]) == len(FILES)
        assert sum(pages for _, step, _, pages, _ in charges(other) - paid if step == "ocr") == 3
    finally:
        other.client.close()
        other.kill()
        instance.start()


def lose(index: Path) -> None:
    # At once, as index may still be writing there.
    shutil.rmtree(index.rename(index.with_name("lost")))


def truncate(index: Path) -> None:
    for pattern in ("[0-9]*/*.store", "[0-9]*/meta.json"):
        for file in index.glob(pattern):
            with suppress(FileNotFoundError):  # cleared away meanwhile
                os.truncate(file, 10)


@pytest.mark.parametrize("damage", [lose, truncate])
def test_a_lost_or_damaged_index_is_made_anew(instance: Instance, damage: Any) -> None:
    before = indexed(instance)
    damage(instance.data / "search")
    replay = ended(instance, "/api/rebuild", what="index")
    assert (replay["state"], replay["done"]) == ("done", len(FILES))
    wait_for(lambda: finds(instance, before), SETTLE_SECONDS, "the index was not filled again")


def test_search_answers_while_the_index_is_made_anew_and_what_was_purged_stays_away(instance: Instance) -> None:
    """rules 23"""
    everything = indexed(instance)
    [purged] = [one["id"] for one in instance.documents() if one["filename"] == "letter.txt"]
    instance.client.delete(f"/api/documents/{purged}", params={"purge": "true"}).raise_for_status()
    wanted = {word: ids - {purged} for word, ids in everything.items()}
    begun = instance.client.post("/api/rebuild", json={"what": "index", "rate": 1}).raise_for_status().json()
    answers = 0
    while instance.client.get(f"/api/replays/{begun['id']}").json()["state"] == "running":
        assert found(instance) == wanted
        answers += 1
    assert answers > 0
    wait_for(lambda: finds(instance, wanted), SETTLE_SECONDS, "the purged document is still found")
    events = instance.client.get("/api/events", params={"subject": purged}).json()["results"]
    assert all(event["event"]["data"].get("purged") for event in events)


def test_a_replay_goes_on_after_everything_was_killed(instance: Instance) -> None:
    body = {"mode": "reprocess", "rate": 0.5}
    begun = instance.client.post("/api/events/replay", json=body).raise_for_status().json()
    where = f"/api/replays/{begun['id']}"
    wait_for(lambda: instance.client.get(where).json()["done"] >= 1, SETTLE_SECONDS, "the replay did not begin")
    instance.kill()
    instance.start()
    wait_for(lambda: instance.client.get(where).json()["state"] == "done", SETTLE_SECONDS, "the replay did not go on")
    assert instance.client.get(where).json()["done"] == len(FILES)
    for document in instance.settled(*(one["id"] for one in instance.documents())):
        assert document["status"] == "ready"
    # The archive may get to know of a run after its end.
    for document in instance.documents():
        wait_for(partial(has_runs, instance, document["id"], 2), SETTLE_SECONDS, "not one more run")


def has_runs(instance: Instance, document_id: str, count: int) -> bool:
    received = instance.client.get("/api/events", params={"subject": document_id, "type": "document.received"}).json()
    return len({event["runid"] for event in received["results"]}) == count


def command(instance: Instance, *words: str) -> str:
    program = str(Path(sys.executable).with_name("docuelevate"))
    done = subprocess.run(
        [program, "--url", instance.url, *words], capture_output=True, text=True, timeout=SETTLE_SECONDS
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_an_operator_replays_and_looks_from_the_command_line(instance: Instance) -> None:
    told = json.loads(command(instance, "replay", "--all", "--dry-run", "--json"))
    assert told == {"dry_run": True, "count": 3, "skipped": {}}
    replay = json.loads(command(instance, "replay", "--all", "--from", "ocr", "--rate", "100", "--wait", "--json"))
    assert (replay["state"], replay["done"]) == ("done", 3)
    assert replay["id"] in command(instance, "replays", "list")
    assert json.loads(command(instance, "replays", "show", replay["id"], "--json"))["from"] == "ocr"
    assert json.loads(command(instance, "rebuild", "index", "--wait", "--json"))["kind"] == "rebuild_index"
    document = instance.documents()[0]["id"]
    lines = command(instance, "events", document, "--type", "document.received", "--whole").splitlines()
    assert {json.loads(line)["subject"] for line in lines} == {document}
