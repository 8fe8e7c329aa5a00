"""Conversion through Gotenberg: on the strict stand-in, and the same on a real one where GOTENBERG_URL names it."""

import io
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pikepdf
import pytest
from msoffcrypto.format.ooxml import OOXMLFile

from functions.convert.converter import Converter
from functions.convert.core import Conversion, ConversionLimits
from functions.convert.coverage import pdf_text
from functions.convert.gotenberg import GotenbergConverter
from functions.convert.office import OfficeSource
from shared.errors import DocuElevateError, FailureCode, StepFailed, Throttled, Unavailable
from tests import papers
from tests.servers.gotenberg import (
    GUESS_BEFORE_8_36,
    PASSWORD,
    QUEUE_FULL,
    TIME_LIMIT,
    UNEXPLAINED,
    UNREADABLE,
    Gotenberg,
    gotenberg,
    made_pdf,
)

REAL = os.environ.get("GOTENBERG_URL")
LIMITS = ConversionLimits()
SENTENCE = "The keeper of the lighthouse will meet you at the pier on Friday"
RTF = b"{\\rtf1 " + SENTENCE.encode() + b"}"


@pytest.fixture
def server() -> Iterator[Gotenberg]:
    with gotenberg() as running:
        yield running


@pytest.fixture(params=["stand-in", *(["real"] if REAL else [])])
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param == "real":
        assert REAL
        yield REAL
        return
    with gotenberg() as running:
        yield running.url


def through(url: str, tmp_path: Path, data: bytes, name: str, **how: str) -> tuple[Conversion, str]:
    """A whole conversion, jailed workers included."""
    converter = Converter(GotenbergConverter(url, **how))  # type: ignore[arg-type]
    source, output = tmp_path / "source", tmp_path / "output.pdf"
    source.write_bytes(data)
    try:
        result = converter.convert(source, name, "", output, limits=LIMITS, timeout_seconds=120)
    finally:
        converter.close()
    return result, " ".join(pdf_text(output).split())


def ask(
    server: Gotenberg, tmp_path: Path, *, seconds: float = 30, patience: float = 5, trace: str = "", most: int = 10**9
) -> bytes:
    """The adapter alone."""
    source, output = tmp_path / "a.docx", tmp_path / "a.pdf"
    source.write_bytes(papers.docx(SENTENCE))
    adapter = GotenbergConverter(server.url, patience_seconds=patience, max_result_bytes=most)
    adapter.convert(OfficeSource(source, ".docx"), output, timeout_seconds=seconds, trace=trace)
    return output.read_bytes()


def refused(server: Gotenberg, tmp_path: Path, **how: float) -> DocuElevateError:
    with pytest.raises(DocuElevateError) as caught:
        ask(server, tmp_path, **how)  # type: ignore[arg-type]
    return caught.value


# What it makes: the same on both.


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("letter.docx", papers.docx(SENTENCE)),
        ("letter.rtf", RTF),
        ("letter.fodt", papers.flat_text(SENTENCE)),
    ],
)
def test_an_office_file_keeps_its_words(url: str, tmp_path: Path, name: str, data: bytes) -> None:
    result, text = through(url, tmp_path, data, name)
    assert (result.converter, result.pages) == ("gotenberg", 1)
    assert SENTENCE in text


def test_a_large_table_keeps_every_cell_as_the_text_that_it_is(url: str, tmp_path: Path) -> None:
    rows = "".join(f"{number},0{number},1-2,text {number}\n" for number in range(5000))
    result, text = through(url, tmp_path, f"id,code,range,name\n{rows}".encode(), "large.csv")
    assert result.converter == "gotenberg"
    assert all(word in text for word in ("04999", "1-2", "text 4999"))
    assert not result.warnings


def test_a_long_text_keeps_its_words_and_letters(url: str, tmp_path: Path) -> None:
    text = "\n".join(f"Grüße, Zeile {number}:   x < y & z" for number in range(25_000))
    result, made = through(url, tmp_path, text.encode(), "long.txt")
    assert result.converter == "gotenberg"
    assert "Grüße, Zeile 24999: x < y & z" in made.replace("&lt;", "<").replace("&amp;", "&")


def test_the_pdf_is_of_the_profile_that_is_set(url: str, tmp_path: Path) -> None:
    result, _ = through(url, tmp_path, papers.docx(SENTENCE), "letter.docx", pdf_format="PDF/A-2b")
    assert result.pages == 1
    with pikepdf.open(tmp_path / "output.pdf") as pdf, pdf.open_metadata() as metadata:
        assert metadata["pdfaid:part"] == "2"


def test_hidden_sheets_are_told_although_gotenberg_does_not_tell(url: str, tmp_path: Path) -> None:
    result, _ = through(
        url, tmp_path, papers.workbook({"Shown": SENTENCE, "Kept": "secret plans"}, hidden="Kept"), "a.xlsx"
    )
    assert [warning.code for warning in result.warnings] == ["hidden_content"]


