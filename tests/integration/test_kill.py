"""SIGKILL to everything, again and again, in the middle of work: every document completes, whole and once."""

import hashlib
import json
import random
import time
from pathlib import Path

import pytest

from tests.papers import INVOICE, LETTER, docx, png, scan
from tests.servers.docuelevate import SETTLE_SECONDS, Instance, running, wait_for

KILLS = 10
CLOCK = random.Random(20250314)


def files() -> dict[str, bytes]:
    texts = {f"letter-{n}.txt": f"{LETTER}\nCopy number {n}.".encode() for n in range(6)}
    pictures = {f"invoice-{n}.png": png(f"{INVOICE}\nKopie {n}") for n in range(4)}
    scans = {"scan.pdf": scan([f"{LETTER}\nSheet {n}" for n in range(20)])}
    offices = {f"note-{n}.docx": docx(f"Zeppelin number {n} is due.") for n in range(3)}
    return {**texts, **pictures, **scans, **offices}


@pytest.mark.timeout(1_200)
def test_ten_kills_lose_and_double_nothing(tmp_path: Path) -> None:
    sent = files()
    with running(tmp_path / "data") as instance:
        ids = {document["filename"]: document["id"] for document in instance.upload(*sent.items())}
        for _ in range(KILLS):
            time.sleep(CLOCK.uniform(0.3, 3.0))
            instance.kill()
            instance.start()
        documents = instance.settled(*ids.values(), seconds=600)
        assert {document["status"] for document in documents} == {"ready"}, documents
        assert len(instance.documents()) == len(sent)
        for name, document_id in ids.items():
            assert_whole(instance, document_id, sent[name])
        wait_for(lambda: len(instance.found("Sheet")) == 1, SETTLE_SECONDS, "the scan was not found")
        wait_for(lambda: instance.found("Zeppelin number 2")[:1] != [], SETTLE_SECONDS, "the note was not found")


def assert_whole(instance: Instance, document_id: str, original: bytes) -> None:
    directory = instance.data / "documents" / document_id
    assert (directory / "original").read_bytes() == original
    for step in ("convert", "ocr", "enrich"):
        [result] = list(directory.glob(f"{step}/*/result.json"))
        for payload in json.loads(result.read_text())["payloads"].values():
            body = (instance.data / payload["key"]).read_bytes()
            assert hashlib.sha256(body).hexdigest() == payload["sha256"]
