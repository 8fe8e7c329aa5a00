"""Search, the event archive, and the description of the API."""

import json
from collections.abc import Callable

import pytest
from sqlalchemy import Engine
from starlette.testclient import TestClient

from shared.database.engine import writing
from shared.database.tables import ArchivedEvent, Document
from shared.events import DocumentFailed, EventData, new_event
from shared.search.port import Facet, FacetCount, SearchHit, SearchResults, Snippet, SnippetPart
from tests.app.web.conftest import Library, ScriptedSearch
from web.access import Guarded
from web.api.routes import api_routes


def results(*document_ids: str) -> SearchResults:
    parts = (SnippetPart(text="the "), SnippetPart(text="<b>word", hit=True))
    snippet = Snippet(page=3, parts=parts)
    return SearchResults(
        hits=tuple(SearchHit(document_id=each, score=1.0, pages=(3,), snippets=(snippet,)) for each in document_ids),
        facets={Facet.TAG: (FacetCount(value="car", count=2),)},
        total=45,
        took_ms=1.5,
    )


def test_hits_are_shown_from_the_database(make_client: Callable[..., TestClient], library: Library) -> None:
    document_id, theirs = library.ready("a.txt"), library.received("b.txt", owner="somebody")
    index = ScriptedSearch(results(document_id, theirs, "gone"))
    query = "q=word&tag=car&tag=paid&document_type=invoice&date_from=2026-01-01&facets=tag,year&page=2&page_size=20"
    with make_client(search=index) as client:
        answer = client.get(f"/api/search?{query}")
    found = answer.json()
    (hit,) = found["hits"]
    assert hit["id"] == document_id and hit["page_numbers"] == [3]
    assert hit["snippet"] == [{"text": "the ", "hit": False}, {"text": "<b>word", "hit": True}]
    assert found["total"] == 45 and found["took_ms"] == 1.5 and found["facets"] == {"tag": {"car": 2}}
    assert "page=3" in found["next"] and "page=1" in found["previous"]
    (asked,) = index.queries
    assert asked.owner == "local" and asked.tags == ("car", "paid") and asked.facets == (Facet.TAG, Facet.YEAR)
    assert (asked.page, asked.page_size, asked.document_type) == (2, 20, "invoice")


def test_a_trashed_document_is_not_shown(make_client: Callable[..., TestClient], library: Library) -> None:
    document_id = library.ready("a.txt")
    with make_client(search=ScriptedSearch(results(document_id))) as client:
        client.delete(f"/api/documents/{document_id}")
        assert client.get("/api/search?q=x").json()["hits"] == []


def test_an_index_that_is_down_is_503_and_never_empty(make_client: Callable[..., TestClient]) -> None:
    with make_client(search=ScriptedSearch(None)) as client:
        answer = client.get("/api/search?q=x")
        assert answer.status_code == 503 and answer.json()["error"]["code"] == "unavailable"


@pytest.mark.parametrize("query", ["facets=colour", "page=0", "page=99999", "ordering=size", "q=" + "x" * 1001])
def test_wrong_questions_are_refused(make_client: Callable[..., TestClient], query: str) -> None:
    with make_client(search=ScriptedSearch(results())) as client:
        assert client.get(f"/api/search?{query}").status_code == 422


def archive(database: Engine, data: EventData, *, runid: str | None = None) -> None:
    event = new_event(data, source="/docuelevate/functions/convert", runid=runid)
    row = ArchivedEvent(
        source=event.source,
        id=event.id,
        type=event.type,
        subject=event.subject,
        document_id=data.document_id,
        runid=event.runid,
        time=event.time,
        recorded_at=event.time,
        body=event.to_json(),
    )
    with writing(database) as session:
        session.add(row)


def failed(document_id: str) -> DocumentFailed:
    return DocumentFailed(
        document_id=document_id, step="convert", code="corrupt", message="It is damaged.", hint="x", retryable=False
    )


def test_the_timeline_tells_what_happened(client: TestClient, library: Library, database: Engine) -> None:
    document_id = library.received()
    with writing(database) as session:
        runid = session.get_one(Document, document_id).runid
    archive(database, failed(document_id), runid=runid)
    archive(database, failed(document_id), runid="an-older-run")
    now, before = client.get(f"/api/documents/{document_id}/events").json()["results"]
    assert now["summary"] == "It is damaged." and now["step"] == "convert" and now["current_run"]
    assert not before["current_run"]


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("", 1),
        ("type=document.failed", 1),
        ("type=org.docuelevate.document.failed.v1", 1),
        ("type=document.received", 0),
        ("source=/docuelevate/functions/convert", 1),
        ("source=x", 0),
        ("runid=r", 1),
        ("since=2020-01-01", 1),
        ("until=2020-01-01", 0),
    ],
)
def test_the_archive_and_its_filters(
    client: TestClient, library: Library, database: Engine, query: str, count: int
) -> None:
    archive(database, failed(library.received("mine.txt")), runid="r")
    answer = client.get(f"/api/events?{query}").json()
    assert answer["count"] == len(answer["results"]) == count


def test_the_description_names_every_route_and_method(client: TestClient) -> None:
    description = client.get("/api/openapi.json").json()
    assert description["openapi"].startswith("3.1")
    described = {
        (method.upper(), path)
        for path, operations in description["paths"].items()
        for method in operations
        if method != "parameters"
    }
    served = {
        (method, route.path)
        for route in api_routes()
        if isinstance(route, Guarded) and route.include_in_schema
        for method in route.operations
    }
    assert described == served


def test_the_description_refers_to_nothing_that_is_not_there(client: TestClient) -> None:
    description = client.get("/api/openapi.json").json()
    text = json.dumps(description)
    for reference in {part.split('"')[0] for part in text.split('"#/components/schemas/')[1:]}:
        assert reference in description["components"]["schemas"]
    operations = [each for path in description["paths"].values() for name, each in path.items() if name != "parameters"]
    assert all(operation["summary"] for operation in operations)
    assert len({operation["operationId"] for operation in operations}) == len(operations)


def test_the_page_on_the_api_asks_nobody_else(client: TestClient) -> None:
    page = client.get("/docs").text
    assert "/api/documents/{id}/original" in page and "http://" not in page and "https://" not in page
    assert client.get("/docs/style.css").headers["content-type"].startswith("text/css")


def test_ready_names_every_dependency(make_client: Callable[..., TestClient]) -> None:
    with make_client(search=ScriptedSearch(results()), broker_url="http://127.0.0.1:1/") as client:
        answer = client.get("/api/ready")
    assert answer.status_code == 200 and answer.json()["status"] == "degraded"
    states = {name: state["ok"] for name, state in answer.json()["dependencies"].items()}
    assert states == {"database": True, "object_store": True, "search": True, "broker": False}
