"""Traces at the wire: one document, all its steps in processes of their own, one trace."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.collector import CollectedSpan, Collector, collecting
from tests.servers.docuelevate import Instance, running, wait_for
from tests.servers.function import ROOT
from tests.servers.ports import free_port

PATIENCE_SECONDS = 120
PROCESSES = ("functions.ingest.main", "functions.convert.main", "functions.ocr.main", "functions.enrich.main")
PROCESSES += ("functions.record.main", "functions.index.main", "web.app", "web.sweep.__main__", "local.runner")


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with collecting() as collector:
        yield collector


@pytest.fixture(scope="module")
def traced(collector: Collector, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    environment = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "OTEL_EXPORTER_OTLP_HEADERS": "x-key=from-a-secret",
        "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment=test",
        "LOG_FORMAT": "json",
    }
    with running(tmp_path_factory.mktemp("traced") / "data", **environment) as instance:
        yield instance


@pytest.fixture(scope="module")
def document(traced: Instance) -> str:
    """A document that has passed all steps."""
    [uploaded] = traced.upload(("letter.txt", b"Dear reader, the invoice number is 4711."))
    [document] = traced.settled(uploaded["id"])
    assert document["status"] == "ready"
    return str(uploaded["id"])


def one(collector: Collector, name: str, service: str) -> CollectedSpan:
    """The first span of this name and service, once it has arrived."""
    wait_for(lambda: bool(collector.named(name, service)), PATIENCE_SECONDS, f"no span {name} of {service}")
    return collector.named(name, service)[0]


def spans_of(collector: Collector, service: str) -> set[str]:
    return {each.id for each in list(collector.spans) if each.service == service}


def test_a_document_is_one_trace_through_all_functions(collector: Collector, document: str) -> None:
    upload = one(collector, "POST /api/documents", "docuelevate-runner")
    published = one(collector, "publish document.received", "docuelevate-runner")
    converted = one(collector, "handle document.received", "docuelevate-convert")
    recognized = one(collector, "handle document.converted", "docuelevate-ocr")
    enriched = one(collector, "handle document.recognized", "docuelevate-enrich")
    recorded = one(collector, "handle document.enriched", "docuelevate-record")
    indexed = one(collector, "handle document.updated", "docuelevate-index")
    chain = [upload, published, converted, recognized, enriched, recorded]
    assert upload.parent == ""
    assert [after.parent for after in chain[1:]] == [before.id for before in chain[:-1]]
    assert {each.trace for each in (*chain, indexed)} == {upload.trace}
    # Each function sends its spans on by itself.
    wait_for(lambda: indexed.parent in spans_of(collector, "docuelevate-record"), PATIENCE_SECONDS, "no parent")
    # record hears of the event that convert works on from the same sender.
    assert one(collector, "handle document.received", "docuelevate-record").parent == published.id
    assert {each.attributes["document"] for each in (*chain[1:], indexed)} == {document}
    assert converted.attributes["outcome"] == "document.converted" and converted.attributes["run"]
    assert not any(each.failed for each in chain)
    assert upload.attributes["http.response.status_code"] == 202
    parts = {each.name for each in collector.spans if each.parent == converted.id and "handle" not in each.name}
    assert parts == {"work", "commit"}


def test_the_sdk_reads_its_own_variables(collector: Collector, document: str) -> None:
    assert {each["x-key"] for each in collector.headers} == {"from-a-secret"}


def test_log_lines_name_the_trace(collector: Collector, traced: Instance, document: str) -> None:
    converted = one(collector, "handle document.received", "docuelevate-convert")
    lines = (traced.data.parent / f"{traced.data.name}.log").read_text().splitlines()
    entries = [json.loads(line) for line in lines if line.startswith("{")]
    [said] = [each for each in entries if each["process"] == "convert" and each.get("document") == document]
    assert said["trace"] == converted.trace and said["run"] == converted.attributes["run"]


def test_no_name_of_a_file_is_in_a_trace(collector: Collector, traced: Instance, document: str) -> None:
    (traced.data / "incoming").mkdir(exist_ok=True)
    (traced.data / "incoming" / "private-matter.txt").write_text("Dropped into the folder.")
    announced = one(collector, "handle object.created", "docuelevate-ingest")
    one(collector, "handle document.received", "docuelevate-convert")
    assert announced.attributes["outcome"] == "document.received"
    wait_for(lambda: len(traced.documents()) == 2, PATIENCE_SECONDS, "the file was not taken in")
    everything = repr(collector.spans)
    assert "private-matter" not in everything and "letter.txt" not in everything


def test_what_is_sent_again_is_a_trace_of_its_own_that_names_the_old(
    collector: Collector, traced: Instance, document: str
) -> None:
    first = one(collector, "handle document.received", "docuelevate-convert")
    asked = {"mode": "redeliver", "filter": {"type": "document.received", "subject": document}}
    traced.client.post("/api/events/replay", json=asked).raise_for_status()
    again = one(collector, "resend document.received", "docuelevate-runner")
    assert again.parent == "" and again.trace != first.trace and again.links == (first.trace,)

    def in_new_trace() -> list[CollectedSpan]:
        handled = collector.named("handle document.received", "docuelevate-convert")
        return [each for each in handled if each.trace == again.trace]

    wait_for(lambda: bool(in_new_trace()), PATIENCE_SECONDS, "nothing came of the event in its new trace")


@pytest.mark.parametrize("silent", [True, False])
def test_a_collector_that_is_away_keeps_nobody_from_working(tmp_path: Path, silent: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1] if silent else free_port()
        with running(tmp_path / "data", OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{port}") as instance:
            [uploaded] = instance.upload(("letter.txt", b"Nobody watches."))
            [document] = instance.settled(uploaded["id"])
            assert document["status"] == "ready"
            assert instance.stop() == 0


@pytest.mark.parametrize("module", PROCESSES)
def test_without_an_address_nothing_of_it_is_loaded(module: str, tmp_path: Path) -> None:
    code = f"import sys, {module}; assert not [name for name in sys.modules if name.startswith('opentelemetry')]"
    environment = {"DATA_DIR": str(tmp_path), "PATH": os.environ["PATH"], "BROKER_URL": "http://127.0.0.1:9"}
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, check=True)
