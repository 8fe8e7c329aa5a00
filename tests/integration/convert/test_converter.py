"""Whole conversions in real jailed processes, with the real LibreOffice."""

import os
import signal
import socket
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pypdfium2
import pytest

from functions.convert.converter import Converter
from functions.convert.core import Conversion, ConversionLimits
from functions.convert.office import LibreOfficeConverter
from functions.convert.settings import ConvertSettings
from shared.errors import FailureCode, StepFailed, Unavailable
from tests.servers.docuelevate import descendants

SETTINGS = ConvertSettings()
PROGRAM = Path(SETTINGS.libreoffice_program)
LIMITS = ConversionLimits()


@pytest.fixture(scope="module")
def converter() -> Iterator[Converter]:
    office = LibreOfficeConverter(program=PROGRAM, python=Path(SETTINGS.libreoffice_python))
    converter = Converter(office)
    yield converter
    converter.close()


def convert(
    converter: Converter, tmp_path: Path, data: bytes, name: str, seconds: float = 120
) -> tuple[Conversion, str]:
    source, output = tmp_path / "source", tmp_path / "output.pdf"
    source.write_bytes(data)
    result = converter.convert(source, name, "", output, limits=LIMITS, timeout_seconds=seconds)
    assert source.read_bytes() == data
    with pypdfium2.PdfDocument(output) as pdf:
        text = "\n".join(page.get_textpage().get_text_bounded() for page in pdf)
        assert len(pdf) == result.pages
    return result, " ".join(text.split())


def flat_document(body: str, kind: str = "text") -> bytes:
    """A flat OpenDocument file."""
    spaces = " ".join(f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for name in ("office", "text"))
    mimetype = f"application/vnd.oasis.opendocument.{kind}"
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><office:document {spaces} '
        f'xmlns:xlink="http://www.w3.org/1999/xlink" office:version="1.3" office:mimetype="{mimetype}">'
        f"<office:body><office:{kind}>{body}</office:{kind}></office:body></office:document>"
    ).encode()


def workbook(path: Path, rows: list[list[str]]) -> bytes:
    """A minimal .xlsx with inline strings."""
    cells = "".join(
        "<row>" + "".join(f'<c t="inlineStr"><is><t>{cell}</t></is></c>' for cell in row) + "</row>" for row in rows
    )
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    links = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package_links = "http://schemas.openxmlformats.org/package/2006/relationships"
    sheet_type = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    with zipfile.ZipFile(path, "w") as package:
        package.writestr(
            "[Content_Types].xml",
            '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
            '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            f'<Override PartName="/xl/workbook.xml" ContentType="{sheet_type}.sheet.main+xml"/>'
            f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{sheet_type}.worksheet+xml"/></Types>',
        )
        package.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{package_links}"><Relationship Id="r1" Type="{links}/officeDocument" '
            'Target="xl/workbook.xml"/></Relationships>',
        )
        package.writestr(
            "xl/workbook.xml",
            f'<workbook xmlns="{main}" xmlns:r="{links}">'
            '<sheets><sheet name="S" sheetId="1" r:id="r1"/></sheets></workbook>',
        )
        package.writestr(
            "xl/_rels/workbook.xml.rels",
            f'<Relationships xmlns="{package_links}"><Relationship Id="r1" Type="{links}/worksheet" '
            'Target="worksheets/sheet1.xml"/></Relationships>',
        )
        package.writestr(
            "xl/worksheets/sheet1.xml", f'<worksheet xmlns="{main}"><sheetData>{cells}</sheetData></worksheet>'
        )
    return path.read_bytes()


def test_plain_text_keeps_its_words_in_every_script(converter: Converter, tmp_path: Path) -> None:
    words = "Grüße Привет Γειά こんにちは 你好 नमस्ते สวัสดี"
    result, text = convert(converter, tmp_path, f"{words}\n".encode(), "note.txt")
    assert (result.converter, result.media_type) == ("weasyprint", "text/plain")
    assert all(word in text for word in words.split())


def test_a_web_page_fetches_nothing(converter: Converter, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}/"
        page = f"<img src='{address}'><style>@import '{address}';</style><p style=\"background:url({address})\">words"
        _, text = convert(converter, tmp_path, page.encode(), "page.html")
        server.setblocking(False)
        with pytest.raises(BlockingIOError):
            server.accept()
    assert "words" in text


def test_the_content_wins_over_the_name_and_says_so(converter: Converter, tmp_path: Path) -> None:
    result, text = convert(converter, tmp_path, b"<html><body><p>an error page", "invoice.pdf")
    assert result.media_type == "text/html"
    assert [warning.code for warning in result.warnings] == ["type_differs"]
    assert "an error page" in text


def test_a_mail_shows_headers_and_body(converter: Converter, tmp_path: Path) -> None:
    mail = b"From: ada@example.org\r\nSubject: Hello\r\nMIME-Version: 1.0\r\n\r\nthe body\r\n"
    _, text = convert(converter, tmp_path, mail, "a.eml")
    assert all(word in text for word in ("ada@example.org", "Hello", "the body"))


