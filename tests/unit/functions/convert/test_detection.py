"""The content decides what a file is; its name only tells kinds of text apart."""

import io
import zipfile
from pathlib import Path

import pytest

from functions.convert.core import ConversionLimits, Kind, SourceType, name_differs
from functions.convert.detection import detect
from shared.errors import FailureCode, StepFailed

LIMITS = ConversionLimits()
WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


def kind_of(tmp_path: Path, data: bytes, name: str = "file", hint: str = "") -> SourceType:
    path = tmp_path / "source"
    path.write_bytes(data)
    return detect(path, name, hint, LIMITS)


def code_of(tmp_path: Path, data: bytes, name: str = "file") -> FailureCode:
    with pytest.raises(StepFailed) as caught:
        kind_of(tmp_path, data, name)
    return caught.value.code


def zipped(**entries: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as package:
        for name, content in entries.items():
            package.writestr(name, content)
    return buffer.getvalue()


def docx() -> bytes:
    types = f'<Types><Override PartName="/word/document.xml" ContentType="{WORD}.main+xml"/></Types>'
    return zipped(**{"[Content_Types].xml": types, "word/document.xml": "<w/>"})


@pytest.mark.parametrize(
    ("data", "name", "kind", "suffix"),
    [
        (b"%PDF-1.7\n", "a.txt", Kind.PDF, ".pdf"),
        (b"junk\n" * 100 + b"%PDF-1.4\n", "a", Kind.PDF, ".pdf"),
        (b"\x89PNG\r\n\x1a\n" + bytes(20), "a.jpg", Kind.IMAGE, ".png"),
        (b"\xff\xd8\xff\xe0" + bytes(20), "a.pdf", Kind.IMAGE, ".jpg"),
        (b"II*\x00" + bytes(20), "a", Kind.IMAGE, ".tif"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "a", Kind.IMAGE, ".webp"),
        (b"\x00\x00\x00\x18ftypheic" + bytes(12), "a.jpg", Kind.IMAGE, ".heic"),
        (b"{\\rtf1 hello}", "a.doc", Kind.OFFICE, ".rtf"),
        (b"just some words\n", "a.pdf", Kind.TEXT, ".txt"),
        (b"a,b\n1,2\n", "a.csv", Kind.TABLE, ".csv"),
        (b"a\tb\n", "a.tsv", Kind.TABLE, ".tsv"),
        (b"# Title\n", "a.md", Kind.MARKDOWN, ".md"),
        (b"<!DOCTYPE html><p>x", "a.xls", Kind.HTML, ".html"),
        (b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'/>", "a", Kind.SVG, ".svg"),
        (b"<?xml version='1.0'?><invoice/>", "a.xml", Kind.TEXT, ".xml"),
        (b'{"a": 1}', "a.json", Kind.TEXT, ".json"),
        (b"From: a@b\r\nTo: c@d\r\nSubject: x\r\nMIME-Version: 1.0\r\n\r\nhi", "a", Kind.MAIL, ".eml"),
        (b"From: me\nTo: you\nSubject: x\n\nhi", "letter.txt", Kind.TEXT, ".txt"),
    ],
)
def test_content_decides(tmp_path: Path, data: bytes, name: str, kind: Kind, suffix: str) -> None:
    found = kind_of(tmp_path, data, name)
    assert (found.kind, found.suffix) == (kind, suffix)


def test_a_word_document_is_known_under_any_name(tmp_path: Path) -> None:
    found = kind_of(tmp_path, docx(), "letter.doc")
    assert (found.kind, found.media_type, found.suffix) == (Kind.OFFICE, WORD, ".docx")


def test_the_senders_media_type_helps_only_for_text_without_an_ending(tmp_path: Path) -> None:
    assert kind_of(tmp_path, b"a,b\n", "export", "text/csv").kind is Kind.TABLE
    assert kind_of(tmp_path, b"%PDF-1.7", "export", "text/csv").kind is Kind.PDF


@pytest.mark.parametrize("data", [b"", b"  \n\t ", b"\xef\xbb\xbf", b"\x00" * 100])
def test_nothing_is_empty(tmp_path: Path, data: bytes) -> None:
    assert code_of(tmp_path, data) is FailureCode.EMPTY


def test_unknown_binary_data_are_unsupported_or_corrupt_by_what_the_name_promises(tmp_path: Path) -> None:
    noise = bytes(range(256)) * 10
    assert code_of(tmp_path, noise, "a.bin") is FailureCode.UNSUPPORTED_TYPE
    assert code_of(tmp_path, noise, "a.docx") is FailureCode.CORRUPT


def test_an_archive_is_unsupported(tmp_path: Path) -> None:
    assert code_of(tmp_path, zipped(readme="hello"), "a.zip") is FailureCode.UNSUPPORTED_TYPE


def test_a_cut_off_package_is_corrupt(tmp_path: Path) -> None:
    assert code_of(tmp_path, docx()[:60], "a.docx") is FailureCode.CORRUPT


def test_an_encrypted_opendocument_asks_for_its_password(tmp_path: Path) -> None:
    mimetype = "application/vnd.oasis.opendocument.text"
    data = zipped(**{"mimetype": mimetype, "META-INF/manifest.xml": "<m><manifest:encryption-data/></m>"})
    assert code_of(tmp_path, data) is FailureCode.ENCRYPTED


def test_a_package_that_unpacks_to_too_much_is_refused_by_its_directory(tmp_path: Path) -> None:
    path = tmp_path / "bomb"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package,
        package.open("word/document.xml", "w", force_zip64=True) as stream,
    ):
        for _ in range(110):
            stream.write(bytes(1024 * 1024))
    with pytest.raises(StepFailed) as caught:
        detect(path, "a.docx", "", LIMITS)
    assert caught.value.code is FailureCode.DECOMPRESSION_BOMB


@pytest.mark.parametrize(
    ("suffix", "found", "differs"),
    [
        (".doc", SourceType(Kind.OFFICE, WORD, ".docx"), True),
        (".docm", SourceType(Kind.OFFICE, WORD, ".docx"), False),
        (".JPEG", SourceType(Kind.IMAGE, "image/jpeg", ".jpg"), False),
        (".pdf", SourceType(Kind.TEXT, "text/plain", ".txt"), True),
        (".txt", SourceType(Kind.PDF, "application/pdf", ".pdf"), False),
        ("", SourceType(Kind.PDF, "application/pdf", ".pdf"), False),
    ],
)
def test_a_name_that_promises_another_type_is_noticed(suffix: str, found: SourceType, differs: bool) -> None:
    assert name_differs(suffix, found) is differs
