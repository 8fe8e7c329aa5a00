"""What a typed query is read as."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.search.query import MOST_CLAUSES, parse


def test_quotes_ask_for_the_words_in_order_and_nothing_else() -> None:
    (clause,) = parse('"Die Versicherung"').clauses
    assert (clause.terms, clause.openings, clause.typos, clause.code) == (("die", "versicherung"), (), 0, "")


@pytest.mark.parametrize("text", ["„die versicherung“", "«die versicherung»", '"die versicherung'])
def test_other_quotes_and_a_missing_one_do_as_well(text: str) -> None:
    assert parse(text).clauses[0].terms == ("die", "versicherung")


def test_a_minus_before_a_word_or_phrase_excludes() -> None:
    parsed = parse('rechnung -mahnung -"letzte mahnung" - e-mail')
    assert [clause.terms for clause in parsed.excluded] == [("mahnung",), ("letzte", "mahnung")]
    assert [clause.terms for clause in parsed.clauses] == [("rechnung",), ("e", "mail")]


def test_only_the_last_word_is_taken_as_unfinished() -> None:
    first, last = parse("der re").clauses
    assert (first.openings, last.openings, last.unfinished) == ((), ("re",), True)


def test_a_star_makes_a_prefix_without_typos() -> None:
    clause = parse("vers* x").clauses[0]
    assert (clause.openings, clause.parts, clause.typos) == (("vers",), False, 0)


def test_groups_of_digits_may_be_one_number() -> None:
    (unit,) = parse("DE89 3704 0044").units
    assert unit.joined is not None
    assert unit.joined.code == "de8937040044"
    assert [clause.code for clause in unit.clauses] == ["de89", "3704", "0044"]


def test_words_are_not_joined() -> None:
    assert [unit.joined for unit in parse("der die das").units] == [None] * 3


@pytest.mark.parametrize("text", ["", "  ", '"', "-", "*", '-""'])
def test_nothing_but_operators_is_an_empty_query(text: str) -> None:
    assert parse(text).units == ()
    assert not parse(text).impossible


@pytest.mark.parametrize("text", ["😀", "§§", "..."])
def test_what_no_text_can_match_finds_nothing(text: str) -> None:
    assert parse(text).impossible


@given(st.text())
def test_whatever_is_typed_is_read(text: str) -> None:
    assert len(parse(text).units) <= MOST_CLAUSES


def test_a_query_as_long_as_a_book_is_cut() -> None:
    assert len(parse("wort " * 100_000).units) == MOST_CLAUSES
