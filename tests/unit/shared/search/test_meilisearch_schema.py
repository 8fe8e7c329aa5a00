"""How an entry becomes documents of the Meilisearch index, and what the index's version depends on."""

import json
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from shared.search import meilisearch_schema as schema
from shared.search.port import SearchEntry

RECEIVED = datetime(2024, 5, 1, 12, tzinfo=UTC)


def entry(**fields: object) -> SearchEntry:
    return SearchEntry.model_validate({"document_id": "d", "version": 3, "received_at": RECEIVED} | fields)


@given(st.text())
def test_an_exact_value_is_plain_short_and_read_back(value: str) -> None:
    written = schema.exact(value)
    assert written.isascii() and len(written) <= 468 and written == written.lower()
    assert schema.readable(written) in (value, None)


def test_characters_without_spaces_between_become_a_word_each() -> None:
    document = schema.entry_document(entry(pages=((1, "請求書 123号室 Müller"),)))
    assert document["words_1"] == ["u8acb u6c42 u66f8 123 u53f7 u5ba4 muller"]


def test_a_phrase_can_not_run_from_one_page_to_the_next() -> None:
    assert schema.entry_document(entry(pages=((1, "alpha"), (2, "beta"))))["words_1"] == ["alpha", "beta"]


def test_no_attribute_has_more_positions_than_the_server_keeps() -> None:
    """known_limitations: 65,535 positions in an attribute, eight between the values of an array."""
    pages = tuple((number, "wort " * 9_000) for number in range(1, 21))
    document = schema.entry_document(entry(pages=(*pages, (21, "lang " * 70_000))))
    words = [value for name, value in document.items() if name.startswith("words_")]
    assert len(words) > 3
    assert sum(len(value.split()) for values in words for value in values) == 20 * 9_000 + 70_000
    assert all(sum(len(value.split()) + 8 for value in values) <= 65_535 for values in words)


def test_short_documents_have_no_pages_of_their_own() -> None:
    short, long = entry(pages=((1, "text"),)), entry(pages=((1, "text " * 2_000), (2, "text " * 2_000)))
    assert (list(schema.page_documents(short)), schema.last_page(short)) == ([], 0)
    assert [page["number"] for page in schema.page_documents(long)] == [1, 2]
    assert schema.last_page(long) == 2
    assert "pages" not in schema.entry_document(long)["source"]


def test_the_name_of_an_index_tells_its_schema() -> None:
    uid = schema.new_uid("documents")
    assert schema.is_current(uid) and uid != schema.new_uid("documents")
    assert not schema.is_current("documents") and not schema.is_current("documents_000000000000_11111111")


def test_everything_filtered_or_sorted_by_is_set_so() -> None:
    settings = schema.settings({})
    full = entry(document_type="letter", sender="x", language="de", tags=("x",), document_date="2024-01-01")
    names = set(schema.entry_document(full)) | {"number"}
    assert set(settings["filterableAttributes"]) <= names
    assert set(settings["sortableAttributes"]) <= names
    json.dumps(settings)