def test_a_failure_of_one_document_leaves_nothing_for_the_next(converter: Converter, tmp_path: Path) -> None:
    with pytest.raises(StepFailed) as caught:
        convert(converter, tmp_path, b"%PDF-1.4 nothing", "a.pdf")
    assert caught.value.code is FailureCode.CORRUPT
    assert convert(converter, tmp_path, b"words", "a.txt")[1] == "words"


def test_running_out_of_time_is_not_determined(converter: Converter, tmp_path: Path) -> None:
    page = "<table>" + "<tr><td>cell" * 20_000
    with pytest.raises(StepFailed) as caught:
        convert(converter, tmp_path, page.encode(), "a.html", seconds=1)
    assert caught.value.code is FailureCode.CONVERSION_TIMEOUT
    assert not caught.value.determined


def test_a_missing_libreoffice_is_said_so_and_not_determined(tmp_path: Path) -> None:
    converter = Converter(LibreOfficeConverter(program=tmp_path / "none", python=Path("/usr/bin/python3")))
    try:
        with pytest.raises(StepFailed) as caught:
            convert(converter, tmp_path, b"{\\rtf1 hello}", "a.rtf")
    finally:
        converter.close()
    assert caught.value.code is FailureCode.CONVERTER_UNAVAILABLE
    assert not caught.value.determined


def test_an_office_file_keeps_its_words(converter: Converter, tmp_path: Path) -> None:
    result, text = convert(converter, tmp_path, flat_document("<text:p>Sehr geehrte Damen</text:p>"), "letter.fodt")
    assert result.converter == "libreoffice"
    assert "Sehr geehrte Damen" in text


def test_no_column_of_a_wide_sheet_is_lost(converter: Converter, tmp_path: Path) -> None:
    rows = [[f"r{row}c{column}" for column in range(60)] for row in range(3)]
    result, text = convert(converter, tmp_path, workbook(tmp_path / "w.xlsx", rows), "wide.xlsx")
    assert all(cell in text for row in rows for cell in row)
    assert result.pages < 10


def test_a_linked_local_file_does_not_get_into_the_pdf(converter: Converter, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("topsecret")
    section = (
        f'<text:section text:name="s"><text:section-source xlink:href="file://{tmp_path}/secret.txt"/>'
        "<text:p>inside</text:p></text:section><text:p>words</text:p>"
    )
    _, text = convert(converter, tmp_path, flat_document(section), "link.fodt")
    assert "words" in text
    assert "topsecret" not in text


def test_a_large_table_goes_through_the_spreadsheet_with_its_text_unchanged(
    converter: Converter, tmp_path: Path
) -> None:
    rows = "".join(f"{number},0{number},1-2,text {number}\n" for number in range(5000))
    result, text = convert(converter, tmp_path, f"id,code,range,name\n{rows}".encode(), "large.csv")
    assert result.converter == "libreoffice"
    assert all(word in text for word in ("04999", "1-2", "text 4999"))


def test_libreoffice_is_replaced_after_its_files(tmp_path: Path) -> None:
    office = LibreOfficeConverter(program=PROGRAM, python=Path(SETTINGS.libreoffice_python), max_files=1)
    converter = Converter(office)
    try:
        for number in range(2):
            _, text = convert(converter, tmp_path, b"{\\rtf1 file %d}" % number, "a.rtf")
            assert text == f"file {number}"
    finally:
        converter.close()


def test_a_libreoffice_that_was_killed_is_not_held_against_the_document(tmp_path: Path) -> None:
    others = set(running("soffice.bin"))
    office = LibreOfficeConverter(program=PROGRAM, python=Path(SETTINGS.libreoffice_python))
    converter = Converter(office)
    try:
        convert(converter, tmp_path, b"{\\rtf1 before}", "a.rtf")
        (program,) = set(running("soffice.bin")) - others
        scratch = Path(f"/proc/{program}/cwd").resolve()
        # Stopped first, so that the kill surely comes in the middle of the work.
        os.kill(program, signal.SIGSTOP)
        threading.Thread(target=kill_once, args=(program, scratch / "source.rtf")).start()
        with pytest.raises(Unavailable):
            convert(converter, tmp_path, b"{\\rtf1 during}", "b.rtf")
        _, text = convert(converter, tmp_path, b"{\\rtf1 after}", "c.rtf")
        assert text == "after"
    finally:
        converter.close()


def test_a_worker_that_was_killed_is_not_held_against_the_document(converter: Converter, tmp_path: Path) -> None:
    convert(converter, tmp_path, b"before", "a.txt")
    worker = next(iter(running("functions.convert.worker")))
    os.kill(worker, signal.SIGSTOP)
    threading.Timer(5.0, os.kill, (worker, signal.SIGKILL)).start()
    with pytest.raises(Unavailable):
        convert(converter, tmp_path, b"during", "b.txt")
    assert convert(converter, tmp_path, b"after", "c.txt")[1] == "after"


def running(program: str) -> list[int]:
    """Our processes that run this. Numbers are used again during a long run, so they say nothing of age."""
    return [pid for pid in descendants(os.getpid()) if program in command_line(pid)]


def kill_once(pid: int, there: Path) -> None:
    """Kill a stopped process as soon as a file is there."""
    while not there.exists():
        time.sleep(0.05)
    time.sleep(0.2)
    os.kill(pid, signal.SIGKILL)


def command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""
