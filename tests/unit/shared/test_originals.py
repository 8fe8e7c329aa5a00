"""What stands in an original's metadata: all that was asked for, within what S3 takes."""

from hashlib import sha256
from urllib.parse import quote

from hypothesis import given
from hypothesis import strategies as st

from shared.events import RunOptions
from shared.originals import MAX_BYTES, Provenance, provenance_of

LONG_NAME = "発" * 80 + ".pdf"

text = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=300)


def sent_bytes(metadata: dict[str, str]) -> int:
    return sum(len(name) + len(quote(value)) for name, value in metadata.items())


def test_what_fits_is_plain_to_read() -> None:
    told = Provenance("bill.txt", "local", "api", RunOptions(language="de"), tags=("Strom", "Müll")).to_metadata()
    assert told["filename"] == "bill.txt" and told["tags"] == '["Strom", "Müll"]' and "title" not in told
    assert provenance_of(told) == Provenance(
        "bill.txt", "local", "api", RunOptions(language="de"), tags=("Strom", "Müll")
    )


def test_what_does_not_fit_plainly_is_packed_whole() -> None:
    asked = Provenance(LONG_NAME, "local", "api", title="標" * 200, tags=("税",) * 20, force=True)
    told = asked.to_metadata()
    assert list(told) == ["packed"] and sent_bytes(told) <= MAX_BYTES
    assert provenance_of(told) == asked


def test_what_does_not_fit_even_packed_loses_tags_before_its_title_and_its_name_last() -> None:
    tags = tuple(sha256(str(number).encode()).hexdigest() for number in range(100))
    asked = Provenance("bill.txt", "local", "api", title="Short", tags=tags)
    found = provenance_of(asked.to_metadata())
    assert found is not None and (found.filename, found.title) == ("bill.txt", "Short")
    assert 0 < len(found.tags) < 100 and found.tags == tags[: len(found.tags)]


@given(filename=text, owner=text, title=st.none() | st.text(max_size=1000), tags=st.lists(text, max_size=100))
def test_it_is_always_within_what_s3_takes(filename: str, owner: str, title: str | None, tags: list[str]) -> None:
    told = Provenance(filename, owner[:200], "api", title=title, tags=tuple(tags)).to_metadata()
    assert sent_bytes(told) <= MAX_BYTES
    found = provenance_of(told)
    assert found is not None and found.owner == owner[:200] and filename.endswith(found.filename)


def test_metadata_of_others_say_nothing() -> None:
    assert provenance_of({}) is None
    assert provenance_of({"packed": "no base64!"}) is None
    assert provenance_of({"filename": "a", "owner": "b", "options": "{", "tags": "7"}) == Provenance("a", "b", "")
