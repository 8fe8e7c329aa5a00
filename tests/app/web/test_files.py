"""The bytes of a document: headers, ranges, conditions, and what is not there yet."""

from collections.abc import Callable

import pytest
from starlette.testclient import TestClient

from shared.metadata import Metadata
from tests.app.web.conftest import Library, digest, read_value

BODY = bytes(range(100))
TAG = f'"{digest(BODY)}"'


@pytest.fixture
def original(client: TestClient, library: Library) -> str:
    return f"/api/documents/{library.received('data.bin', BODY)}/original"


@pytest.mark.parametrize(
    ("headers", "status", "body", "content_range"),
    [
        ({}, 200, BODY, None),
        ({"Range": "bytes=0-9"}, 206, BODY[:10], "bytes 0-9/100"),
        ({"Range": "bytes=90-"}, 206, BODY[90:], "bytes 90-99/100"),
        ({"Range": "bytes=-10"}, 206, BODY[90:], "bytes 90-99/100"),
        ({"Range": "bytes=-1000"}, 206, BODY, "bytes 0-99/100"),
        ({"Range": "bytes=99-5000"}, 206, BODY[99:], "bytes 99-99/100"),
        ({"Range": "bytes=0-0"}, 206, BODY[:1], "bytes 0-0/100"),
        ({"Range": "bytes=100-"}, 416, None, "bytes */100"),
        ({"Range": "bytes=-0"}, 416, None, "bytes */100"),
        ({"Range": "bytes=9-0"}, 200, BODY, None),
        ({"Range": "bytes=0-1,3-4"}, 200, BODY, None),
        ({"Range": "bytes=" + "0-," * 1000 + "0-"}, 200, BODY, None),
        ({"Range": "items=0-1"}, 200, BODY, None),
        ({"Range": "bytes=x"}, 200, BODY, None),
        ({"Range": "bytes=-"}, 200, BODY, None),
        ({"Range": "bytes=" + "9" * 40 + "-"}, 200, BODY, None),
        ({"Range": "bytes=0-9", "If-Range": TAG}, 206, BODY[:10], "bytes 0-9/100"),
        ({"Range": "bytes=0-9", "If-Range": '"other"'}, 200, BODY, None),
        ({"Range": "bytes=0-9", "If-Range": "Wed, 21 Oct 2015 07:28:00 GMT"}, 200, BODY, None),
        ({"If-None-Match": TAG}, 304, b"", None),
        ({"If-None-Match": f'"x", W/{TAG}'}, 304, b"", None),
        ({"If-None-Match": "*"}, 304, b"", None),
        ({"If-None-Match": '"x"'}, 200, BODY, None),
    ],
)
def test_ranges_and_conditions(
    client: TestClient,
    original: str,
    headers: dict[str, str],
    status: int,
    body: bytes | None,
    content_range: str | None,
) -> None:
    answer = client.get(original, headers=headers)
    assert answer.status_code == status
    assert answer.headers.get("content-range") == content_range
    if body is not None:
        assert answer.content == body and answer.headers["etag"] == TAG


def test_head_tells_the_size_and_sends_nothing(client: TestClient, original: str) -> None:
    answer = client.head(original)
    assert answer.status_code == 200 and answer.content == b"" and answer.headers["content-length"] == "100"
    assert answer.headers["accept-ranges"] == "bytes"


def test_the_original_is_a_download_in_which_nothing_runs(client: TestClient, library: Library) -> None:
    page = library.received("“März”; x.html", b"<script>alert(1)</script>")
    headers = client.get(f"/api/documents/{page}/original").headers
    assert headers["content-disposition"] == (
        "attachment; filename=\"Marz_ x.html\"; filename*=UTF-8''%E2%80%9CM%C3%A4rz%E2%80%9D%3B%20x.html"
    )
    assert "sandbox" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff" and headers["cache-control"] == "private, no-store"


def test_the_searchable_pdf_goes_before_the_converted_one(client: TestClient, library: Library) -> None:
    document_id = library.ready("Brief.docx")
    answer = client.get(f"/api/documents/{document_id}/pdf")
    assert answer.content == b"%PDF-searchable" and answer.headers["content-type"] == "application/pdf"
    assert answer.headers["content-disposition"].startswith('inline; filename="Brief.pdf"')
    assert client.get(f"/api/documents/{document_id}/pdf", headers={"Range": "bytes=0-3"}).content == b"%PDF"
    library.change(document_id, recognized=None)
    assert client.get(f"/api/documents/{document_id}/pdf").content == b"%PDF-converted"


@pytest.mark.parametrize("part", ["pdf", "text", "text?format=plain", "thumbnail"])
def test_what_is_still_being_made_is_not_ready(client: TestClient, library: Library, part: str) -> None:
    answer = client.get(f"/api/documents/{library.received()}/{part}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_ready")


def test_an_object_that_is_gone_is_not_ready(client: TestClient, library: Library) -> None:
    document_id = library.ready()
    library.store.delete(f"documents/{document_id}/ocr/r/1/searchable.pdf")
    answer = client.get(f"/api/documents/{document_id}/pdf")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_ready")


def test_text_with_words_and_plain(client: TestClient, library: Library) -> None:
    here = f"/api/documents/{library.ready(text='Grüße')}/text"
    assert client.get(here).json()["pages"][0]["text"] == "Grüße"
    plain = client.get(f"{here}?format=plain")
    assert plain.text == "Grüße" and plain.headers["content-type"] == "text/plain; charset=utf-8"
    assert client.get(f"{here}?format=xml").status_code == 422


def test_the_thumbnail_may_be_kept_but_is_asked_for(client: TestClient, library: Library) -> None:
    answer = client.get(f"/api/documents/{library.ready()}/thumbnail")
    assert answer.content == b"RIFF-webp" and answer.headers["content-type"] == "image/webp"
    assert answer.headers["cache-control"] == "private, no-cache" and answer.headers["etag"]


def test_the_sidecar_holds_metadata_and_names_its_document(client: TestClient, library: Library) -> None:
    document_id = library.ready("Brief.docx", metadata=Metadata(title=read_value("Ein Brief")))
    answer = client.get(f"/api/documents/{document_id}/metadata")
    assert answer.json()["title"]["value"] == "Ein Brief" and answer.json()["document_id"] == document_id
    assert 'filename="Brief.json"' in answer.headers["content-disposition"]


def test_a_large_object_is_sent_whole(make_client: Callable[..., TestClient], library: Library) -> None:
    body = bytes(1_500_001)
    document_id = library.received("zeros.bin", body)
    with make_client() as client:
        assert client.get(f"/api/documents/{document_id}/original").content == body
