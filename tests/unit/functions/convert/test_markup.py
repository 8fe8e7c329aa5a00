"""What is printed of a web page neither acts nor fetches, and keeps its words."""

import pytest

from functions.convert.markup import markdown_html, printable_html, visible_text


@pytest.mark.parametrize(
    "hostile",
    [
        "<script>evil()</script>",
        "<p onclick='evil()'>x</p>",
        "<a href='javascript:evil()'>x</a>",
        "<a href='java\nscript:evil()'>x</a>",
        "<iframe srcdoc='<script>evil()</script>'></iframe>",
        "<object data='evil'></object>",
        "<img src='x' onerror='evil()'>",
        "<body background='http://evil/'>",
        "<link rel=stylesheet href='http://evil/'>",
        "<form action='http://evil/'><button formaction='http://evil/'></button></form>",
    ],
)
@pytest.mark.parametrize("author_styles", [True, False])
def test_active_parts_are_removed(hostile: str, author_styles: bool) -> None:
    assert "evil" not in printable_html(f"<html><p>word</p>{hostile}", author_styles=author_styles)


def test_a_remote_picture_leaves_its_description() -> None:
    page = printable_html("<img src='http://example.org/a.png' alt='a cat'>", author_styles=True)
    assert "example.org" not in page
    assert "a cat" in page


def test_an_embedded_picture_stays() -> None:
    assert "data:image/png;base64,AAAA" in printable_html("<img src='data:image/png;base64,AAAA'>", author_styles=True)


def test_local_links_lose_their_target() -> None:
    assert "passwd" not in printable_html("<a href='file:///etc/passwd'>x</a>", author_styles=True)


def test_hidden_words_show_without_the_authors_styles() -> None:
    page = "<style>.x{display:none}</style><p class=x style='display:none'>word"
    assert "display" not in printable_html(page, author_styles=False)


def test_a_page_in_a_frame_is_shown() -> None:
    assert "inner words" in visible_text(
        printable_html("<iframe srcdoc='<p>inner words</p>'></iframe>", author_styles=True)
    )


def test_form_values_are_shown() -> None:
    page = printable_html(
        "<input value='Ada'><input type=checkbox checked><input type=hidden value=no>", author_styles=True
    )
    assert "Ada" in page and "☒" in page and ">no<" not in page


def test_markdown_tables_and_lists_are_laid_out() -> None:
    body = markdown_html("| a | b |\n|---|---|\n| 1 | 2 |\n\n- x\n  - y\n")
    assert "<table>" in body and body.count("<ul>") == 2


def test_an_empty_page_is_refused() -> None:
    with pytest.raises(ValueError, match="no elements"):
        printable_html("", author_styles=True)
