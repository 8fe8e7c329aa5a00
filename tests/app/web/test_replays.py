"""Replays over the archive and the library through the API: what is sent, what is begun, what is left out and why."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, delete, select
from starlette.testclient import TestClient

from functions.record.handler import Recorder
from shared.database.engine import reading, writing
from shared.database.tables import ArchivedEvent, Document, OutboxEvent
from shared.documents import new_document_id
from shared.events import DocumentConverted, DocumentReceived, Event, ObjectCreated, from_json, new_event
from shared.metadata import Metadata
from shared.storage.port import ObjectStore
from tests.app.web.conftest import Library, MakeContext, ScriptedSearch, read_value
from web.app import create_app
from web.context import Context
from web.replays import Limits

NO_LIMITS = Limits(queued=10_000, processing=10_000)


@pytest.fixture
def database(engine: Engine) -> Engine:
    return engine


@pytest.fixture
def context(make_context: MakeContext) -> Context:
    context = make_context(search=ScriptedSearch())
    context.replays.limits = NO_LIMITS
    return context


@pytest.fixture
def client(context: Context) -> TestClient:
    """Without its lifespan: the replays go on when the test says so."""
    return TestClient(create_app(context), base_url="http://localhost:8000")


@pytest.fixture
def finish(context: Context, client: TestClient) -> Callable[[str], dict[str, Any]]:
    """Advances a replay until it has ended, faster than the clock."""

    def ended(replay_id: str) -> dict[str, Any]:
        for second in range(10_000):
            context.replays.clock = lambda second=second: float(second)
            context.replays._paces.clear()
            context.replays.advance()
            replay = client.get(f"/api/replays/{replay_id}").json()
            if replay["state"] != "running":
                return dict(replay)
        raise AssertionError("the replay does not end")

    return ended


@pytest.fixture
def begin(client: TestClient, finish: Callable[[str], dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    def post(path: str = "/api/events/replay", **body: Any) -> dict[str, Any]:
        answer = client.post(path, json=body)
        assert answer.status_code == 202, answer.text
        assert answer.headers["location"] == f"/api/replays/{answer.json()['id']}"
        return finish(answer.json()["id"])

    return post


class Archive:
    """What the functions would have reported of the library's documents."""

    def __init__(self, database: Engine, store: ObjectStore) -> None:
        self.database = database
        self.recorder = Recorder(database, store)

    def arrive(self) -> None:
        """All that is queued reaches record."""
        with reading(self.database) as session:
            queued = [from_json(row.body) for row in session.scalars(select(OutboxEvent).order_by(OutboxEvent.number))]
        for event in queued:
            self.recorder.record(event)
        with writing(self.database) as session:
            session.execute(delete(OutboxEvent))

    def queued(self) -> list[Event]:
        with reading(self.database) as session:
            query = select(OutboxEvent.body).order_by(OutboxEvent.number)
            return [from_json(body) for body in session.scalars(query)]

    def events(self) -> list[ArchivedEvent]:
        with reading(self.database) as session:
            return list(session.scalars(select(ArchivedEvent).order_by(ArchivedEvent.number)))

    def document(self, document_id: str) -> Document:
        with reading(self.database) as session:
            return session.get_one(Document, document_id)


@pytest.fixture
def archive(database: Engine, store: ObjectStore) -> Archive:
    return Archive(database, store)


@pytest.fixture
def three(library: Library, archive: Archive) -> Iterator[list[str]]:
    """Three documents that have passed all steps, their first events archived."""
    ids = [library.ready(f"letter{number}.txt") for number in range(3)]
    rows = {one: archive.document(one) for one in ids}
    archive.arrive()
    for one, row in rows.items():
        library.change(one, converted=row.converted, recognized=row.recognized, status="ready")
    yield ids


Begin = Callable[..., dict[str, Any]]


def test_redeliver_sends_the_same_events_again(begin: Begin, archive: Archive, three: list[str]) -> None:
    replay = begin(mode="redeliver", filter={"type": "document.received"}, rate=1000)
    assert (replay["state"], replay["kind"], replay["mode"]) == ("done", "redeliver", "redeliver")
    assert (replay["count"], replay["done"], replay["skipped"], replay["progress"]) == (3, 3, 0, 1.0)
    sent = [from_json(row.body) for row in archive.events()]
    assert archive.queued() == sent


