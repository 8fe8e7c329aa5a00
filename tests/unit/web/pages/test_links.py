"""The state of a list in its address."""

from web.pages.links import Address

LIST = Address.of("/documents", [("tag", "energy"), ("sender", ""), ("cursor", "abc")])


def test_empty_parameters_are_left_out() -> None:
    assert str(LIST) == "/documents?tag=energy&cursor=abc"


def test_another_filter_begins_at_the_top() -> None:
    assert str(LIST.toggled("document_type", "invoice")) == "/documents?tag=energy&document_type=invoice"


def test_a_filter_that_is_set_is_taken_off() -> None:
    assert str(LIST.toggled("tag", "energy")) == "/documents"


def test_a_repeatable_filter_keeps_its_other_values() -> None:
    assert str(LIST.toggled("tag", "home", several=True)) == "/documents?tag=energy&tag=home"
    assert str(LIST.toggled("tag", "home")) == "/documents?tag=home"


def test_another_place_keeps_the_filters() -> None:
    assert str(LIST.at("cursor", "def")) == "/documents?tag=energy&cursor=def"


def test_values_are_encoded() -> None:
    assert str(Address.of("/search", [("q", "a&b=ü")])) == "/search?q=a%26b%3D%C3%BC"
