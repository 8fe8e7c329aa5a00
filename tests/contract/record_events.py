"""Records one event of each type as this release sends it: `python -m tests.contract.record_events DIRECTORY`.

Run once per release. What it writes is never changed afterwards: later releases must still read it (rules 25).
"""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from sqlalchemy import select

from shared.database.engine import open_database, reading
from shared.database.tables import ArchivedEvent
from shared.events import DATA_MODELS, DocumentDeleted, DocumentPurged, short_type
from tests.papers import INVOICE, scan
from tests.servers.docuelevate import Instance, running, wait_for


def main() -> None:
    """Take a few documents through a real instance, and keep the first event of each type."""
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as directory, running(Path(directory) / "data", OCR_BATCH_PAGES="2") as instance:
        recorded = record(instance)
    # A purged document leaves no events behind, so this one is told from its sister.
    deleted = recorded[DocumentDeleted.type]
    recorded[DocumentPurged.type] = deleted | {
        "type": DocumentPurged.type,
        "id": "0e1c4a8e-9d0b-5a53-8f5b-4d9a3f4b7c10",
    }
    for event_type, event in recorded.items():
        text = json.dumps(event, indent=2, sort_keys=True, ensure_ascii=False)
        (target / f"{short_type(event_type)}.json").write_text(text + "\n")


def record(instance: Instance) -> dict[str, dict[str, Any]]:
    """The first event of each type that the archive holds after all kinds of work."""
    files = (("scan.pdf", scan([INVOICE] * 4)), ("broken.pdf", b"%PDF-1.4 and nothing more"))
    long_scan, broken = (document["id"] for document in instance.upload(*files))
    (instance.data / "incoming").mkdir(exist_ok=True)
    (instance.data / "incoming" / "Rechnung März.txt").write_text(INVOICE)
    instance.settled(long_scan, broken)
    wait_for(lambda: len(instance.documents()) == 3, 60, "the dropped file was not taken")
    instance.client.delete(f"/api/documents/{long_scan}").raise_for_status()
    instance.client.post(f"/api/documents/{long_scan}/restore").raise_for_status()
    wanted = set(DATA_MODELS) - {DocumentPurged.type}
    found: dict[str, dict[str, Any]] = {}

    def complete() -> bool:
        for event in archived(instance):
            found.setdefault(event["type"], event)
        return set(found) >= wanted

    wait_for(complete, 60, f"not all types were sent: {wanted - set(found)}")
    return found


def archived(instance: Instance) -> list[dict[str, Any]]:
    """Every archived event as it was sent, oldest first."""
    with reading(open_database(f"sqlite:///{instance.data / 'docuelevate.db'}")) as session:
        bodies = session.scalars(select(ArchivedEvent.body).order_by(ArchivedEvent.number)).all()
    return [json.loads(body) for body in bodies]


if __name__ == "__main__":
    main()
