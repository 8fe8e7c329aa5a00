"""The form reader gives the same whatever pieces the body comes in."""

import itertools
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from web.errors import RequestError
from web.multipart import FormReader, MalformedForm

BODY = (
    '--B\r\nContent-Disposition: form-data; name="title"\r\n\r\nGrüße\r\n'
    '--B\r\nContent-Disposition: form-data; name="file"; filename="ä%22.txt"\r\nContent-Type: text/plain\r\n\r\n'
    "line\r\n--Bx not a boundary\r\n\r\n"
    "--B\r\ncontent-disposition: form-data; name=file; filename*=UTF-8''n%C3%A4me.txt\r\n\r\n\r\n--B--\r\nepilogue"
).encode()


@dataclass
class Collected:
    files: list[tuple[str, str, str, bytes]] = field(default_factory=list)

    def begin(self, field: str, filename: str, media_type: str) -> None:
        self.files.append((field, filename, media_type, b""))

    def write(self, piece: memoryview) -> None:
        name, filename, media_type, body = self.files[-1]
        self.files[-1] = (name, filename, media_type, body + bytes(piece))

    def end(self) -> None:
        return


@given(st.lists(st.integers(0, len(BODY)), max_size=20))
def test_pieces_do_not_matter(cuts: list[int]) -> None:
    collected = Collected()
    reader = FormReader("multipart/form-data; boundary=B", collected)
    places = [0, *sorted(cuts), len(BODY)]
    for start, end in itertools.pairwise(places):
        reader.feed(BODY[start:end])
    reader.finish()
    assert reader.fields == {"title": ["Grüße"]}
    assert collected.files == [
        ("file", "ä%22.txt", "text/plain", b"line\r\n--Bx not a boundary\r\n"),
        ("file", "näme.txt", "", b""),
    ]


@given(st.binary(max_size=300))
def test_any_rubbish_is_read_or_refused(body: bytes) -> None:
    reader = FormReader("multipart/form-data; boundary=B", Collected())
    try:
        reader.feed(b"--B\r\n" + body)
        reader.finish()
    except RequestError as error:
        assert error.status_code in (400, 413)


@pytest.mark.parametrize(
    "content_type",
    ["multipart/form-data", "multipart/form-data; boundary=", f"multipart/form-data; boundary={'x' * 71}"],
)
def test_a_form_needs_a_boundary(content_type: str) -> None:
    with pytest.raises(MalformedForm):
        FormReader(content_type, Collected())


def test_what_nearly_is_a_boundary_is_not_passed_on_in_crumbs() -> None:
    class Counting(Collected):
        writes = 0

        def write(self, piece: memoryview) -> None:
            self.writes += 1
            super().write(piece)

    content, collected = b"\r\n--B-" * 50_000, Counting()
    reader = FormReader("multipart/form-data; boundary=B", collected)
    reader.feed(
        b'--B\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n' + content + b"\r\n--B--\r\n"
    )
    reader.finish()
    assert collected.files[0][3] == content and collected.writes < 10
