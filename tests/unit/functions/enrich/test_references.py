import pytest

from functions.enrich.references import reference_number


@pytest.mark.parametrize(
    ("kind", "line", "expected"),
    [
        ("invoice", "Rechnungsnummer: RE-2024/0815", "RE-2024/0815"),
        ("invoice", "Rechnungs-Nr. 4711", "4711"),
        ("invoice", "Invoice # INV-00042", "INV-00042"),
        ("invoice", "Invoice No. 2024-17", "2024-17"),
        ("invoice", "Handelsrechnung (380) Nr. 471102", "471102"),
        ("invoice", "N° de facture : F2024-99", "F2024-99"),
        ("invoice", "Rechnung 4711", "4711"),
        ("insurance", "Policy number HV-778899", "HV-778899"),
        ("quote", "Angebotsnummer AN-77001", "AN-77001"),
        ("order", "PO #: 450088", "450088"),
        ("letter", "Our ref: AB/1234", "AB/1234"),
        ("letter", "Aktenzeichen: 12 C 345/23", None),
        ("invoice", "IBAN DE02 1203 0000 0000 2020 51", None),
        ("invoice", "USt-IdNr. DE123456789", None),
        ("invoice", "Rechnungsdatum 12.03.2024", None),
        ("invoice", "Telefon 030 1234567", None),
    ],
)
def test_the_documents_own_number_is_found(laid_out, kind, line, expected):
    found = reference_number(laid_out((50, 100, line)), kind)

    if expected is None:
        assert found is None or found.confidence < 0.9
    else:
        assert found is not None and found.found.value == expected


def test_the_own_number_beats_the_customer_number(laid_out):
    layout = laid_out((50, 100, "Kundennummer: 99001"), (50, 114, "Rechnungsnummer: 4711"))

    found = reference_number(layout, "invoice")

    assert found is not None and found.found.value == "4711"


def test_a_number_below_its_label_is_found(laid_out):
    layout = laid_out((50, 100, "Kunden-Nr."), (200, 100, "Rechnungs-Nr."), (50, 114, "99001"), (200, 114, "4711"))

    found = reference_number(layout, "invoice")

    assert found is not None and found.found.value == "4711"
