"""Marks and excerpts; what is marked stands in brackets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.search import highlight
from shared.search.port import SnippetPart
from shared.search.query import parse


def marked(text: str, query: str) -> str:
    parts = highlight.parts(text, highlight.Matcher(parse(query).clauses).marks(text))
    return shown(parts)


def shown(parts: tuple[SnippetPart, ...]) -> str:
    return "".join(f"[{part.text}]" if part.hit else part.text for part in parts)


@pytest.mark.parametrize(
    ("query", "text", "expected"),
    [
        ("mueller", "Frau Müller und Frau Mu\u0308ller", "Frau [Müller] und Frau [Mu\u0308ller]"),
        ("müll", "Mueller, Müller", "[Muell]er, [Müll]er"),
        ("strasse", "Straße 5", "[Straße] 5"),
        ("versicherung", "Haftpflichtversicherung, Versicherungen", "Haftpflicht[versicherung], [Versicherung]en"),
        ("übersicht", "Jahresuebersicht", "Jahres[uebersicht]"),
        ("rechnung", "Rechnumg Rechung Rehcnung Mahnung", "[Rechnumg] [Rechung] [Rehcnung] Mahnung"),
        ("versich* x", "Versicherung Verischerung", "[Versich]erung Verischerung"),
        ('"die versicherung"', "die, Versicherung! Versicherung die", "[die, Versicherung]! Versicherung die"),
        ("A1312B", "Teil A-1312/B hier", "Teil [A-1312/B] hier"),
        ("1312", "Teil A-1312/B hier", "Teil A-[1312]/B hier"),
        ("1234,56", "Summe 1.234,56 EUR", "Summe [1.234,56] EUR"),
        ("DE89370400440532013000", "an DE89 3704 0044 0532 0130 00.", "an [DE89 3704 0044 0532 0130 00]."),
        ("求書", "請求書です", "請[求書]です"),
        ("求", "請求書です", "請[求]書です"),
        ("ไฟฟ้า", "ใบแจ้งหนี้ค่าไฟฟ้า", "ใบแจ้งหนี้ค่า[ไฟฟ้า]"),
        ("عقد", "هذا العقد", "هذا [العقد]"),
        ("rechnung -mahnung", "Rechnung Mahnung", "[Rechnung] Mahnung"),
        ("a <b>", "<b>x</b> & a", "<[b]>x</[b]> & [a]"),
    ],
)
def test_what_matched_is_marked(query: str, text: str, expected: str) -> None:
    assert marked(text, query) == expected


def test_an_excerpt_shows_where_most_words_stand_together() -> None:
    text = "Rechnung " + "anderes " * 200 + "die Rechnung der Stadtwerke " + "weiteres " * 200
    matcher = highlight.Matcher(parse("rechnung stadtwerke ").clauses)
    page = highlight.PageMatch(3, text, tuple(matcher.marks(text)))
    snippet = highlight.snippet(page)
    line = shown(snippet.parts)
    assert snippet.page == 3
    assert "die [Rechnung] der [Stadtwerke] weiteres" in line
    assert line.startswith("… ")
    assert line.endswith(" …")
    assert len(line) < 300


def test_the_page_with_more_of_the_words_comes_first() -> None:
    pages = [(1, "Rechnung Rechnung Rechnung"), (2, "nichts"), (3, "Rechnung Stadtwerke"), (4, "Rechnung")]
    found = highlight.best_pages(pages, highlight.Matcher(parse("rechnung stadtwerke").clauses), most=3)
    assert [page.number for page in found] == [3, 1, 4]


@pytest.mark.parametrize(
    ("typed", "term", "letters"),
    [("miete", "miete", 0), ("miete", "meite", 1), ("miete", "miet", 1), ("miete", "mieter", 1), ("abc", "xyz", 3)],
)
def test_distance_counts_letters(typed: str, term: str, letters: int) -> None:
    assert highlight.distance(typed, term) == letters


def test_an_unfinished_word_is_as_near_as_its_nearest_beginning() -> None:
    assert highlight.distance("versciher", "versicherung", unfinished=True) == 1


@given(st.text(), st.text(max_size=30))
def test_marking_loses_no_text(text: str, query: str) -> None:
    parts = highlight.parts(text, highlight.Matcher(parse(query).clauses).marks(text))
    assert "".join("".join(part.text for part in parts).split()) == "".join(text.split())
