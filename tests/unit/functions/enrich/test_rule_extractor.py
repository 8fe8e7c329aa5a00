import pytest

from functions.enrich.extractor import Hints, MetadataExtractor, Vocabulary
from functions.enrich.rule_extractor import RuleMetadataExtractor
from shared.documents import DocumentText, PageText, Word
from shared.metadata import LIST_FIELDS, Metadata

INVOICE = [
    (60, 40, "Muster GmbH"),
    (60, 120, "Muster GmbH · Hauptstr. 1 · 10115 Berlin"),
    (60, 140, "Erika Beispiel"),
    (60, 153, "Lindenweg 7"),
    (60, 166, "48149 Münster"),
    (60, 220, "Rechnung"),
    (60, 240, "Rechnungsnummer: 4711"),
    (350, 240, "Rechnungsdatum: 12.03.2024"),
    (60, 300, "Wartung der Heizung"),
    (450, 300, "100,00 €"),
    (60, 314, "Umsatzsteuer 19 %"),
    (450, 314, "19,00 €"),
    (60, 328, "Gesamtbetrag"),
    (450, 328, "119,00 €"),
    (60, 360, "Zahlbar innerhalb von 14 Tagen ohne Abzug."),
]


@pytest.fixture
def extract(document):
    def run(*placed, **hints) -> Metadata:
        return RuleMetadataExtractor().extract(document(*placed), Hints(**hints)).metadata

    return run


def test_it_is_a_metadata_extractor():
    extractor: MetadataExtractor = RuleMetadataExtractor()

    assert extractor.version().startswith("rules-")


def test_an_invoice_is_read_completely(extract):
    found = extract(*INVOICE)

    assert found.document_type is not None and found.document_type.value == "invoice"
    assert found.sender is not None and found.sender.value == "Muster GmbH"
    assert found.recipient is not None and found.recipient.value == "Erika Beispiel"
    assert found.document_date is not None and found.document_date.value == "2024-03-12"
    assert found.due_date is not None and found.due_date.value == "2024-03-26"
    assert found.language is not None and found.language.value == "de"
    assert found.reference_number is not None and found.reference_number.value == "4711"
    assert found.total is not None and (found.total.value.value, found.total.value.currency) == ("119.00", "EUR")
    assert found.title is not None and found.title.value == "Rechnung 4711 – Muster GmbH"
    assert found.suggested_filename is not None
    assert found.suggested_filename.value == "2024-03-12_Rechnung 4711 – Muster GmbH"
    assert {amount.value.value for amount in found.amounts} == {"100.00", "19.00", "119.00"}


def test_every_read_value_has_a_quote_with_boxes_on_the_page(extract, document):
    words = {word.box for word in document(*INVOICE).pages[0].words}

    found = extract(*INVOICE)

    for name in ("sender", "recipient", "document_date", "due_date", "reference_number", "total"):
        evidence = getattr(found, name).evidence
        assert evidence.quote and evidence.boxes and set(evidence.boxes) <= words
        assert getattr(found, name).origin == "rule"


def test_an_empty_document_is_titled_by_its_file_name(extract):
    found = RuleMetadataExtractor().extract(DocumentText(pages=()), Hints(filename="Urlaub_Sommer.pdf")).metadata

    assert found.title is not None and found.title.value == "Urlaub Sommer"
    assert found.document_type is None and found.sender is None


def test_a_page_of_nothing_known_gives_nulls(extract):
    found = extract((60, 60, "xqz wvk plm"))

    unknown = {name: getattr(found, name) for name in Metadata.model_fields if name not in LIST_FIELDS}
    assert all(value is None for value in unknown.values()), unknown


def test_known_tags_are_reused_where_they_occur(extract):
    found = extract(*INVOICE, vocabulary=Vocabulary(tags=("Heizung", "Garten")))

    assert [tag.value for tag in found.tags] == ["Heizung"]


def test_the_owners_language_is_believed(extract):
    found = extract(*INVOICE, language="de-CH")

    assert found.language is not None and found.language.value == "de-CH"


def test_extraction_costs_nothing_and_is_repeatable(document):
    first, second = (RuleMetadataExtractor().extract(document(*INVOICE), Hints()) for _ in range(2))

    assert first == second
    assert (first.extractor, first.model, first.tokens, first.cost) == ("rules", None, 0, "0")


HOSTILE = (
    *("a" * 1_000_000, "1" * 1_000_000, "(" * 1_000_000, "Rechnung " * 110_000, "Total: " * 150_000),
    *("1.1." * 250_000, "12.03.2024 " * 90_000, "A1-" * 330_000, "€ " * 500_000, ", " * 500_000, "- " * 500_000),
    *("von der und " * 80_000, "straße" * 160_000, "x@" * 500_000, "Gegenstand1 " * 80_000),
)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("line", HOSTILE, ids=lambda line: line[:9])
def test_a_line_of_a_megabyte_is_only_data(text_only, line):
    parts = line.split()[:20_000]
    words = tuple(Word(text=part, box=(i % 500, i // 500, i % 500 + 1, i // 500 + 8)) for i, part in enumerate(parts))
    page = PageText(number=1, width=595, height=842, source="ocr", text=line, words=words)

    RuleMetadataExtractor().extract(text_only(line), Hints(filename=line[:5000]))
    RuleMetadataExtractor().extract(DocumentText(pages=(page,)), Hints())


def test_extraction_looks_at_a_bounded_part_of_a_thousand_pages(document):
    one = document(*INVOICE).pages[0]
    pages = tuple(one.model_copy(update={"number": number}) for number in range(1, 1001))

    found = RuleMetadataExtractor().extract(DocumentText(pages=pages), Hints()).metadata

    assert found.total is not None and found.total.value.value == "119.00"
