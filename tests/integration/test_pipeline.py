"""The whole product over real files: every kind goes in, comes out searchable, and is found."""

import hashlib
import io
from collections.abc import Iterator

import pikepdf
import pypdfium2
import pytest

from tests.papers import INVOICE, LETTER, docx, png, scan
from tests.servers.docuelevate import SETTLE_SECONDS, Instance, running, wait_for

FILES = {
    "letter.txt": LETTER.encode(),
    "invoice.png": png(INVOICE),
    "scan.pdf": scan([LETTER, INVOICE]),
    "note.docx": docx("The quarterly zeppelin inspection is due.", "Signed by Ferdinand."),
    "table.csv": b"item,price\nbrass fitting,12.50\nspare mantle,3.20\n",
    "readme.md": b"# Signal flags\n\nThe *blue peter* means departure.\n",
    "page.html": b"<html><body><h1>Tide tables</h1><p>High water at noon.</p></body></html>",
    "mail.eml": b"From: Ada <ada@example.org>\r\nTo: Bob <bob@example.org>\r\nSubject: Rope order\r\n"
    b"Date: Mon, 3 Mar 2025 10:00:00 +0000\r\n\r\nPlease send forty fathoms of manila rope.\r\n",
}


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    with running(tmp_path_factory.mktemp("pipeline") / "data") as started:
        yield started


@pytest.fixture(scope="module")
def library(instance: Instance) -> dict[str, dict[str, object]]:
    """All files, uploaded in one request and processed."""
    uploaded = instance.upload(*FILES.items())
    documents = instance.settled(*(document["id"] for document in uploaded))
    return {document["filename"]: document for document in documents}


@pytest.mark.parametrize("name", FILES)
def test_every_kind_becomes_ready(library: dict[str, dict[str, object]], name: str) -> None:
    assert library[name]["status"] == "ready", library[name]


@pytest.mark.parametrize("name", FILES)
def test_the_original_comes_back_byte_for_byte(
    instance: Instance, library: dict[str, dict[str, object]], name: str
) -> None:
    body = instance.client.get(f"/api/documents/{library[name]['id']}/original").content
    assert body == FILES[name]
    assert library[name]["sha256"] == hashlib.sha256(body).hexdigest()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("letter.txt", "lighthouse"),
        ("invoice.png", "Rechnungsbetrag"),
        ("scan.pdf", "mantles"),
        ("note.docx", "zeppelin"),
        ("table.csv", "brass"),
        ("readme.md", "departure"),
        ("page.html", "noon"),
        ("mail.eml", "fathoms"),
    ],
)
def test_the_searchable_pdf_has_the_words(
    instance: Instance, library: dict[str, dict[str, object]], name: str, words: str
) -> None:
    body = instance.client.get(f"/api/documents/{library[name]['id']}/pdf").content
    pdf = pypdfium2.PdfDocument(body)
    text = "".join(page.get_textpage().get_text_bounded() for page in pdf)
    assert words in text
    with pikepdf.open(io.BytesIO(body)) as checked:
        assert len(checked.pages) == library[name]["pages"]


@pytest.mark.parametrize(
    ("words", "name", "page"),
    [("zeppelin", "note.docx", 1), ("Umsatzsteuer Beispiel", "scan.pdf", 2), ("fathoms of manila", "mail.eml", 1)],
)
def test_words_are_found_with_their_page(
    instance: Instance, library: dict[str, dict[str, object]], words: str, name: str, page: int
) -> None:
    document_id = library[name]["id"]

    def hit() -> list[dict[str, object]]:
        return [found for found in instance.found(words) if found["id"] == document_id]

    wait_for(lambda: bool(hit()), SETTLE_SECONDS, f"{name} was not found")
    assert page in hit()[0]["page_numbers"]  # type: ignore[operator]


def test_an_invoice_is_understood_with_evidence(library: dict[str, dict[str, object]]) -> None:
    metadata = library["invoice.png"]["metadata"]
    assert isinstance(metadata, dict)
    assert metadata["document_type"]["value"] == "invoice"
    assert metadata["total"]["value"] == {"value": "99.96", "currency": "EUR"}
    assert metadata["document_date"]["value"] == "2025-03-14"
    assert metadata["due_date"]["value"] == "2025-03-28"
    assert metadata["reference_number"]["value"] == "RE-2025-0417"
    assert metadata["total"]["evidence"]["page"] == 1
    assert metadata["total"]["evidence"]["boxes"]


def test_a_copy_of_the_pdf_holds_the_metadata(instance: Instance, library: dict[str, dict[str, object]]) -> None:
    path = f"/api/documents/{library['invoice.png']['id']}/pdf"
    plain, first, again = (instance.client.get(path + query) for query in ("", "?embed=metadata", "?embed=metadata"))
    assert (first.status_code, first.content) == (200, again.content)
    assert plain.content != first.content
    with pikepdf.open(io.BytesIO(first.content)) as pdf:
        assert str(pdf.docinfo["/Title"]) == library["invoice.png"]["title"]
        assert pdf.open_metadata()["dc:title"] == library["invoice.png"]["title"]
    assert instance.client.get(path + "?embed=else").status_code == 422


def test_a_duplicate_upload_stores_nothing(instance: Instance, library: dict[str, dict[str, object]]) -> None:
    before = len(instance.documents())
    response = instance.client.post("/api/documents", files={"file": ("again.txt", FILES["letter.txt"])})
    assert response.status_code == 200
    assert response.json()["documents"][0]["duplicate_of"] == library["letter.txt"]["id"]
    assert len(instance.documents()) == before
    originals = list((instance.data / "documents").glob("*/original"))
    assert len(originals) == before


def test_a_broken_file_says_what_to_do_and_keeps_its_original(instance: Instance) -> None:
    [uploaded] = instance.upload(("broken.pdf", b"%PDF-1.7\nnothing of the kind"))
    [document] = instance.settled(uploaded["id"])
    assert document["status"] == "attention"
    assert document["failure"]["code"] == "corrupt"
    assert document["failure"]["hint"]
    original = instance.client.get(f"/api/documents/{uploaded['id']}/original")
    assert original.content.startswith(b"%PDF-1.7")


def test_a_file_dropped_into_the_folder_becomes_a_document(instance: Instance) -> None:
    (instance.data / "incoming" / "dropped.txt").write_text("A message in a bottle, with a kraken.")
    wait_for(lambda: bool(instance.found("kraken")), SETTLE_SECONDS, "the dropped file was not found")
    assert not (instance.data / "incoming" / "dropped.txt").exists()


def test_a_replayed_event_does_no_work(instance: Instance, library: dict[str, dict[str, object]]) -> None:
    document_id = str(library["invoice.png"]["id"])
    results = sorted((instance.data / "documents" / document_id).rglob("result.json"))
    marks = [path.stat().st_mtime_ns for path in results]
    response = instance.client.post(f"/api/documents/{document_id}/replay", json={"from": "convert"})
    assert response.status_code == 202
    [document] = instance.settled(document_id)
    assert document["status"] == "ready"
    again = sorted((instance.data / "documents" / document_id).rglob("result.json"))
    assert again == results
    assert [path.stat().st_mtime_ns for path in again] == marks
