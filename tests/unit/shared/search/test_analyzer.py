"""Folding and splitting, as a table: text in, terms out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.search import analyzer


@pytest.mark.parametrize(
    "same",
    [
        ("Müller", "Mueller", "MULLER", "Mu\u0308ller", "mül\u00adler"),
        ("Straße", "STRASSE", "strasse", "Straſſe"),
        ("Uebersicht", "Übersicht", "ubersicht"),
        ("Gebäude", "Gebaeude"),
        ("Bäuerin", "Baeuerin"),
        ("für", "fuer", "fur"),
        ("Œuvre", "oeuvre"),
        ("Bjørn", "Bjoern", "bjorn"),
        ("Łódź", "lodz"),
        ("Ångström", "Angstrom", "Angstroem"),
        ("ﬁnal", "final"),
        ("ＡＢＣ１２３", "abc123"),
        ("٢٠٢٤", "2024"),
        ("İstanbul", "istanbul"),
        ("Ёлка", "елка"),
        ("العَقْد", "العقد", "عقد"),
        ("שָׁלוֹם", "שלום"),
    ],
)
def test_spellings_of_one_word_are_one_term(same: tuple[str, ...]) -> None:
    assert len({analyzer.terms_of(word) for word in same}) == 1


@pytest.mark.parametrize(
    "words",
    [("neue", "neu"), ("Bauer", "Baur"), ("blue", "blu"), ("Quelle", "Qulle"), ("toe", "to"), ("Maß", "Mas")],
)
def test_different_words_stay_different(words: tuple[str, str]) -> None:
    assert analyzer.terms_of(words[0]) != analyzer.terms_of(words[1])


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("Der Vertrag, von gestern!", ["der", "vertrag", "von", "gestern"]),
        ("A-1312/B", ["a", "1312", "b"]),
        ("snake_case", ["snake", "case"]),
        ("請求書", ["請求", "求書", "書"]),
        ("第12号", ["第", "12", "号"]),
        ("계약서를", ["계약", "약서", "서를", "를"]),
        ("Menü \u200b\ufeff", ["menu"]),
        ("😀 — …", []),
    ],
)
def test_text_becomes_terms(text: str, terms: list[str]) -> None:
    assert analyzer.body_terms(text) == terms


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("Artikel A-1312/B", ["a1312b"]),
        ("1.234,56 EUR", ["123456"]),
        ("jo.smith@example.com", ["josmithexamplecom"]),
        ("IBAN DE89 3704 0044 0532 0130 00 BIC", ["de89370400440532013000"]),
        ("GB29 NWBK 6016 1331 9268 19", ["gb29nwbk60161331926819"]),
        ("Tel. 030 123 45 67", ["0301234567"]),
        ("Kranken-\n  versicherung", ["krankenversicherung"]),
        ("one, two. three - four", []),
        ("im Jahr 2024 waren 3 Leute", []),
    ],
)
def test_codes_are_kept_without_punctuation(text: str, codes: list[str]) -> None:
    assert [piece.term for piece in analyzer.codes(text)] == codes


@pytest.mark.parametrize(
    ("word", "part"),
    [
        ("Haftpflichtversicherung", "versicherung"),
        ("Notebook", "book"),
        ("RE2024000123", "0001"),
        ("Jahresübersicht", "ubersicht"),
        ("Jahresuebersicht", "ubersicht"),
        ("Menueintrag", "eintrag"),
        ("Neueinstellung", "einstellung"),
        ("והחשבונית", "חשבונית"),
    ],
)
def test_a_part_of_a_word_begins_one_of_its_tails(word: str, part: str) -> None:
    assert any(tail.startswith(part) for tail in analyzer.tails(word).split())


def test_short_parts_and_long_garbage_have_no_tails() -> None:
    assert analyzer.tails("Baum") == ""
    assert analyzer.tails("x" * 60) == ""


@pytest.mark.parametrize(
    ("term", "typos"),
    [("haus", 0), ("miete", 1), ("rechnung", 1), ("rechnungen", 2), ("re2024000123", 0), ("請求書請求書", 0)],
)
def test_long_words_may_have_typos_and_numbers_none(term: str, typos: int) -> None:
    assert analyzer.typos(term) == typos


@given(st.text())
def test_every_text_is_analyzed_and_places_agree_with_terms(text: str) -> None:
    pieces = analyzer.pieces(text)
    assert [piece.term for piece in pieces] == analyzer.body_terms(text)
    assert all(0 <= piece.start < piece.end <= len(text) for piece in pieces)
    assert analyzer.analyze(text).body.split() == analyzer.body_terms(text)


@given(st.text(alphabet="aäeoöuüßnrsMI -/.1٣請\u0308\u00ad", max_size=40))
def test_folding_twice_changes_nothing(text: str) -> None:
    assert analyzer.fold(analyzer.fold(text)) == analyzer.fold(text)


def test_a_long_text_without_spaces_or_full_of_punctuation_takes_linear_time() -> None:
    for text in ("a" * 200_000, "a-" * 100_000, "1 " * 100_000, "12 " * 70_000, ".,-" * 70_000, "AB12 " * 40_000):
        assert analyzer.analyze(text).body.count(" ") <= len(text)