def test_an_encrypted_file_asks_for_its_password_before_it_is_sent(server: Gotenberg, tmp_path: Path) -> None:
    """What Gotenberg says of such a file depends on its version and on chance."""
    encrypted = io.BytesIO()
    OOXMLFile(io.BytesIO(papers.docx(SENTENCE))).encrypt("s3cret", encrypted)
    with pytest.raises(StepFailed) as caught:
        through(server.url, tmp_path, encrypted.getvalue(), "a.docx")
    assert caught.value.code is FailureCode.ENCRYPTED
    assert not server.conversions


def test_the_version_is_asked_for(url: str) -> None:
    assert GotenbergConverter(url).version == httpx.get(f"{url}/version").text.strip()


# What is asked for: the stand-in refuses everything that is not documented.


def test_neither_the_users_name_nor_a_webhook_is_sent(server: Gotenberg, tmp_path: Path) -> None:
    through(server.url, tmp_path, papers.docx(SENTENCE), "Kündigung Ada Lovelace.DOCX")
    [asked] = server.conversions
    assert asked.name == "source.docx"
    assert asked.fields["exportFormFields"] == asked.fields["updateIndexes"] == "false"


def test_the_trace_is_the_events_id(server: Gotenberg, tmp_path: Path) -> None:
    ask(server, tmp_path, trace="0d9f3b1c-7a55-5d5e-9a58-0f3c0a4f7f11")
    assert server.conversions[0].trace == "0d9f3b1c-7a55-5d5e-9a58-0f3c0a4f7f11"


def test_an_event_id_that_is_no_header_is_hashed(server: Gotenberg, tmp_path: Path) -> None:
    ask(server, tmp_path, trace="a\r\nGotenberg-Webhook-Url: http://127.0.0.1/")
    assert len(server.conversions[0].trace) == 64


def test_credentials_go_along(tmp_path: Path) -> None:
    with gotenberg(("ada", "s3cret")) as server:
        source, output = tmp_path / "a.docx", tmp_path / "a.pdf"
        source.write_bytes(papers.docx(SENTENCE))
        adapter = GotenbergConverter(server.url, authentication=("ada", "s3cret"))
        adapter.convert(OfficeSource(source, ".docx"), output, timeout_seconds=30)
        assert output.read_bytes().startswith(b"%PDF-")
        assert isinstance(refused(server, tmp_path), Unavailable)


# What goes wrong.


def test_a_full_queue_is_waited_for(server: Gotenberg, tmp_path: Path) -> None:
    server.goes_wrong("answer", status=429, message=QUEUE_FULL, times=2)
    assert ask(server, tmp_path).startswith(b"%PDF-")
    assert len(server.conversions) == 3


def test_a_queue_that_stays_full_gives_the_event_back(server: Gotenberg, tmp_path: Path) -> None:
    server.goes_wrong("answer", status=429, message=QUEUE_FULL, headers={"Retry-After": "7"})
    error = refused(server, tmp_path, patience=1)
    assert isinstance(error, Throttled)
    assert error.retry_after_seconds == 7


def test_a_server_that_restarts_is_waited_for(server: Gotenberg, tmp_path: Path) -> None:
    server.goes_wrong("answer", status=503, message="Service Unavailable", times=2)
    assert ask(server, tmp_path).startswith(b"%PDF-")


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_server_that_stays_away_is_unavailable(server: Gotenberg, tmp_path: Path, status: int) -> None:
    server.goes_wrong("answer", status=status, message="no")
    assert isinstance(refused(server, tmp_path, patience=1), Unavailable)


def test_a_port_where_nobody_listens_is_unavailable(tmp_path: Path) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        silent = Gotenberg(f"http://127.0.0.1:{held.getsockname()[1]}")
        assert isinstance(refused(silent, tmp_path, patience=0.5), Unavailable)


def test_gotenbergs_own_time_limit_is_not_the_documents_fault(server: Gotenberg, tmp_path: Path) -> None:
    server.goes_wrong("answer", status=503, message=TIME_LIMIT)
    assert isinstance(refused(server, tmp_path), Unavailable)
    assert len(server.conversions) == 2


def test_a_password_is_asked_for(server: Gotenberg, tmp_path: Path) -> None:
    server.goes_wrong("answer", status=400, message=PASSWORD)
    error = refused(server, tmp_path)
    assert isinstance(error, StepFailed)
    assert (error.code, error.determined) == (FailureCode.ENCRYPTED, True)


def test_a_guess_at_a_password_is_not_believed(server: Gotenberg, tmp_path: Path) -> None:
    server.goes_wrong("answer", status=400, message=GUESS_BEFORE_8_36)
    error = refused(server, tmp_path)
    assert isinstance(error, StepFailed)
    assert error.code is FailureCode.CONVERSION_FAILED


