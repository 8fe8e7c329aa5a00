"""Events of this release, of former and of later ones (rules 25), against the recorded ones in `golden/`.

`tests/contract/record_events.py` records a release's; a recorded event is never changed.
"""

import itertools
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.testclient import TestClient

from functions.record.handler import Recorder
from local.broker.message import parse
from shared.database.documents import Arrival, register
from shared.database.engine import reading, writing
from shared.database.tables import ArchivedEvent, Document
from shared.documents import ObjectReference, Status
from shared.events import (
    DATA_MODELS,
    DocumentEnriched,
    DocumentFailed,
    DocumentReceived,
    DocumentRecognized,
    Event,
    decode,
    event_of,
    short_type,
)
from shared.metadata import Metadata
from shared.step import answer
from shared.storage import keys
from shared.storage.directory import DirectoryObjectStore

GOLDEN = sorted((Path(__file__).parent / "golden").glob("*/*.json"))
OF_A_DOCUMENT = [path for path in GOLDEN if path.stem != "object.created"]
SHUFFLES = 12


def name(path: Path) -> str:
    return f"{path.parent.name} {path.stem}"


def golden(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text()))


def event(content: dict[str, Any]) -> Event:
    attributes = {key: value for key, value in content.items() if key != "data"}
    return event_of(attributes, content["data"])


def lost(recorded: Any, now: Any) -> Iterator[str]:
    """The fields that were recorded and are not there any more."""
    for field, value in recorded.items():
        if field not in now:
            yield field
        elif isinstance(value, dict):
            yield from (f"{field}.{below}" for below in lost(value, now[field]))


def test_every_type_has_been_recorded() -> None:
    recorded = {short_type(event_type) for event_type in DATA_MODELS}
    assert {path.stem for path in GOLDEN} == recorded, "record the new type: python -m tests.contract.record_events"


@pytest.mark.parametrize("path", GOLDEN, ids=name)
def test_a_recorded_event_is_read_in_either_form(path: Path) -> None:
    content = golden(path)
    structured = json.dumps(content).encode()
    as_sent = decode({"content-type": "application/cloudevents+json"}, structured)
    headers, body = parse([(b"content-type", b"application/cloudevents+json")], structured).to_binary()
    as_delivered = decode({key.decode(): value.decode() for key, value in headers}, body)
    assert as_sent == as_delivered == event(content)
    as_sent.data()


@pytest.mark.parametrize("path", GOLDEN, ids=name)
def test_no_recorded_field_has_gone_or_become_another(path: Path) -> None:
    content = golden(path)
    now = event(content).data().model_dump(mode="json")
    assert not list(lost(content["data"], now))
    assert {field: now[field] for field in content["data"]} == content["data"]


@pytest.mark.parametrize("path", GOLDEN, ids=name)
def test_fields_and_attributes_of_a_later_release_do_no_harm(path: Path) -> None:
    content = golden(path)
    later = content | {"colour": "blue", "data": content["data"] | {"added_later": {"deep": [1, 2, 3]}}}
    assert event(later).data() == event(content).data()


@pytest.mark.parametrize("path", GOLDEN, ids=name)
def test_an_event_without_the_optional_fields_is_an_event_of_a_former_release(path: Path) -> None:
    content = golden(path)
    model = DATA_MODELS[content["type"]]
    needed = {name for name, field in model.model_fields.items() if field.is_required()}
    former = content | {"data": {field: value for field, value in content["data"].items() if field in needed}}
    event(former).data()


class Serving:
    """record behind its shell, and what it has archived."""

    def __init__(self, engine: Engine, root: Path) -> None:
        self.engine, self.store = engine, DirectoryObjectStore(root)
        recorder = Recorder(engine, self.store)

        async def record(request: Request) -> Response:
            return await answer(request, recorder.record, {})

        self.client = TestClient(Starlette(routes=[Route("/", record, methods=["POST"])]))

    def post(self, content: dict[str, Any]) -> Any:
        headers = {"content-type": "application/cloudevents+json"}
        return self.client.post("/", content=json.dumps(content), headers=headers)

    def archived(self) -> list[dict[str, Any]]:
        with reading(self.engine) as session:
            return [json.loads(body) for body in session.scalars(select(ArchivedEvent.body))]

    def register(self, received: dict[str, Any]) -> None:
        """The document that an event of `document.received` tells of."""
        data = received["data"]
        arrival = Arrival(
            data["document_id"],
            received["runid"],
            ObjectReference.model_validate(data["original"]),
            data["filename"],
            data["channel"],
        )
        with writing(self.engine) as session:
            register(session, arrival, source=received["source"], force=True)

    def put_metadata(self, enriched: dict[str, Any]) -> None:
        key = enriched["data"]["metadata"]["key"]
        assert keys.belongs_to(key, enriched["subject"])
        self.store.put(key, Metadata().model_dump_json().encode(), media_type="application/json")

    def document(self, document_id: str) -> Document:
        with reading(self.engine) as session:
            return session.get_one(Document, document_id)


