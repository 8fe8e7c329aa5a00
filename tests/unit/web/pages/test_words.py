"""Dates, sizes, amounts and states in words."""

from datetime import UTC, datetime

import pytest

from shared.documents import Status, StepState
from shared.metadata import Money
from web.api.models import DocumentLinks, DocumentSummary, Progress, StepView
from web.pages import words

MOMENT = datetime(2026, 11, 23, 14, 5, tzinfo=UTC)


def document(status: Status, *, code: str | None = None, pdf: str | None = None) -> DocumentSummary:
    links = DocumentLinks(self="/", page="/", original="/", metadata="/", events="/", pdf=pdf)
    return DocumentSummary(
        id="1",
        status=status,
        title="A",
        filename="a.pdf",
        media_type="application/pdf",
        size=1,
        sha256="0",
        channel="web",
        version=1,
        revision=1,
        received_at=MOMENT,
        changed_at=MOMENT,
        code=code,
        links=links,
    )


def test_dates_are_written_without_doubt_about_their_order() -> None:
    assert words.day("2026-02-01") == "1 Feb 2026"
    assert words.day(None) == ""
    assert words.day("soon") == "soon"
    assert words.moment(MOMENT) == "23 Nov 2026, 14:05 UTC"


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (250_000, "250 kB"), (1_400_000_000, "1.4 GB")],
)
def test_sizes_have_units(size_bytes: int, text: str) -> None:
    assert words.size(size_bytes) == text


def test_limits_are_written_as_they_were_set() -> None:
    assert words.limit(1024**3) == "1 GiB"
    assert words.limit(500_000_000) == "500 MB"


def test_amounts_keep_their_digits() -> None:
    assert words.money(Money(value="1240.50", currency="EUR")) == "€1,240.50"
    assert words.money(Money(value="-3.20", currency="SEK")) == "-SEK 3.20"
    assert words.money(Money(value="7")) == "7"
    assert words.money(None) == ""


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.42, "0.4 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (185, "3 min 5 s"), (4800, "1 h 20 min")],
)
def test_durations_are_rounded_to_what_matters(seconds: float, text: str) -> None:
    assert words.duration(seconds) == text


def test_a_ready_document_has_no_state_to_show() -> None:
    assert words.state(document(Status.READY, pdf="/pdf")) is None


def test_a_document_without_pages_failed_unless_a_person_can_open_it() -> None:
    assert words.state(document(Status.ATTENTION, code="corrupt")) == ("failed", "Failed")
    assert words.state(document(Status.ATTENTION, code="encrypted")) == ("attention", "Needs you")
    assert words.state(document(Status.ATTENTION, code="enrich_failed", pdf="/pdf")) == ("attention", "Needs you")


def test_work_counts_pages() -> None:
    assert words.work(Progress(step="ocr", state=StepState.RUNNING, done=3, total=12)) == "Recognizing 3 of 12 pages"
    assert words.work(Progress(step="convert", state=StepState.WAITING)) == "Waiting to be converted"
    assert words.work(None) == "Processing"


def test_a_step_tells_what_it_did() -> None:
    done = StepView(step="convert", state=StepState.DONE, attempts=1, started=MOMENT, finished=MOMENT)
    failed = StepView(step="ocr", state=StepState.FAILED, attempts=2)
    assert words.step_sentence(done) == "Converted to PDF"
    assert words.step_sentence(failed) == "Recognizing text: failed"
    assert words.step_seconds(done) == 0
    assert words.step_seconds(failed) is None


def test_unknown_kinds_and_languages_stay_readable() -> None:
    assert words.type_name("credit_note") == "Credit note"
    assert words.type_name("boarding_pass") == "Boarding pass"
    assert words.language_name("de-AT") == "German"
    assert words.language_name("tlh") == "tlh"
