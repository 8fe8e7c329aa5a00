from decimal import Decimal

import pytest

from functions.enrich.amounts import all_amounts, amounts_in, document_currency, number, total


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1.234,56", "1234.56"),
        ("1,234.56", "1234.56"),
        ("1'234.50", "1234.50"),
        ("1 234,56", "1234.56"),
        ("1234", "1234"),
        ("12,--", "12.00"),
        ("12.345.678,90", "12345678.90"),
    ],
)
def test_numbers_are_read_as_written(text, expected):
    assert number(text)[0] == Decimal(expected)


@pytest.mark.parametrize(
    ("text", "value", "currency"),
    [
        ("1.234,56 €", "1234.56", "EUR"),
        ("EUR 12,--", "12.00", "EUR"),
        ("$1,234.56", "1234.56", "USD"),
        ("£12", "12", "GBP"),
        ("CHF 1'234.50", "1234.50", "CHF"),
        ("-5,00 EUR", "-5.00", "EUR"),
        ("5,00- EUR", "-5.00", "EUR"),
        ("119,00", "119.00", None),
    ],
)
def test_amounts_carry_value_and_currency(laid_out, text, value, currency):
    found = amounts_in(laid_out((50, 100, text)).lines[0])

    assert [(str(one.value.value), one.value.currency) for one in found] == [(value, currency)]


@pytest.mark.parametrize("text", ["19,00 %", "12.03.2024", "2,50 kg", "DE12 3456 7890 1234", "0123.456.78", "1.2.3"])
def test_other_numbers_are_no_amounts(laid_out, text):
    assert amounts_in(laid_out((50, 100, text)).lines[0]) == []


@pytest.mark.parametrize(
    "label",
    ["Gesamtbetrag", "Rechnungsbetrag", "Amount due", "Grand total", "Total", "Zu zahlen", "Total TTC", "Totaal"],
)
def test_the_total_is_found_by_its_label_across_a_gap(laid_out, label):
    found = total(laid_out((50, 100, label), (450, 100, "119,00 €")))

    assert found is not None and (found.found.value.value, found.currency) == (Decimal("119.00"), "EUR")


@pytest.mark.parametrize(
    "label", ["Subtotal", "Zwischensumme", "Nettobetrag", "Total VAT", "Total items", "Summe netto"]
)
def test_parts_of_the_total_are_not_the_total(laid_out, label):
    assert total(laid_out((50, 100, label), (450, 100, "119,00 €"))) is None


def test_the_last_amount_of_a_sum_row_is_taken(laid_out):
    layout = laid_out((50, 100, "Gesamtbetrag"), (250, 100, "100,00"), (350, 100, "19,00"), (450, 100, "119,00"))

    found = total(layout)

    assert found is not None and found.found.value.value == Decimal("119.00")


def test_net_and_tax_confirm_the_total(laid_out):
    rows = [(50, 100, "Netto"), (450, 100, "100,00 €"), (50, 114, "MwSt. 19 %"), (450, 114, "19,00 €")]
    plain = total(laid_out((50, 128, "Summe"), (450, 128, "119,00 €")))
    confirmed = total(laid_out(*rows, (50, 128, "Summe"), (450, 128, "119,00 €")))

    assert plain is not None and confirmed is not None
    assert confirmed.confidence > plain.confidence


def test_the_total_below_its_label_is_found(laid_out):
    layout = laid_out((50, 100, "USt."), (440, 100, "Rechnungsbetrag"), (50, 114, "19,00"), (460, 114, "119,00"))

    found = total(layout)

    assert found is not None and found.found.value.value == Decimal("119.00")


def test_a_rounded_total_is_the_total(laid_out):
    layout = laid_out(
        (50, 100, "Total"),
        (300, 100, "30.91"),
        (50, 114, "Rounding"),
        (300, 114, "-0.01"),
        (50, 128, "Total rounded"),
        (300, 128, "30.90"),
    )

    found = total(layout, "receipt")

    assert found is not None and found.found.value.value == Decimal("30.90")


def test_of_a_payslip_the_net_pay_is_taken(laid_out):
    layout = laid_out(
        (50, 100, "Gesamt-Brutto"), (300, 100, "4.000,00"), (50, 114, "Auszahlungsbetrag"), (300, 114, "2.500,00")
    )

    found = total(layout, "payslip")

    assert found is not None and found.found.value.value == Decimal("2500.00")


def test_a_document_of_one_currency_lends_it_to_bare_amounts(laid_out):
    assert document_currency(laid_out((50, 100, "Alle Preise in EUR"), (50, 114, "119,00"))) == "EUR"
    assert document_currency(laid_out((50, 100, "119,00"))) is None


def test_amounts_are_listed_once(laid_out):
    layout = laid_out(
        (50, 100, "A"), (300, 100, "5,00 €"), (50, 114, "B"), (300, 114, "5,00 €"), (50, 128, "C"), (300, 128, "7,00 €")
    )

    assert [str(found.value.value) for found in all_amounts(layout)] == ["5.00", "7.00"]
