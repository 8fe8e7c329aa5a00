"""What the folders of a dropped file say of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.ingest.core import MAX_OWNER_CHARACTERS, MAX_TAG_CHARACTERS, MAX_TAGS, Wishes, wishes


@pytest.mark.parametrize(
    ("key", "wished"),
    [
        ("incoming/a.pdf", Wishes()),
        ("incoming/tag=invoices/a.pdf", Wishes(("invoices",))),
        ("incoming/tag=b/tag=a/tag=b/a.pdf", Wishes(("b", "a"))),
        ("incoming/tag=a,b , c/a.pdf", Wishes(("a", "b", "c"))),
        ("incoming/2024/tag=tax/sub/a.pdf", Wishes(("tax",))),
        ("incoming/TAG=Käse & Brot/a.pdf", Wishes(("Käse & Brot",))),
        ("incoming/tag=a%2Fb%20c+d/a.pdf", Wishes(("a/b c+d",))),
        ("incoming/tag=100%/a.pdf", Wishes(("100%",))),
        ("incoming/tag=a=b/a.pdf", Wishes(("a=b",))),
        ("incoming/tag=%00 \x1b\u202ered%0a/a.pdf", Wishes(("red",))),
        ("incoming/tag=%ff/a.pdf", Wishes(("\ufffd",))),
        ("incoming/tag=/language=/owner=/a.pdf", Wishes()),
        ("incoming/language=deu/a.pdf", Wishes(language="deu")),
        ("incoming/language=de/language=en-GB/a.pdf", Wishes(language="en-GB")),
        ("incoming/language=deu+eng/a.pdf", Wishes(language="deu+eng")),
        ("incoming/language=../../etc/a.pdf", Wishes()),
        ("incoming/language=de; rm -rf/a.pdf", Wishes()),
        ("incoming/owner=anna/tag=x/a.pdf", Wishes(("x",), owner="anna")),
        ("incoming/colour=red/a.pdf", Wishes()),
        ("incoming/tag=invoices", Wishes()),
        ("incoming/tag=a.pdf", Wishes()),
        ("incoming//tag=x//a.pdf", Wishes(("x",))),
    ],
)
def test_folders_are_read_and_names_are_not(key: str, wished: Wishes) -> None:
    assert wishes(key) == wished


def test_what_is_too_much_is_cut_or_left() -> None:
    assert len(wishes("incoming/" + "".join(f"tag={n}/" for n in range(MAX_TAGS + 5)) + "a").tags) == MAX_TAGS
    assert wishes(f"incoming/tag={'x' * 900}/a").tags == ("x" * MAX_TAG_CHARACTERS,)
    assert wishes(f"incoming/owner={'x' * (MAX_OWNER_CHARACTERS + 1)}/a").owner is None
    assert wishes(f"incoming/language=de{'-x' * 60}/a").language is None


@given(st.text(max_size=60))
def test_no_key_breaks_the_reader(rest: str) -> None:
    wished = wishes(f"incoming/tag={rest}/owner={rest}/language={rest}/a")
    assert all(tag and tag.isprintable() for tag in wished.tags)
