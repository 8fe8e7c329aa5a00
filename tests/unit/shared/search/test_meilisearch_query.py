"""How queries and filters are put for Meilisearch: nothing that was typed or named is read as syntax."""

import re
from datetime import UTC, date, datetime
from unicodedata import category

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.search import meilisearch_query as asking
from shared.search.port import Ordering, SearchQuery
from shared.search.query import parse

CONDITION = r'\w+ (?:=|!=|>=|<=) (?:\w+|-?\d+|"(?:[0-9a-f]*|sha256-[0-9a-f]{64})")|year EXISTS'


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("müller", "muller"),
        ("müller ", "muller "),
        ("firma müller", "firma muller"),
        ('"die versicherung"', '"die versicherung" '),
        ('"die versich', '"die" versich'),
        ("versicherung -zahlt", '-"zahlt" versicherung '),
        ("haftpf* hansa", "hansa haftpf"),
        ("A-1312/B", '"a1312b" '),
        ("1312", "1312"),
        ("2024-0001", "20240001"),
        ("請求書", '"u8acb u6c42 u66f8" '),
        ("123号", '"123 u53f7" '),
        ("", ""),
    ],
)
def test_a_query_is_put_in_the_words_of_the_server(text: str, first: str) -> None:
    assert asking.readings(parse(text))[0] == first


def test_a_compound_is_asked_for_as_a_code_and_as_its_words() -> None:
    assert asking.readings(parse("RE-2024-0001")) == ['"re20240001" ', '"re 2024" 0001']


@given(st.text(max_size=200))
def test_a_query_has_words_and_phrases_only(text: str) -> None:
    parsed = parse(text)
    for asked in (*asking.readings(parsed), *asking.single_units(parsed), *asking.clauses_alone(parsed)):
        words = re.sub(r'(?:(?<= )|^)-(?=\S)|"([^" ]+(?: [^" ]+)*)"(?= |$)', r"\1", asked)
        assert all(each == " " or category(each)[0] in "LNM" for each in words), asked


@given(st.text(max_size=300), st.lists(st.text(max_size=100), max_size=3), st.text(max_size=2_000))
def test_a_filter_has_conditions_on_plain_values_only(owner: str, tags: list[str], sender: str) -> None:
    query = SearchQuery(owner=owner, tags=tuple(tags), sender=sender, date_from=date(2024, 1, 1))
    conditions = asking.filters(query)
    assert all(re.fullmatch(CONDITION, condition) for condition in conditions), conditions
    assert sum(condition.startswith("owner = ") for condition in conditions) == 1
    assert "status != trashed" in conditions


def test_ranges_include_both_ends() -> None:
    moment = datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)
    found = asking.filters(SearchQuery(received_from=moment, date_to=date(1, 1, 2)))
    assert found[2:] == ["year EXISTS", "day <= 2", "received >= 1000000"]


@pytest.mark.parametrize(
    ("text", "ordering", "sort"),
    [
        ("word", Ordering.RELEVANCE, []),
        ("", Ordering.RELEVANCE, ["received:desc"]),
        ("word", Ordering.DATE_NEWEST, ["day:desc"]),
        ("word", Ordering.TITLE, ["sort_title:asc"]),
    ],
)
def test_without_words_the_newest_come_first(text: str, ordering: Ordering, sort: list[str]) -> None:
    assert asking.order(SearchQuery(text=text, ordering=ordering), parse(text)) == sort
