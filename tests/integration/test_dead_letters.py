"""A dependency is down until the broker gives up: the letter says why; once it is back, one command ends it well."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from local.cli import main
from tests.papers import LETTER
from tests.servers.docuelevate import SETTLE_SECONDS, Instance, wait_for

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]


def impatient(manifest: str) -> str:
    """The same manifests, with triggers that try three times within a moment."""
    documents = list(yaml.safe_load_all(manifest))
    for document in documents:
        if document and document["kind"] == "Trigger":
            document["spec"]["delivery"] |= {"retry": 2, "backoffDelay": "PT0.05S"}
    return yaml.safe_dump_all(documents)


def link_functions(target: Path) -> None:
    """The functions as they are, but for the main module of enrich."""
    target.mkdir()
    for entry in (REPOSITORY / "functions").iterdir():
        if entry.name != "enrich":
            (target / entry.name).symlink_to(entry)
    (target / "enrich").mkdir()
    for entry in (REPOSITORY / "functions" / "enrich").iterdir():
        own = HERE / "unreachable_model" / "main.py" if entry.name == "main.py" else entry
        (target / "enrich" / entry.name).symlink_to(own)


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[Instance]:
    link_functions(tmp_path / "functions")
    (tmp_path / "knative").mkdir()
    for manifest in (REPOSITORY / "knative").glob("*.yaml"):
        text = manifest.read_text()
        (tmp_path / "knative" / manifest.name).write_text(impatient(text) if "trigger-" in manifest.name else text)
    started = Instance(tmp_path / "data")
    started.command = (sys.executable, str(HERE / "impatient_server.py"), str(tmp_path))
    started.start()
    try:
        yield started
    finally:
        started.client.close()
        started.kill()


def run(instance: Instance, *arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(main, ["--url", instance.url, "dead-letters", *arguments])
    return done.exit_code, done.stdout


def test_what_was_given_up_is_told_and_sent_again(instance: Instance) -> None:
    """rules 18: kept whole, the document says what happened; the same event sent again ends the run."""
    down = instance.data.parent / "model-down"
    down.touch()
    [uploaded] = instance.upload(("letter.txt", LETTER.encode()))
    [document] = instance.settled(uploaded["id"])
    assert document["status"] == "attention"
    failure = document["failure"]
    assert (failure["code"], failure["step"], failure["attempts"]) == ("retries_exhausted", "enrich", 1)
    assert failure["at"] and "the language model does not answer" in failure["message"]
    assert "retry" in document["actions"] and "accept" in document["actions"]

    [letter] = instance.client.get("/api/dead-letters").json()["results"]
    assert (letter["trigger"], letter["status"], letter["document_id"]) == ("enrich", 503, document["id"])

    # Too early: it fails again, and the same letter is open again.
    code, _ = run(instance, "replay", letter["id"])
    assert code == 0
    path = f"/api/dead-letters/{letter['id']}"
    wait_for(lambda: instance.client.get(path).json()["arrivals"] == 2, SETTLE_SECONDS, "the letter did not come back")
    again = instance.client.get(path).json()
    assert (again["state"], again["replays"]) == ("open", 1)
    assert instance.document(document["id"])["steps"][-1]["attempts"] == 2

    down.unlink()
    code, said = run(instance, "replay", "--all")
    assert (code, said) == (0, "1 sent again.\n")
    wait_for(lambda: instance.document(document["id"])["status"] == "ready", SETTLE_SECONDS, "it did not get ready")
    assert instance.client.get(path).json()["state"] == "closed"
    assert instance.document(document["id"])["runid"] == document["runid"]
    assert instance.client.get("/api/dead-letters").json()["count"] == 0
