"""GET /api/documents, facets and detail: filters, orderings, cursors."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine
from starlette.testclient import TestClient

from shared.documents import Notice
from shared.metadata import DocumentType, Metadata, Money, Value
from tests.app.web.conftest import Library, read_value

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def database(engine: Engine) -> Engine:
    return engine


@pytest.fixture
def shelf(library: Library) -> Library:
    """Four documents that differ in everything that lists filter and sort by."""
    invoice = Metadata(
        title=read_value("Invoice 7"),
        document_type=Value[DocumentType](value=DocumentType.INVOICE, origin="rule"),
        sender=read_value("Müller GmbH"),
        document_date=Value[str](value="2026-01-31", origin="rule"),
        language=read_value("de"),
        tags=(read_value("paid"), read_value("car")),
        total=Value[Money](value=Money(value="12.50", currency="EUR"), origin="rule"),
    )
    letter = Metadata(
        title=read_value("a letter"),
        document_type=Value[DocumentType](value=DocumentType.LETTER, origin="rule"),
        document_date=Value[str](value="2025-06-01", origin="rule"),
        tags=(read_value("car"),),
    )
    ids = [
        library.ready("invoice-7.pdf", metadata=invoice),
        library.ready("letter.txt", metadata=letter),
        library.received("Unread100%.bin", b"0123456789" * 10),
        library.ready("broken-9.doc"),
    ]
    for number, document_id in enumerate(ids):
        library.received_at(document_id, NOON + timedelta(days=number))
    library.change(ids[3], status="attention", code="ocr_failed", message="It failed.", hint="Try again.")
    library.received("theirs.txt", owner="somebody")
    return library


def names(client: TestClient, query: str) -> list[str]:
    answer = client.get(f"/api/documents?{query}")
    assert answer.status_code == 200, answer.text
    return [document["filename"] for document in answer.json()["results"]]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", "broken Unread letter invoice"),
        ("status=ready", "letter invoice"),
        ("status=processing", "Unread"),
        ("status=attention", "broken"),
        ("status=trashed", ""),
        ("trashed=true", ""),
        ("document_type=invoice", "invoice"),
        ("tag=car", "letter invoice"),
        ("tag=car&tag=paid", "invoice"),
        ("tag=car&tag=none", ""),
        ("sender=M%C3%BCller+GmbH", "invoice"),
        ("language=de", "invoice"),
        ("date_from=2026-01-31", "invoice"),
        ("date_to=2025-12-31", "letter"),
        ("date_from=2025-06-01&date_to=2025-06-01", "letter"),
        ("received_from=2026-03-03", "broken Unread"),
        ("received_to=2026-03-02", "letter invoice"),
        ("received_from=2026-03-02T12:00:00%2B00:00&received_to=2026-03-02T13:00:00Z", "letter"),
        ("q=letter", "letter"),
        ("q=INVOICE", "invoice"),
        ("q=M%C3%9CLLER", "invoice"),
        ("q=invoice+7", "invoice"),
        ("q=invoice+8", ""),
        ("q=100%25", "Unread"),
        ("q=_", ""),
    ],
)
def test_filters(client: TestClient, shelf: Library, query: str, expected: str) -> None:
    assert [re.split(r"\W|\d", name)[0] for name in names(client, query)] == expected.split()


@pytest.mark.parametrize(
    ("ordering", "expected"),
    [
        ("received", "invoice-7.pdf letter.txt Unread100%.bin broken-9.doc"),
        ("-received", "broken-9.doc Unread100%.bin letter.txt invoice-7.pdf"),
        ("filename", "broken-9.doc invoice-7.pdf letter.txt Unread100%.bin"),
        ("title", "letter.txt broken-9.doc invoice-7.pdf Unread100%.bin"),
        ("-title", "Unread100%.bin invoice-7.pdf broken-9.doc letter.txt"),
        ("size", "letter.txt broken-9.doc invoice-7.pdf Unread100%.bin"),
        ("changed_at", "invoice-7.pdf letter.txt Unread100%.bin broken-9.doc"),
    ],
)
def test_orderings_page_by_page(client: TestClient, shelf: Library, ordering: str, expected: str) -> None:
    found, path, pages = [], f"/api/documents?ordering={ordering}&page_size=1", []
    while path:
        page = client.get(path).json()
        assert page["count"] == 4
        found += [document["filename"] for document in page["results"]]
        pages.append(page)
        path = page["next"]
    assert found == expected.split()
    back = [client.get(page["previous"]).json()["results"][0]["filename"] for page in pages[1:]]
    assert back == found[:-1] and pages[0]["previous"] is None
    assert client.get(pages[1]["previous"]).json()["previous"] is None


@pytest.mark.parametrize("ordering", ["document_date", "-document_date"])
def test_documents_without_a_date_come_last(client: TestClient, shelf: Library, ordering: str) -> None:
    dated = ["letter.txt", "invoice-7.pdf"]
    assert names(client, f"ordering={ordering}")[:2] == (dated if ordering == "document_date" else dated[::-1])


def test_a_page_stands_still_while_documents_arrive(client: TestClient, shelf: Library) -> None:
    first = client.get("/api/documents?page_size=2").json()
    shelf.received("newest.txt")
    second = client.get(first["next"]).json()
    assert [document["filename"] for document in second["results"]] == ["letter.txt", "invoice-7.pdf"]


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("cursor=rubbish", 400, "invalid_cursor"),
        ("cursor=%00", 400, "bad_request"),
        ("q=a%00b", 400, "bad_request"),
        ("cursor=WyJ0aXRsZSIsIngiLCJ4IixmYWxzZV0", 400, "invalid_cursor"),
        ("cursor=WyItcmVjZWl2ZWQiLCJ4IiwieCIsZmFsc2Vd", 400, "invalid_cursor"),
        ("page_size=0", 422, "invalid_parameter"),
        ("page_size=-1", 422, "invalid_parameter"),
        ("page_size=x", 422, "invalid_parameter"),
        ("ordering=owner", 422, "invalid_parameter"),
        ("status=lost", 422, "invalid_parameter"),
        ("document_type=x", 422, "invalid_parameter"),
        ("date_from=31.01.2026", 422, "invalid_parameter"),
        ("received_from=now", 422, "invalid_parameter"),
        ("trashed=perhaps", 422, "invalid_parameter"),
        ("q=" + "x" * 1001, 422, "invalid_parameter"),
    ],
)
def test_wrong_parameters_are_named(client: TestClient, query: str, status: int, code: str) -> None:
    answer = client.get(f"/api/documents?{query}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_a_page_has_at_most_200_results(client: TestClient) -> None:
    assert client.get("/api/documents?page_size=5000").status_code == 200


def test_a_summary_says_what_a_row_needs(client: TestClient, shelf: Library) -> None:
    (invoice,) = client.get("/api/documents?document_type=invoice").json()["results"]
    assert invoice["total"] == {"value": "12.50", "currency": "EUR"} and invoice["tags"] == ["car", "paid"]
    assert invoice["progress"] is None and invoice["links"]["pdf"].endswith("/pdf")
    (unread,) = client.get("/api/documents?status=processing").json()["results"]
    assert unread["progress"]["step"] == "convert" and unread["links"]["pdf"] is None


def test_facets_count_the_documents_that_pass_the_filters(client: TestClient, shelf: Library) -> None:
    facets = client.get("/api/facets").json()
    assert facets["tag"] == [{"value": "car", "count": 2}, {"value": "paid", "count": 1}]
    assert {each["value"] for each in facets["year"]} == {"2025", "2026"}
    assert client.get("/api/facets?document_type=letter").json()["tag"] == [{"value": "car", "count": 1}]


def test_detail_tells_steps_failure_and_versions(client: TestClient, shelf: Library) -> None:
    (broken,) = client.get("/api/documents?status=attention").json()["results"]
    notice = Notice(code="fonts_missing", message="A font was replaced.")
    shelf.change(broken["id"], warnings=[notice.model_dump(mode="json")])
    answer = client.get(broken["links"]["self"])
    document = answer.json()
    assert [step["step"] for step in document["steps"]] == ["convert", "ocr", "enrich"]
    assert document["failure"]["code"] == "ocr_failed" and document["failure"]["actions"][0] == "retry"
    assert document["warnings"][0]["code"] == "fonts_missing"
    assert [version["kind"] for version in document["versions"]] == ["original", "pdf", "searchable_pdf", "text"]
    assert answer.headers["etag"] == f'"{document["version"]}"'


@pytest.mark.parametrize("part", ["", "/original", "/pdf", "/text", "/thumbnail", "/metadata", "/events"])
def test_anothers_document_is_as_unknown_as_none(client: TestClient, library: Library, part: str) -> None:
    theirs = library.received("theirs.txt", owner="somebody")
    unknown = "00000000-0000-4000-8000-000000000000"
    for document_id in (theirs, unknown, "..%2F..", "x"):
        answer = client.get(f"/api/documents/{document_id}{part}")
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


def test_status_counts(client: TestClient, shelf: Library) -> None:
    answer = client.get("/api/status").json()
    assert answer["documents"] == {"processing": 1, "ready": 2, "attention": 1, "trashed": 0}
    assert answer["outbox"] == 5