def test_an_event_that_still_waits_to_be_sent_is_not_queued_twice(
    begin: Begin, archive: Archive, three: list[str]
) -> None:
    begin(mode="redeliver")
    begin(mode="redeliver")
    assert len(archive.queued()) == 3


def test_a_redelivered_event_leaves_out_what_belonged_to_its_transport(
    begin: Begin, archive: Archive, three: list[str]
) -> None:
    row = archive.document(three[0])
    data = DocumentConverted.model_validate(row.converted)
    event = new_event(data, source="/docuelevate/functions/convert", runid=row.runid)
    archive.recorder.record(event.model_copy(update={"traceparent": "00-a-b-01"}))
    begin(mode="redeliver", filter={"source": "/docuelevate/functions/convert"})
    assert archive.queued() == [event]


def test_events_of_former_runs_and_of_purged_documents_are_not_sent(
    client: TestClient, begin: Begin, archive: Archive, three: list[str]
) -> None:
    """rules 19"""
    client.post(f"/api/documents/{three[0]}/replay", json={"from": "convert"})
    archive.arrive()
    client.delete(f"/api/documents/{three[1]}?purge=true")
    archive.arrive()
    body = {"mode": "redeliver", "filter": {"type": "document.received"}}
    told = client.post("/api/events/replay", json=body | {"dry_run": True})
    assert told.status_code == 200
    assert told.json() == {"dry_run": True, "count": 2, "skipped": {"not_current": 1, "purged": 1}}
    replay = begin(**body)
    assert (replay["count"], replay["done"], replay["skipped"]) == (2, 2, 2)
    current = {one: archive.document(one).runid for one in (three[0], three[2])}
    assert {event.subject: event.runid for event in archive.queued()} == current


def test_what_is_purged_between_count_and_emission_is_not_sent(
    client: TestClient, context: Context, finish: Callable[[str], dict[str, Any]], archive: Archive, three: list[str]
) -> None:
    """rules 19"""
    begun = client.post("/api/events/replay", json={"mode": "redeliver"}).json()
    client.delete(f"/api/documents/{three[1]}?purge=true")
    finish(begun["id"])
    assert {event.subject for event in archive.queued() if event.model is DocumentReceived} == {three[0], three[2]}


def test_events_that_arrive_after_the_replay_began_are_not_part_of_it(
    client: TestClient, finish: Callable[[str], dict[str, Any]], library: Library, archive: Archive, three: list[str]
) -> None:
    begun = client.post("/api/events/replay", json={"mode": "redeliver"}).json()
    library.received("later.txt")
    archive.arrive()
    assert finish(begun["id"])["done"] == 3


def test_an_object_that_became_a_document_since_purged_is_not_announced_again(begin: Begin, archive: Archive) -> None:
    created = ObjectCreated(bucket="docuelevate", key="incoming/a.txt", etag="e")
    archive.recorder.record(new_event(created, source="/docuelevate/local", subject="incoming/a.txt"))
    replay = begin(mode="redeliver", filter={"type": "object.created"})
    assert (replay["done"], [event.type for event in archive.queued()]) == (1, [ObjectCreated.type])


def test_one_event_can_be_named(begin: Begin, archive: Archive, three: list[str]) -> None:
    wanted = archive.events()[1]
    begin(mode="redeliver", filter={"ids": [wanted.id]})
    assert [event.id for event in archive.queued()] == [wanted.id]


