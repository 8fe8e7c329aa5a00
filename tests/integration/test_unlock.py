"""An encrypted original: the password is tried at once, the opened copy is used, and no trace of it is kept."""

import io
from collections.abc import Iterator
from pathlib import Path

import pikepdf
import pytest

from tests.servers.docuelevate import Instance, running

PASSWORD = "correct horse battery"


def encrypted() -> bytes:
    pdf = pikepdf.new()
    page = pdf.add_blank_page()
    page.Contents = pdf.make_stream(b"BT /F1 24 Tf 72 700 Td (The treasure is buried on the island) Tj ET")
    font = pikepdf.Dictionary(Type=pikepdf.Name.Font, Subtype=pikepdf.Name.Type1, BaseFont=pikepdf.Name.Helvetica)
    page.Resources = pikepdf.Dictionary(Font=pikepdf.Dictionary(F1=font))
    out = io.BytesIO()
    pdf.save(out, encryption=pikepdf.Encryption(user=PASSWORD, owner=PASSWORD))
    return out.getvalue()


def content(file: Path) -> bytes:
    """Nothing for a directory, and for a file that was taken away after it was listed."""
    try:
        return file.read_bytes()
    except (FileNotFoundError, IsADirectoryError):
        return b""


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    with running(tmp_path_factory.mktemp("unlock") / "data") as started:
        yield started


def test_a_password_opens_the_document_and_leaves_no_trace(instance: Instance) -> None:
    body = encrypted()
    [uploaded] = instance.upload(("secret.pdf", body))
    path = f"/api/documents/{uploaded['id']}"
    [document] = instance.settled(uploaded["id"])
    assert document["failure"]["code"] == "encrypted"
    assert document["failure"]["actions"][0] == "unlock"

    wrong = instance.client.post(f"{path}/unlock", json={"password": "guess"})
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (422, "wrong_password")

    right = instance.client.post(f"{path}/unlock", json={"password": PASSWORD})
    assert right.status_code == 202
    [document] = instance.settled(uploaded["id"])
    assert document["status"] == "ready"
    assert "treasure" in instance.client.get(f"{path}/text?format=plain").text
    assert instance.client.get(f"{path}/original").content == body
    assert document["runid"] == right.json()["runid"]

    kept = b"".join(content(file) for file in instance.data.rglob("*") if not file.name.endswith(".pdf"))
    assert PASSWORD.encode() not in kept
    assert PASSWORD not in (instance.data.parent / "data.log").read_text()


def test_a_document_of_nobody_is_not_found(instance: Instance) -> None:
    answer = instance.client.post("/api/documents/01890a5d-ac96-774b-bcce-b302099a8057/unlock", json={"password": "x"})
    assert answer.status_code == 404