@pytest.mark.parametrize(
    ("status", "message", "code"),
    [
        (500, UNEXPLAINED, FailureCode.CONVERSION_FAILED),
        (500, "Internal Server Error", FailureCode.CONVERSION_FAILED),
        (400, UNREADABLE, FailureCode.CORRUPT),
    ],
)
def test_a_failure_on_a_healthy_server_is_the_documents(
    server: Gotenberg, tmp_path: Path, status: int, message: str, code: FailureCode
) -> None:
    """Rules 5: it happened twice, and the server is well."""
    server.goes_wrong("answer", status=status, message=message)
    error = refused(server, tmp_path)
    assert isinstance(error, StepFailed)
    assert (error.code, error.determined) == (code, True)
    assert (len(server.conversions), server.questions) == (2, ["/health"])


def test_a_failure_on_a_sick_server_is_not_the_documents(server: Gotenberg, tmp_path: Path) -> None:
    """Rules 5."""
    server.goes_wrong("answer", status=500, message=UNEXPLAINED)
    server.healthy = False
    assert isinstance(refused(server, tmp_path), Unavailable)


def test_a_failure_by_chance_is_forgotten(server: Gotenberg, tmp_path: Path) -> None:
    server.goes_wrong("answer", status=500, message=UNEXPLAINED, times=1)
    assert ask(server, tmp_path).startswith(b"%PDF-")


def test_a_broken_connection_is_tried_again_once(server: Gotenberg, tmp_path: Path) -> None:
    """A document that Gotenberg dies of is not sent for as long as there is patience."""
    server.goes_wrong("cut")
    assert isinstance(refused(server, tmp_path), Unavailable)
    assert len(server.conversions) == 2


@pytest.mark.parametrize("kind", ["hang", "drip"])
def test_an_answer_that_does_not_end_is_a_time_out(server: Gotenberg, tmp_path: Path, kind: str) -> None:
    server.goes_wrong(kind)  # type: ignore[arg-type]
    error = refused(server, tmp_path, seconds=1.5)
    assert isinstance(error, StepFailed)
    assert (error.code, error.determined) == (FailureCode.CONVERSION_TIMEOUT, False)


def test_a_page_in_place_of_a_pdf_is_the_servers_fault(server: Gotenberg, tmp_path: Path) -> None:
    server.goes_wrong("page", message="<html>Welcome to the proxy")
    assert isinstance(refused(server, tmp_path), Unavailable)


def test_a_pdf_that_is_none_inside_is_not_held_against_the_source(server: Gotenberg, tmp_path: Path) -> None:
    server.goes_wrong("page", message="%PDF-1.7 and nothing else")
    with pytest.raises(StepFailed) as caught:
        through(server.url, tmp_path, papers.docx(SENTENCE), "letter.docx")
    assert (caught.value.code, caught.value.determined) == (FailureCode.CONVERSION_FAILED, False)


@pytest.mark.parametrize("count", [6, 40])
def test_a_pdf_without_the_text_is_told(server: Gotenberg, tmp_path: Path, count: int) -> None:
    server.goes_wrong("page", message=made_pdf("nothing of it"))
    words = " ".join(f"word{number}" for number in range(count))
    result, _ = through(server.url, tmp_path, papers.docx(words), "letter.docx")
    assert [(warning.code, warning.needs_decision) for warning in result.warnings] == [("conversion_failed", True)]


def test_an_endless_pdf_is_cut_off_at_the_limit(server: Gotenberg, tmp_path: Path) -> None:
    with pytest.raises(StepFailed) as caught:
        ask(server, tmp_path, most=300)
    assert caught.value.code is FailureCode.DECOMPRESSION_BOMB


def test_a_file_that_is_too_large_for_gotenberg_is_told(server: Gotenberg, tmp_path: Path) -> None:
    server.goes_wrong("answer", status=413, message="Request Entity Too Large")
    error = refused(server, tmp_path)
    assert isinstance(error, StepFailed)
    assert (error.code, error.determined) == (FailureCode.TOO_LARGE, False)


def test_a_type_that_this_gotenberg_does_not_know_is_unsupported(server: Gotenberg, tmp_path: Path) -> None:
    source = tmp_path / "a.odf"
    source.write_bytes(b"x")
    with pytest.raises(StepFailed) as caught:
        GotenbergConverter(server.url).convert(OfficeSource(source, ".odf"), tmp_path / "o", timeout_seconds=30)
    assert caught.value.code is FailureCode.UNSUPPORTED_TYPE


@pytest.mark.parametrize("status", [301, 401, 403, 404])
def test_a_wrong_address_is_told_to_the_operator(server: Gotenberg, tmp_path: Path, status: int) -> None:
    server.goes_wrong("answer", status=status, message="no", headers={"Location": "http://127.0.0.1:1/"})
    error = refused(server, tmp_path)
    assert isinstance(error, Unavailable)
    assert "GOTENBERG_" in str(error)
    assert len(server.conversions) == 1


def test_a_version_that_is_known_stands_while_the_server_is_away(server: Gotenberg) -> None:
    adapter = GotenbergConverter(server.url)
    assert adapter.version == adapter.version == "8.36.0"
    assert server.questions == ["/version"]


def test_a_server_that_is_away_at_the_start_has_no_known_version() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        assert GotenbergConverter(f"http://127.0.0.1:{held.getsockname()[1]}").version == "unknown"