def test_reprocess_starts_one_run_for_each_living_document(
    client: TestClient, begin: Begin, archive: Archive, three: list[str]
) -> None:
    """rules 24"""
    before = {one: archive.document(one).runid for one in three}
    client.delete(f"/api/documents/{three[1]}")
    client.delete(f"/api/documents/{three[2]}?purge=true")
    archive.arrive()
    body = {"mode": "reprocess", "from": "ocr"}
    told = client.post("/api/events/replay", json=body | {"dry_run": True}).json()
    assert told == {"dry_run": True, "count": 1, "skipped": {"trashed": 1, "purged": 1}}
    replay = begin(**body)
    assert (replay["state"], replay["count"], replay["done"], replay["from"]) == ("done", 1, 1, "ocr")
    [event] = archive.queued()
    document = archive.document(three[0])
    assert (event.type, event.subject, event.runid) == (DocumentConverted.type, three[0], document.runid)
    assert document.runid != before[three[0]]
    assert document.status == "processing"
    assert archive.document(three[1]).runid == before[three[1]]


def test_a_document_with_many_matching_events_gets_one_run(begin: Begin, archive: Archive, three: list[str]) -> None:
    """rules 24"""
    for _ in range(3):
        begin(mode="reprocess", filter={"subject": three[0]})
        archive.arrive()
    replay = begin(mode="reprocess", filter={"subject": three[0], "type": "document.received"})
    assert (replay["count"], len(archive.queued())) == (1, 1)


def test_the_start_event_names_what_it_repeats(begin: Begin, archive: Archive, three: list[str]) -> None:
    original = archive.events()[0]
    replay = begin(mode="reprocess", filter={"ids": [three[0]]})
    [event] = archive.queued()
    assert event.id != original.id
    assert (event.time, event.replayof, event.replayrun) == (original.time, original.id, replay["id"])
    assert event.recordedtime == original.recorded_at.isoformat().replace("+00:00", "Z")


def test_the_repetition_of_a_repetition_names_the_original(
    client: TestClient, begin: Begin, archive: Archive, three: list[str]
) -> None:
    original = archive.events()[0]
    for _ in range(2):
        answer = client.post(f"/api/documents/{three[0]}/replay", json={"from": "convert"}).json()
        archive.arrive()
    last = from_json(archive.events()[-1].body)
    assert (last.time, last.replayof, last.replayrun) == (original.time, original.id, answer["runid"])


@pytest.mark.parametrize(
    ("column", "value", "asked"),
    [
        ("status", "attention", {"status": "attention"}),
        ("code", "corrupt", {"code": "corrupt"}),
        ("document_type", "invoice", {"document_type": "invoice"}),
    ],
)
def test_documents_can_be_chosen_by_what_they_are(
    begin: Begin, library: Library, archive: Archive, three: list[str], column: str, value: str, asked: dict[str, str]
) -> None:
    library.change(three[1], **{column: value})
    begin(mode="reprocess", filter=asked)
    assert [event.subject for event in archive.queued()] == [three[1]]


def test_documents_can_be_chosen_by_tag(begin: Begin, library: Library, archive: Archive, three: list[str]) -> None:
    tagged = library.ready("tagged.txt", metadata=Metadata(tags=[read_value("tax"), read_value("2024")]))
    archive.arrive()
    begin(mode="reprocess", filter={"tag": ["tax", "2024"]})
    assert [event.subject for event in archive.queued()] == [tagged]


def test_options_are_overlaid_and_force_is_for_the_named_step_only(
    begin: Begin, archive: Archive, three: list[str]
) -> None:
    """rules 9"""
    begin(mode="reprocess", **{"from": "ocr"}, force=True, options={"language": "deu"})
    options = [event.payload["options"] for event in archive.queued()]
    assert {(one["force"], one["language"]) for one in options} == {("ocr", "deu")}


def test_a_step_without_its_input_is_preceded_by_the_one_that_makes_it(
    begin: Begin, library: Library, archive: Archive, three: list[str]
) -> None:
    """rules 10"""
    library.change(three[0], recognized=None)
    library.change(three[1], converted=None, recognized=None)
    begin(mode="reprocess", **{"from": "enrich"})
    assert [archive.document(one).run_from for one in three] == ["ocr", "convert", "enrich"]


def test_from_index_starts_no_run(begin: Begin, archive: Archive, three: list[str]) -> None:
    """rules 10"""
    before = [archive.document(one).runid for one in three]
    begin(mode="reprocess", **{"from": "index"}, force=True)
    assert [archive.document(one).runid for one in three] == before
    assert {event.payload["options"]["force"] for event in archive.queued()} == {"index"}


