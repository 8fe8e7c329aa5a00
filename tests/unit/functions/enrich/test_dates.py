from datetime import date

import pytest

from functions.enrich.dates import DateReader, dates_in, day_comes_first, document_date, due_date


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("12.03.2024", date(2024, 3, 12)),
        ("12. März 2024", date(2024, 3, 12)),
        ("March 12th, 2024", date(2024, 3, 12)),
        ("12 March 2024", date(2024, 3, 12)),
        ("12-Mar-24", date(2024, 3, 12)),
        ("2024-03-12T10:00", date(2024, 3, 12)),
        ("3.4.24", date(2024, 4, 3)),
        ("1er janvier 2024", date(2024, 1, 1)),
        ("5 de mayo de 2024", date(2024, 5, 5)),
        ("3 maggio 2024", date(2024, 5, 3)),
        ("3 mei 2024", date(2024, 5, 3)),
        ("25/12/2023", date(2023, 12, 25)),
        ("12/25/2023", date(2023, 12, 25)),
    ],
)
def test_usual_forms_are_read(text, expected):
    assert [read.value for read in dates_in(text)] == [expected]


@pytest.mark.parametrize("text", ["31.02.2024", "Tel 030/12.34.56", "1.2.3.4", "99/99/2024", "März 2024", "12.345,67"])
def test_what_is_no_date_is_not_read(text):
    assert dates_in(text) == []


def test_a_slashed_date_remembers_its_other_reading():
    read = dates_in("03/04/2024")[0]

    assert (read.value, read.other) == (date(2024, 4, 3), date(2024, 3, 4))


@pytest.mark.parametrize(
    ("language", "hint", "expected"),
    [
        ("en", "Total $5.00", False),
        ("en", "Total £5.00", True),
        ("de", "Summe", True),
        ("en", "12/31/2023", False),
        ("en", "31/12/2023", True),
        ("en", "nothing to tell", None),
    ],
)
def test_the_order_of_day_and_month_comes_from_the_document(laid_out, language, hint, expected):
    assert day_comes_first(laid_out((50, 100, hint)), language) is expected


def test_an_undecidable_date_is_left_out(laid_out):
    layout = laid_out((50, 100, "Date: 03/04/2024"))

    assert document_date(layout, DateReader(None), "letter") is None


@pytest.mark.parametrize(
    "line",
    [
        "Invoice date: 12 March 2024",
        "Rechnungsdatum 12.03.2024",
        "Date: 2024-03-12",
        "Berlin, den 12.03.2024",
        "12. März 2024",
    ],
)
def test_the_documents_own_date_is_found(laid_out, line):
    found = document_date(laid_out((50, 100, line)), DateReader(True), "invoice")

    assert found is not None and found.value == date(2024, 3, 12)


@pytest.mark.parametrize(
    "line",
    [
        "Geburtsdatum: 12.03.1984",
        "Date of birth: 12 March 1984",
        "Lieferdatum: 12.03.2024",
        "Zeitraum vom 01.03.2024 bis 31.03.2024",
        "gültig bis 12.03.2024",
        "Due date: 12 March 2024",
        "Ihr Schreiben vom 12.03.2024",
        "Version 2.1 vom 24.03.2020",
    ],
)
def test_other_dates_are_not_the_documents_date(laid_out, line):
    assert document_date(laid_out((50, 300, line)), DateReader(True), "invoice") is None


def test_a_column_of_dates_is_no_document_date(laid_out):
    rows = [(50.0, 100.0 + 14 * row, f"{row + 1:02}.03.2024") for row in range(5)]

    assert document_date(laid_out(*rows), DateReader(True), None) is None


def test_a_label_in_a_table_head_finds_the_date_below(laid_out):
    layout = laid_out((50, 100, "Nummer"), (200, 100, "Rechnungsdatum"), (50, 114, "4711"), (200, 114, "12.03.2024"))

    found = document_date(layout, DateReader(True), "invoice")

    assert found is not None and found.value == date(2024, 3, 12)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("Zahlbar bis 26.03.2024 ohne Abzug", date(2024, 3, 26)),
        ("Due date: 26 March 2024", date(2024, 3, 26)),
        ("Den Betrag buchen wir am 26.03.2024 ab", date(2024, 3, 26)),
        ("zahlbar innerhalb von 14 Tagen ohne Abzug", date(2024, 3, 26)),
        ("Payment terms: net 30 days", date(2024, 4, 11)),
        ("8 Tage 2 % Skonto oder 30 Tage netto, zahlbar", date(2024, 4, 11)),
        ("Angebot gültig bis 26.03.2024", None),
        ("Return within 14 days", None),
    ],
)
def test_due_dates_are_read_or_computed(laid_out, line, expected):
    layout = laid_out((50, 100, "Rechnungsdatum: 12.03.2024"), (50, 300, line))
    reader = DateReader(True)
    issued = document_date(layout, reader, "invoice")

    found = due_date(layout, reader, issued, computes=True)

    assert (found.value if found else None) == expected