@pytest.fixture
def serving(engine: Engine, tmp_path: Path) -> Serving:
    return Serving(engine, tmp_path / "objects")


def test_unknown_fields_stay_in_the_archive(serving: Serving) -> None:
    for path in OF_A_DOCUMENT:
        content = golden(path)
        content["data"]["added_later"] = {"deep": [1, 2, 3]}
        assert serving.post(content).status_code in (200, 202)
    assert len(serving.archived()) == len(OF_A_DOCUMENT)
    assert all(body["data"]["added_later"] == {"deep": [1, 2, 3]} for body in serving.archived())


def test_an_event_that_lacks_a_needed_field_is_refused_for_good(serving: Serving) -> None:
    """422 is not tried again: such an event goes to the dead letters at once."""
    tried = 0
    for path in GOLDEN:
        model = DATA_MODELS[golden(path)["type"]]
        for field in (name for name, field in model.model_fields.items() if field.is_required()):
            content = golden(path)
            del content["data"][field]
            response = serving.post(content)
            assert (response.status_code, response.json()["code"]) == (422, "invalid_event"), (path.stem, field)
            tried += 1
    assert tried > len(GOLDEN)
    assert serving.archived() == []


def test_a_type_of_a_later_release_is_archived_whole(serving: Serving) -> None:
    content = golden(GOLDEN[0]) | {"type": "org.docuelevate.document.translated.v1"}
    content["data"] |= {"language": "cy"}
    newer = content | {"type": "org.docuelevate.document.converted.v2", "id": "another"}
    for each in (content, newer, content):
        response = serving.post(each)
        assert (response.status_code, response.content) == (202, b"")
    assert [(body["type"], body["data"]) for body in serving.archived()] == [
        (content["type"], content["data"]),
        (newer["type"], newer["data"]),
    ]


@pytest.mark.parametrize("release", sorted({path.parent.name for path in GOLDEN}))
def test_the_recorded_run_of_a_document_ends_the_same_in_any_order(release: str, serving: Serving) -> None:
    """The projection folds the events of a former release, shuffled and doubled (rules 11)."""
    by_type = {path.stem: golden(path) for path in GOLDEN if path.parent.name == release}
    received = by_type[short_type(DocumentReceived.type)]
    run = [each for each in by_type.values() if each.get("runid") == received["runid"]]
    assert {DocumentRecognized.type, DocumentEnriched.type} <= {each["type"] for each in run}
    serving.put_metadata(by_type[short_type(DocumentEnriched.type)])
    order = random.Random(release)
    for number in range(SHUFFLES):
        # A document of its own each time, told by the same events.
        told = json.loads(json.dumps([received, *run]).replace(received["subject"], renamed(received, number)))
        serving.register(told[0])
        enriched = next(each for each in told if each["type"] == DocumentEnriched.type)
        serving.put_metadata(enriched)
        arriving = list(itertools.chain(told[1:], told[1:]))
        order.shuffle(arriving)
        for each in arriving:
            assert serving.post(unique(each, number)).status_code in (200, 202)
        document = serving.document(told[0]["subject"])
        assert (document.status, document.pages) == (Status.READY, 4), arriving
        assert document.enriched is not None
        assert document.enriched["fingerprint"] == enriched["data"]["fingerprint"]


def renamed(received: dict[str, Any], number: int) -> str:
    return f"{received['subject'][:-4]}{number:04x}"


def unique(content: dict[str, Any], number: int) -> dict[str, Any]:
    return content | {"id": f"{content['id']}-{number}"}


def test_a_recorded_failure_is_shown_with_its_code(serving: Serving) -> None:
    by_type = {path.stem: golden(path) for path in GOLDEN}
    received, failed = (by_type[short_type(model.type)] for model in (DocumentReceived, DocumentFailed))
    told = json.loads(json.dumps(received).replace(received["subject"], failed["subject"]))
    serving.register(told | {"runid": failed["runid"]})
    assert serving.post(failed).status_code == 200
    document = serving.document(failed["subject"])
    assert (document.status, document.code) == (Status.ATTENTION, failed["data"]["code"])