def test_a_dry_run_changes_nothing(client: TestClient, archive: Archive, three: list[str]) -> None:
    for mode in ("redeliver", "reprocess"):
        told = client.post("/api/events/replay", json={"mode": mode, "dry_run": True}).json()
        assert told == {"dry_run": True, "count": 3, "skipped": {}}
    assert archive.queued() == []
    assert client.get("/api/replays").json()["count"] == 0


def test_ids_that_nobody_has_are_named_in_the_dry_run(client: TestClient, three: list[str]) -> None:
    body = {"mode": "reprocess", "filter": {"ids": [three[0], new_document_id()]}, "dry_run": True}
    assert client.post("/api/events/replay", json=body).json()["skipped"] == {"unknown": 1}


def test_replays_are_listed_newest_first_and_cancelled(client: TestClient, three: list[str]) -> None:
    older, newer = (client.post("/api/events/replay", json={"mode": "redeliver"}).json()["id"] for _ in range(2))
    listed = client.get("/api/replays").json()
    assert [one["id"] for one in listed["results"]] == [newer, older]
    cancelled = client.post(f"/api/replays/{newer}/cancel")
    assert (cancelled.status_code, cancelled.json()["state"]) == (200, "cancelled")
    assert client.get("/api/replays?state=running").json()["count"] == 1


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"mode": "again"},
        {"mode": "reprocess", "from": "ingest"},
        {"mode": "reprocess", "rate": 0},
        {"mode": "reprocess", "rate": 1001},
        {"mode": "reprocess", "rate": "NaN"},
        {"mode": "redeliver", "force": True},
        {"mode": "redeliver", "filter": {"owner": "x"}},
        {"mode": "redeliver", "filter": {"since": "yesterday"}},
        {"mode": "redeliver", "filter": {"ids": ["x"] * 10_001}},
        {"mode": "redeliver", "filter": {"type": "a\0b"}},
    ],
)
def test_what_breaks_the_contract_is_refused(client: TestClient, body: dict[str, Any]) -> None:
    assert client.post("/api/events/replay", json=body).status_code == 422


def test_a_replay_that_never_was_is_not_found(client: TestClient) -> None:
    assert client.get("/api/replays/none").status_code == 404
    assert client.post("/api/replays/none/cancel").status_code == 404


def test_the_index_is_made_anew_from_all_documents_and_rid_of_strangers(
    client: TestClient,
    context: Context,
    begin: Begin,
    archive: Archive,
    three: list[str],
) -> None:
    """rules 23"""
    client.delete(f"/api/documents/{three[1]}")
    client.delete(f"/api/documents/{three[2]}?purge=true")
    archive.arrive()
    assert isinstance(context.search, ScriptedSearch)
    stranger = new_document_id()
    context.search.ids = lambda: iter([three[0], three[2], stranger])  # type: ignore[method-assign]
    replay = begin("/api/rebuild", what="index", rate=1000)
    assert (replay["kind"], replay["state"], replay["count"], replay["done"]) == ("rebuild_index", "done", 2, 2)
    woken = {event.subject: event.payload["options"]["force"] for event in archive.queued()}
    assert woken == {three[0]: "index", three[1]: "index", three[2]: None, stranger: None}


def test_without_search_there_is_no_index_to_make(make_client: Callable[..., TestClient]) -> None:
    answer = make_client().post("/api/rebuild", json={"what": "index"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "search_disabled")


@pytest.mark.parametrize(
    ("query", "count"),
    [("type=document.received", 3), ("source=/docuelevate/web", 3), ("since=2000-01-01&until=2000-01-02", 0)],
)
def test_the_archive_is_asked_by_its_attributes(client: TestClient, three: list[str], query: str, count: int) -> None:
    answer = client.get(f"/api/events?{query}").json()
    assert answer["count"] == count
    for one in answer["results"]:
        assert one["event"]["data"]["document_id"] in three
        assert one["recorded_at"]
