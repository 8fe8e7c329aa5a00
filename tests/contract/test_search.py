"""What every search engine must do alike: which documents a query finds, in which order, on which pages, marked how."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from shared.documents import Status
from shared.errors import Unavailable
from shared.search.meilisearch_client import MeilisearchClient
from shared.search.meilisearch_index import MeilisearchSearchIndex
from shared.search.port import (
    Facet,
    FacetCount,
    Ordering,
    SearchEntry,
    SearchHit,
    SearchIndex,
    SearchQuery,
    SearchResults,
    SnippetPart,
)
from shared.search.tantivy_index import TantivySearchIndex
from tests.servers.meilisearch import search_server

RECEIVED = datetime(2024, 5, 1, 12, tzinfo=UTC)


KINDS = ["embedded", "meilisearch"]


@contextmanager
def fresh_index(kind: str, directory: Path) -> Iterator[SearchIndex]:
    """An empty index. Meilisearch is a stand-in that ranks as documented, or the server of MEILISEARCH_URL."""
    if kind == "embedded":
        made: SearchIndex = TantivySearchIndex(directory / "search")
        made.prepare()
        yield made
        made.close()
        return
    with search_server() as (url, key):
        made = MeilisearchSearchIndex(MeilisearchClient(url, key), name=f"documents-{uuid.uuid4().hex[:8]}")
        made.prepare()
        yield made
        made.close()


@pytest.fixture(params=KINDS)
def index(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SearchIndex]:
    """A fresh index of each kind."""
    with fresh_index(request.param, tmp_path) as made:
        yield made


def entry(document_id: str, text: str = "", **fields: object) -> SearchEntry:
    values: dict[str, object] = {"version": 1, "received_at": RECEIVED, "pages": ((1, text),) if text else ()}
    return SearchEntry.model_validate({"document_id": document_id} | values | fields)


def ask(index: SearchIndex, text: str = "", **fields: object) -> SearchResults:
    return index.search(SearchQuery.model_validate({"text": text} | fields))


def ids(results: SearchResults) -> list[str]:
    return [hit.document_id for hit in results.hits]


def line(parts: tuple[SnippetPart, ...]) -> str:
    return "".join(f"[{part.text}]" if part.hit else part.text for part in parts)


def snippets(hit: SearchHit) -> dict[int | None, str]:
    return {snippet.page: line(snippet.parts) for snippet in hit.snippets}


LIBRARY = {
    "liability": "Ihre Haftpflichtversicherung bei der Hansa",
    "insurance": "Die Versicherung zahlt den Schaden",
    "health": "Kranken-\nversicherung seit 2001",
    "umlaut": "Rechnung der Firma Müller GmbH, Lange Straße 5",
    "digraph": "Brief an Frau Mueller",
    "code": "Artikel A-1312/B kostet 1.234,56 EUR",
    "iban": "Bitte zahlen an DE89 3704 0044 0532 0130 00 bis Freitag",
    "number": "Rechnungsnummer RE-2024-000123",
    "mail": "Kontakt: foo.bar@example.com oder per E-Mail",
    "ocr": "Rechnumg vom 3.5.",
    "japanese": "請求書番号 123号室 東京都",
    "chinese": "上海市增值税发票",
    "korean": "임대차 계약서를 첨부합니다",
    "thai": "ใบแจ้งหนี้ค่าไฟฟ้า",
    "arabic": "هذا العقد بين الطرفين",
    "hebrew": "החשבונית שלך",
    "greek": "Το Τιμολόγιο της ΔΕΗ",
    "russian": "Счёт за электроэнергию",
    "french": "Relevé de compte à l'œuvre",
}

TABLE: list[tuple[str, list[str]]] = [
    # case and diacritics
    ("müller", ["umlaut|digraph"]),
    ("MUELLER", ["umlaut|digraph"]),
    ("muller", ["umlaut|digraph"]),
    ("Mu\u0308ller", ["umlaut|digraph"]),
    ("strasse", ["umlaut"]),
    ("LANGE STRAẞE", ["umlaut"]),
    ("releve oeuvre", ["french"]),
    ("l'oeuvre", ["french"]),
    ("τιμολογιο", ["greek"]),
    ("счет", ["russian"]),
    # exact before part before typo; parts of compounds; words cut at the end of a line
    ("versicherung", ["health|insurance", "liability"]),
    ("Haftpflicht Versicherung", ["liability"]),
    ("Haftpflicht-Versicherung", ["liability"]),
    ("krankenversicherung", ["health"]),
    ("rechnung", ["umlaut", "number", "ocr"]),
    ("nummer", ["number"]),
    # typos
    ("versciherung", ["insurance|health"]),
    ("haftpflichtversichrung", ["liability"]),
    ("Schadne", ["insurance"]),
    ("firna", ["umlaut"]),
    # as you type
    ("haftpfl", ["liability"]),
    ("firma mül", ["umlaut"]),
    ("foo.b", ["mail"]),
    ("versicer", ["insurance|health"]),
    # operators
    ('"die versicherung"', ["insurance"]),
    ('"versicherung die"', []),
    ('"die versich', ["insurance"]),
    ("versicherung -zahlt", ["health", "liability"]),
    ('versicherung -"die versicherung"', ["health", "liability"]),
    ("haftpf* hansa", ["liability"]),
    # codes and numbers
    ("A-1312/B", ["code"]),
    ("a1312b", ["code"]),
    ("A 1312 B", ["code"]),
    ("1312", ["code"]),
    ("1.234,56", ["code"]),
    ("1234,56", ["code"]),
    ("1,234.56", ["code"]),
    ("1.234,57", []),
    ("DE89370400440532013000", ["iban"]),
    ("DE89 3704 0044 0532 0130 00", ["iban"]),
    ("00440532", ["iban"]),
    ("RE-2024-000123", ["number"]),
    ("re2024000123", ["number"]),
    ("000123", ["number"]),
    ("2024-0001", ["number"]),
    ("RE-2024-000124", []),
    ("foo.bar@example.com", ["mail"]),
    ("@example.com", ["mail"]),
    ("email", ["mail"]),
    ("e-mail", ["mail"]),
    # scripts written without spaces, and from right to left
    ("請求書", ["japanese"]),
    ("求書", ["japanese"]),
    ("東", ["japanese"]),
    ("123号", ["japanese"]),
    ("发票", ["chinese"]),
    ("계약", ["korean"]),
    ("ไฟฟ้า", ["thai"]),
    ("عقد", ["arabic"]),
    ("العقد", ["arabic"]),
    ("חשבונית", ["hebrew"]),
    # nothing has all the words: most of them
    ("rechnung müller quarzuhr", ["umlaut"]),
    ("quarzuhr", []),
]


@pytest.fixture(scope="module", params=KINDS)
def library(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SearchIndex]:
    with fresh_index(request.param, tmp_path_factory.mktemp("library")) as made:
        made.write_all(entry(document_id, text) for document_id, text in LIBRARY.items())
        yield made


@pytest.mark.parametrize(("text", "expected"), TABLE)
def test_a_query_finds_these_documents_in_this_order(library: SearchIndex, text: str, expected: list[str]) -> None:
    """`a|b` stands for both, in either order."""
    found = ids(ask(library, text))
    ranks = [group.split("|") for group in expected]
    assert len(found) == sum(len(rank) for rank in ranks), found
    for rank in ranks:
        assert sorted(found[: len(rank)]) == sorted(rank)
        found = found[len(rank) :]


@pytest.mark.parametrize(
    "text", ["versicherung", "MUELLER", "A 1312 B", "a1312b", "求書", "versciherung", "haftpfl", "עברית חשבונית"]
)
def test_every_hit_shows_what_matched_and_on_which_page(library: SearchIndex, text: str) -> None:
    hits = ask(library, text).hits
    assert hits
    for hit in hits:
        assert hit.pages == (1,)
        assert hit.matched_fields == ("pages",)
        assert any(part.hit for part in hit.snippets[0].parts)


@pytest.mark.parametrize(
    "text",
    ['"', "'", "-", "*", "(((", "a AND", "OR", "NOT x", "title:x", "[1 TO", "x^2", "~", "\\", "a:b:c", ". -", "/.*/",
     "\0", "-\"", '"" ""', "+x", "&&", "{}", "?", "x" * 5000, "a " * 5000, "%_", "<b>", "*:*", "- -a"],
)  # fmt: skip
def test_nothing_that_is_typed_is_a_syntax_error(library: SearchIndex, text: str) -> None:
    assert ask(library, text).total >= 0


def test_an_index_without_documents_finds_nothing(index: SearchIndex) -> None:
    results = ask(index, "anything", facets=(Facet.TAG,))
    assert (results.hits, results.total, results.facets) == ((), 0, {Facet.TAG: ()})


def test_without_words_the_newest_documents_come_first(index: SearchIndex) -> None:
    index.write_all(entry(f"{day}", "text", received_at=RECEIVED + timedelta(days=day)) for day in (2, 3, 1))
    assert ids(ask(index)) == ["3", "2", "1"]
    assert ask(index).hits[0].snippets[0].parts == (SnippetPart(text="text"),)


def test_what_no_text_can_match_finds_nothing_rather_than_all(library: SearchIndex) -> None:
    assert ask(library, "😀").total == 0


def test_most_of_the_words_are_enough_only_if_nothing_has_all(index: SearchIndex) -> None:
    index.write_all([entry("two", "alpha beta"), entry("one", "alpha"), entry("other", "delta")])
    some = ask(index, "alpha beta gamma")
    assert (ids(some), some.relaxed) == (["two"], True)
    index.write(entry("all", "alpha beta gamma"))
    whole = ask(index, "alpha beta gamma")
    assert (ids(whole), whole.relaxed) == (["all"], False)


def test_words_may_stand_on_different_pages_and_in_different_fields(index: SearchIndex) -> None:
    index.write(entry("d", pages=((1, "alpha"), (2, "beta")), title="Gamma"))
    hit = ask(index, "alpha beta gamma").hits[0]
    assert set(hit.pages) == {1, 2}
    assert set(hit.matched_fields) == {"title", "pages"}
    assert line(hit.highlights["title"]) == "[Gamma]"


def test_a_phrase_does_not_run_from_one_page_to_the_next(index: SearchIndex) -> None:
    index.write(entry("d", pages=((1, "alpha"), (2, "beta"))))
    assert ask(index, '"alpha beta"').total == 0


def test_title_and_names_weigh_more_than_the_body(index: SearchIndex) -> None:
    filler = "lorem ipsum dolor sit amet " * 3
    index.write_all(
        [
            entry("body", f"stadtwerke {filler}"),
            entry("sender", filler, sender="Stadtwerke"),
            entry("title", filler, title="Stadtwerke"),
            *(entry(f"other{number}", filler) for number in range(5)),
        ]
    )
    assert ids(ask(index, "stadtwerke")) == ["title", "sender", "body"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("title", "Quittung"), ("filename", "quittung.pdf"), ("sender", "Quittung AG"), ("recipient", "Quittung AG"),
        ("reference_number", "Quittung-1"), ("tags", ("a", "Quittung")), ("summary", "Eine Quittung."),
    ],
)  # fmt: skip
def test_every_field_is_searched_and_named(index: SearchIndex, field: str, value: object) -> None:
    index.write(entry("d", "nothing", **{field: value}))
    assert ask(index, "quittung").hits[0].matched_fields == (field,)


def test_of_equal_documents_the_newer_comes_first(index: SearchIndex) -> None:
    index.write_all(entry(year, "rechnung", document_date=f"{year}-01-01") for year in ("2019", "2023", "2021"))
    assert ids(ask(index, "rechnung")) == ["2023", "2021", "2019"]


def test_words_together_come_before_words_apart(index: SearchIndex) -> None:
    index.write_all([entry("apart", "strom und wasser kosten geld"), entry("together", "und strom kosten wasser geld")])
    assert ids(ask(index, "strom kosten")) == ["together", "apart"]


def test_a_book_is_found_on_its_page(index: SearchIndex) -> None:
    pages = tuple((number, f"seite {number} " + "gewöhnlicher text " * 100) for number in range(1, 1001))
    pages = (*pages[:872], (873, pages[872][1] + "Haftpflichtversicherung von Frau Müller"), *pages[873:])
    index.write(entry("book", pages=pages))
    for text in ("haftpflichtversicherung", "versicherung", "Haftpflichtversichrung", '"frau mueller"', "haftpf"):
        hit = ask(index, text).hits[0]
        assert hit.pages[0] == 873, text
        assert "[" in snippets(hit)[873]
    assert len(ask(index, "text").hits[0].pages) == 5


def test_the_page_with_all_the_words_is_the_first(index: SearchIndex) -> None:
    index.write(entry("d", pages=((1, "strom strom"), (2, "nichts"), (3, "strom wasser"), (4, "wasser"))))
    hit = ask(index, "strom wasser").hits[0]
    assert hit.pages[0] == 3
    assert snippets(hit)[3] == "[strom] [wasser]"
    assert 2 not in hit.pages


def test_text_is_returned_as_text(index: SearchIndex) -> None:
    index.write(entry("d", "<script>alert(1)</script> & rechnung"))
    assert snippets(ask(index, "rechnung").hits[0]) == {1: "<script>alert(1)</script> & [rechnung]"}


FILTERED = [
    entry("a", "text", owner="ann", status=Status.READY, document_type="invoice", tags=("x", "y"), sender="ACME, Inc.",
          language="de", document_date=date(2023, 12, 31), received_at=RECEIVED),
    entry("b", "text", owner="ben", status=Status.ATTENTION, document_type="letter", tags=("x",), sender="acme",
          language="en", document_date=date(2024, 1, 1), received_at=RECEIVED + timedelta(hours=1)),
    entry("c", "text", owner="ben", received_at=RECEIVED + timedelta(hours=2)),
    entry("t", "text", owner="ben", status=Status.TRASHED, tags=("x",)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, "abc"),
        ({"owner": "ben"}, "bc"),
        ({"owner": "ben OR ann"}, ""),
        ({"status": "attention"}, "b"),
        ({"status": "trashed"}, ""),
        ({"document_type": "invoice"}, "a"),
        ({"tags": ("x",)}, "ab"),
        ({"tags": ("x", "y")}, "a"),
        ({"tags": ("X",)}, ""),
        ({"sender": "ACME, Inc."}, "a"),
        ({"language": "en"}, "b"),
        ({"date_from": "2024-01-01"}, "b"),
        ({"date_to": "2023-12-31"}, "a"),
        ({"date_from": "2023-12-31", "date_to": "2024-01-01"}, "ab"),
        ({"received_from": RECEIVED + timedelta(hours=1)}, "bc"),
        ({"received_to": RECEIVED + timedelta(hours=1)}, "ab"),
        ({"owner": "ben", "tags": ("x",), "language": "en"}, "b"),
    ],
)
@pytest.mark.parametrize("text", ["", "text"])
def test_filters_narrow_the_result(index: SearchIndex, text: str, filters: dict[str, object], expected: str) -> None:
    index.write_all(FILTERED)
    results = ask(index, text, **filters)
    assert "".join(sorted(ids(results))) == expected
    assert results.total == len(expected)


def test_facets_count_the_whole_result_not_the_page(index: SearchIndex) -> None:
    index.write_all(FILTERED)
    results = ask(index, "text", facets=tuple(Facet), page_size=1)
    assert results.total == 3
    assert results.facets == {
        Facet.DOCUMENT_TYPE: (FacetCount(value="invoice", count=1), FacetCount(value="letter", count=1)),
        Facet.SENDER: (FacetCount(value="ACME, Inc.", count=1), FacetCount(value="acme", count=1)),
        Facet.TAG: (FacetCount(value="x", count=2), FacetCount(value="y", count=1)),
        Facet.LANGUAGE: (FacetCount(value="de", count=1), FacetCount(value="en", count=1)),
        Facet.YEAR: (FacetCount(value="2023", count=1), FacetCount(value="2024", count=1)),
    }


def test_facets_of_one_owner_say_nothing_about_another(index: SearchIndex) -> None:
    index.write_all(FILTERED)
    assert ask(index, owner="ann", facets=(Facet.TAG,)).facets[Facet.TAG][0] == FacetCount(value="x", count=1)


@pytest.mark.parametrize(
    ("ordering", "expected"),
    [
        (Ordering.DATE, ["a", "b", "c"]),
        (Ordering.DATE_NEWEST, ["c", "b", "a"]),
        (Ordering.RECEIVED, ["a", "b", "c"]),
        (Ordering.RECEIVED_NEWEST, ["c", "b", "a"]),
    ],
)
def test_hits_can_be_ordered(index: SearchIndex, ordering: Ordering, expected: list[str]) -> None:
    index.write_all(FILTERED)
    assert ids(ask(index, "text", ordering=ordering)) == expected


def test_titles_sort_without_regard_to_case_and_accents(index: SearchIndex) -> None:
    index.write_all(entry(title, title=title) for title in ("Zebra", "übung", "Anfang"))
    assert ids(ask(index, ordering=Ordering.TITLE)) == ["Anfang", "übung", "Zebra"]


def test_pages_of_the_result_neither_overlap_nor_leave_out(index: SearchIndex) -> None:
    index.write_all(entry(f"d{number:03}", "text") for number in range(25))
    pages = [ids(ask(index, "text", page=page, page_size=10)) for page in (1, 2, 3, 4)]
    assert [len(page) for page in pages] == [10, 10, 5, 0]
    assert len({document_id for page in pages for document_id in page}) == 25
    assert ask(index, "text", page=4, page_size=10).total == 25
    assert ask(index, "text", page=100_000, page_size=200).total == 25


def test_an_entry_takes_the_place_of_the_former_one(index: SearchIndex) -> None:
    long = tuple((number, "langer text " * 500) for number in range(1, 9))
    index.write(entry("d", pages=long))
    index.write(entry("d", "kurz", version=2))
    assert ask(index, "langer").total == 0
    assert ids(ask(index, "kurz")) == ["d"]
    assert index.version_of("d") == 2
    assert list(index.ids()) == ["d"]


def test_of_two_entries_in_one_batch_the_later_stays(index: SearchIndex) -> None:
    assert index.write_all([entry("d", "alt"), entry("d", "neu", version=2)]) == 2
    assert (ask(index, "alt").total, ask(index, "neu").total) == (0, 1)


def test_what_is_removed_is_gone(index: SearchIndex) -> None:
    index.write_all([entry("a", "text"), entry("b", "text")])
    index.remove("a")
    index.remove("a")
    assert ids(ask(index, "text")) == ["b"]
    assert index.version_of("a") is None
    assert list(index.ids()) == ["b"]


def test_a_reset_empties_the_index_and_starts_a_new_generation(index: SearchIndex) -> None:
    index.write(entry("a", "text"))
    before = index.generation
    index.prepare()
    assert index.generation == before
    index.reset()
    assert index.generation != before
    assert ask(index, "text").total == 0
    index.write(entry("b", "text"))
    assert ids(ask(index, "text")) == ["b"]


def test_a_missing_index_is_unavailable_not_empty(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        ask(TantivySearchIndex(tmp_path / "none"), "text")
    with search_server() as (url, key), pytest.raises(Unavailable):
        ask(MeilisearchSearchIndex(MeilisearchClient(url, key), name="documents-none"), "text")
