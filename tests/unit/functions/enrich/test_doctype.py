import pytest

from functions.enrich.doctype import classified, type_name
from functions.enrich.wording import wording
from shared.metadata import DocumentType


def test_every_type_but_other_has_words_and_names_in_both_languages():
    words = wording("document_types")

    assert set(words) == set(DocumentType) - {DocumentType.OTHER}
    assert all({"en", "de"} <= set(entry["names"]) for entry in words.values())


@pytest.mark.parametrize(
    ("heading", "expected"),
    [
        ("Rechnung", "invoice"),
        ("INVOICE", "invoice"),
        ("Quittung", "receipt"),
        ("Gutschrift", "credit_note"),
        ("2. Mahnung", "reminder"),
        ("Kontoauszug", "bank_statement"),
        ("Gehaltsabrechnung", "payslip"),
        ("Einkommensteuerbescheid", "tax"),
        ("Mietvertrag", "contract"),
        ("Service Agreement", "contract"),
        ("Versicherungsschein", "insurance"),
        ("Angebot", "quote"),
        ("Purchase Order", "order"),
        ("Lieferschein", "delivery_note"),
        ("Meeting Minutes", "minutes"),
        ("Annual Report", "report"),
        ("Certificate of Completion", "certificate"),
        ("Befundbericht", "medical"),
        ("Stromrechnung", "utility_bill"),
        ("Limited Warranty", "warranty"),
        ("Lebenslauf", "cv"),
        ("Aufnahmeantrag", "form"),
        ("Newsletter", "newsletter"),
        ("Bedienungsanleitung", "manual"),
        ("Facture", "invoice"),
        ("Fattura", "invoice"),
    ],
)
def test_a_heading_of_its_own_decides(laid_out, heading, expected):
    found = classified(laid_out((50, 80, heading), (50, 200, "some words that say nothing about it")))

    assert found is not None and found.kind == expected


def test_a_letter_is_known_by_greeting_and_closing(laid_out):
    rows = [
        (50, 200, "Sehr geehrte Damen und Herren,"),
        (50, 230, "wir schreiben Ihnen heute."),
        (50, 260, "Mit freundlichen Grüßen"),
    ]

    found = classified(laid_out(*rows))

    assert found is not None and found.kind == "letter"


def test_a_slip_with_change_is_a_receipt_even_if_it_says_tax_invoice(laid_out):
    rows = [(50, 50, "TAX INVOICE"), (50, 80, "Cash 10.00"), (50, 94, "Change 1.00"), (50, 108, "Thank you")]

    found = classified(laid_out(*rows))

    assert found is not None and found.kind == "receipt"


@pytest.mark.parametrize("line", ["some words that say nothing about it", "Lorem ipsum dolor sit amet"])
def test_without_evidence_there_is_no_type(laid_out, line):
    assert classified(laid_out((50, 80, line))) is None


def test_a_type_is_named_in_the_documents_language():
    assert type_name(DocumentType.INVOICE, "de-AT") == "Rechnung"
    assert type_name(DocumentType.MINUTES, "fr") == "Minutes"
