import pytest

from functions.enrich.evidence import verified
from shared.documents import DocumentText, PageText
from shared.metadata import Evidence, Metadata, Value


def claim(quote, page=1, boxes=(), origin="model"):
    return Value[str](value="x", origin=origin, evidence=Evidence(page=page, quote=quote, boxes=boxes))


def test_a_value_whose_quote_is_in_the_text_gets_the_boxes_of_its_words(document):
    text = document((50, 100, "Muster GmbH"), (50, 114, "Berlin"))

    kept = verified(Metadata(sender=claim("Muster GmbH")), text).sender

    assert kept is not None and kept.evidence is not None
    assert kept.evidence.boxes == tuple(word.box for word in text.pages[0].words[:2])


@pytest.mark.parametrize("quote", ["Beispiel AG", "muster gmbh", ""])
def test_a_value_whose_quote_is_not_in_the_text_is_dropped(document, quote):
    assert verified(Metadata(sender=claim(quote)), document((50, 100, "Muster GmbH"))).sender is None


def test_a_quote_from_another_page_is_dropped(document):
    assert verified(Metadata(sender=claim("Muster GmbH", page=2)), document((50, 100, "Muster GmbH"))).sender is None


def test_line_breaks_and_ligatures_do_not_matter(text_only):
    text = text_only("The ﬁrst\nline of it")

    assert verified(Metadata(sender=claim("first line")), text).sender is not None


def test_a_text_without_words_gives_no_boxes(text_only):
    kept = verified(Metadata(sender=claim("Muster")), text_only("Muster GmbH")).sender

    assert kept is not None and kept.evidence is not None and kept.evidence.boxes == ()


def test_boxes_that_are_not_those_of_the_quote_are_replaced(document):
    text = document((50, 100, "Muster GmbH"), (50, 114, "Berlin"))
    berlin = text.pages[0].words[2].box

    kept = verified(Metadata(sender=claim("Muster", boxes=(berlin,))), text).sender

    assert kept is not None and kept.evidence is not None
    assert kept.evidence.boxes == (text.pages[0].words[0].box,)


def test_words_across_a_column_gap_count_as_a_quote(document):
    text = document((50, 100, "Summe"), (50, 114, "Rabatt"), (300, 100, "119,00"))

    assert verified(Metadata(sender=claim("Summe 119,00")), text).sender is not None


def test_read_values_need_a_quote_and_derived_ones_do_not(document):
    bare = Value[str](value="x", origin="model")

    kept = verified(Metadata(sender=bare, title=bare, tags=(bare,)), document((50, 100, "anything")))

    assert kept.sender is None
    assert kept.title == bare and kept.tags == (bare,)


def test_what_a_person_said_needs_no_proof(document):
    bare = Value[str](value="x", origin="user", locked=True)

    assert verified(Metadata(sender=bare), document((50, 100, "anything"))).sender == bare


def test_each_item_of_a_list_is_checked_by_itself(document):
    kept = verified(Metadata(tags=(claim("here"), claim("nowhere"))), document((50, 100, "here it is")))

    assert len(kept.tags) == 1


def test_an_empty_document_supports_nothing():
    empty = DocumentText(pages=(PageText(number=1, width=1, height=1, source="ocr", text=""),))

    assert verified(Metadata(sender=claim("a")), empty).sender is None
