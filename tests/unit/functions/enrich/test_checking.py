import json

import pytest

from functions.enrich.answer import BadAnswer, parsed
from functions.enrich.checking import checked
from functions.enrich.combining import combined
from functions.enrich.extractor import Hints, Vocabulary
from shared.metadata import Evidence, Metadata, Money, Value

TEXT = """Stadtwerke Münster GmbH
An Erika Beispiel
Rechnung Nr. A-4711/2
12. März 2024
Strom
Gesamt 1.119,00 €
東京電力"""


@pytest.fixture
def check(text_only):
    def run(known: Hints | None = None, **fields) -> Metadata:
        return checked(parsed(json.dumps(fields)), text_only(TEXT), known or Hints())

    return run


def read(value: str, quote: str, page: int = 1, **more) -> dict:
    return {"value": value, "quote": quote, "page": page, "confidence": 1.0} | more


def told(value: str) -> dict:
    return {"value": value, "confidence": 1.0}


def test_a_value_in_its_quote_in_the_text_stands(check):
    found = check(
        sender=read("Stadtwerke Münster GmbH", "Stadtwerke Münster GmbH"),
        reference_number=read("A-4711/2", "Nr. A-4711/2"),
        document_date=read("2024-03-12", "12. März 2024"),
        total=read("1119.00", "1.119,00 €", currency="EUR"),
    )

    assert found.sender and found.sender.value == "Stadtwerke Münster GmbH" and found.sender.confidence == 0.85
    assert found.reference_number and found.document_date and found.document_date.value == "2024-03-12"
    assert found.total and found.total.value == Money(value="1119.00", currency="EUR")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sender", read("Stadtwerke Berlin", "Stadtwerke Münster GmbH")),
        ("sender", read("Stadtwerke", "Stadtwerke Muenster GmbH")),
        ("sender", read("Stadtwerke", "")),
        ("recipient", read("4711", "Rechnung Nr. A-4711/2")),
        ("document_date", read("2024-03-13", "12. März 2024")),
        ("document_date", read("12.03.2024", "12. März 2024")),
        ("document_date", read("2024-02-31", "12. März 2024")),
        ("reference_number", read("4712", "Nr. A-4711/2")),
        ("total", read("111900", "1.119,00 €", currency="EUR")),
        ("total", read("NaN", "1.119,00 €", currency="EUR")),
        ("total", read("1e3", "1.119,00 €", currency=None)),
        ("title", told("Completely other words about zeppelins")),
        ("title", told("x" * 500)),
        ("summary", told("Rechnung Stadtwerke Münster über 99999")),
        ("summary", told("Rechnung Strom, siehe https://evil.example/Strom")),
        ("language", told("Deutsch (vermutlich)")),
    ],
)
def test_a_value_that_the_text_does_not_support_is_dropped(check, name, value):
    assert getattr(check(**{name: value}), name) is None


def test_the_currency_is_the_one_on_the_page(check):
    found = check(total=read("1119.00", "1.119,00 €", currency="USD"))

    assert found.total and found.total.value.currency == "EUR"


def test_a_wrong_page_number_is_corrected_by_the_quote(check):
    found = check(sender=read("Stadtwerke", "Stadtwerke Münster", page=7))

    assert found.sender and found.sender.evidence and found.sender.evidence.page == 1


def test_tags_are_known_ones_topics_and_words_of_the_document(check):
    known = Hints(vocabulary=Vocabulary(tags=("Wohnung Münster",)))

    found = check(known, tags=[told("wohnung münster"), told("STROM"), told("Erika"), told("Erik"), told("Hacked")])

    assert [tag.value for tag in found.tags] == ["Wohnung Münster", "Strom", "Erika"]


def test_titles_of_scripts_without_spaces_are_compared_by_pairs_of_signs(check):
    assert check(title=told("東京電力")).title
    assert check(title=told("大阪瓦斯株式会社")).title is None


def test_markup_and_control_characters_are_taken_out(check):
    found = check(title=told("<b>Rechnung</b> \u202eStadtwerke\x00 Münster"))

    assert found.title and found.title.value == "Rechnung Stadtwerke Münster"


@pytest.mark.parametrize("content", ['{"title": 1e999}', "{}", "[]", "", '{"title": Infinity}', '{"a": 1}'])
def test_answers_without_anything_in_the_form_asked_for_are_bad(content):
    with pytest.raises(BadAnswer):
        parsed(content)


def test_an_answer_of_nulls_is_an_answer():
    assert parsed('{"title": null, "tags": []}').title is None


def value(of: str, confidence: float, origin: str, quote: str | None = None) -> Value[str]:
    proof = Evidence(page=1, quote=quote) if quote else None
    return Value[str](value=of, confidence=confidence, origin=origin, evidence=proof)


@pytest.mark.parametrize(
    ("model", "rule", "winner"),
    [
        (value("A", 0.85, "model", "A"), value("B", 0.95, "rule", "B"), "B"),
        (value("A", 0.85, "model", "A"), value("B", 0.70, "rule", "B"), "A"),
        (value("A", 0.75, "model"), value("B", 0.80, "rule", "B"), "B"),
        (None, value("B", 0.5, "rule", "B"), "B"),
        (value("A", 0.5, "model", "A"), None, "A"),
    ],
)
def test_of_two_readings_the_evidenced_and_then_the_surer_one_wins(model, rule, winner):
    found = combined(Metadata(sender=model), Metadata(sender=rule)).sender

    assert found and found.value == winner
    if model and rule:
        assert found.confidence < 0.8


def test_two_who_agree_are_believed_more_and_keep_the_boxes():
    rule = value("a  gmbh", 0.7, "rule", "a gmbh")

    found = combined(Metadata(sender=value("A GmbH", 0.8, "model", "A GmbH")), Metadata(sender=rule)).sender

    assert found and found.confidence == 0.94 and found.evidence == rule.evidence and found.origin == "model"


def test_the_owners_language_is_not_the_models_to_change():
    told_by_owner, guessed = value("de-CH", 0.5, "rule"), value("fr", 0.9, "model")

    found = combined(Metadata(language=guessed), Metadata(language=told_by_owner), language_is_told=True)

    assert found.language == told_by_owner
