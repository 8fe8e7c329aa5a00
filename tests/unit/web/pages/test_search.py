"""The counts beside a search result."""

from web.api.models import SearchAnswer
from web.pages.links import Address
from web.pages.search import facet_values, year_link

SEARCH = Address.of("/search", [("q", "shelves")])


def answer(total: int, **facets: dict[str, int]) -> SearchAnswer:
    return SearchAnswer(query="", total=total, page=1, page_size=20, took_ms=1, hits=(), facets=facets)


def test_a_value_that_all_results_have_narrows_nothing() -> None:
    assert facet_values(answer(2, sender={"A": 2}), SEARCH, "sender") == []
    assert facet_values(answer(3, sender={"A": 2}), SEARCH, "sender") == [("A", 2)]


def test_a_value_that_is_set_can_be_taken_off_however_rare_it_is() -> None:
    many = {f"sender {number}": 100 - number for number in range(30)}
    shown = facet_values(answer(900, sender=many), SEARCH.having("sender", "sender 29"), "sender")
    assert len(shown) == 13
    assert shown[-1] == ("sender 29", 71)


def test_a_year_is_a_range_of_dates_and_can_be_taken_off() -> None:
    narrowed = year_link(SEARCH, "2026")
    assert str(narrowed) == "/search?q=shelves&date_from=2026-01-01&date_to=2026-12-31"
    assert str(year_link(narrowed, "2026")) == "/search?q=shelves"
    assert facet_values(answer(1, year={"2026": 1}), narrowed, "year") == [("2026", 1)]
