from collections.abc import Sequence

import pytest

from functions.ocr.spacing import Glyphs, words_of_line

SIZE = 10.0


def line(
    *parts: str | float,
    word_gap: float = 2.8,
    mirrored: bool = False,
    raised: Sequence[int] = (),
    lowered: Sequence[int] = (),
) -> tuple[Glyphs, list[range]]:
    """Glyphs 5 wide, next to each other; a number is a gap after which the next glyph stands.

    A gap before "_" is one that PDFium took for the end of a word; a space is one that is on the page.
    """
    text, starts, ends, written = "", [], [], []
    x = 100.0
    for part in parts:
        if not isinstance(part, str):
            x += part
            continue
        for character in part:
            width = 0.0 if character == "_" else 2.8 if character == " " else 5.0
            text += " " if character == "_" else character
            starts.append(x)
            ends.append(x + width)
            written.append(character != "_")
            x += width
    if mirrored:
        starts, ends = [-end for end in ends], [-start for start in starts]
    bases = [4.0 if at in raised else -2.0 if at in lowered else 0.0 for at in range(len(text))]
    heights = [6.0 if at in raised or at in lowered else SIZE for at in range(len(text))]
    glyphs = Glyphs(text, starts, ends, bases, heights, written.__getitem__, lambda _: SIZE, lambda _: word_gap)
    spans: list[range] = []
    for at, character in enumerate(text):
        if character != " ":
            joins = bool(spans) and spans[-1].stop == at
            spans[-1:] = [range(spans[-1].start, at + 1)] if joins else [*spans[-1:], range(at, at + 1)]
    return glyphs, spans


def words(glyphs: Glyphs, spans: list[range]) -> list[str]:
    return ["".join(glyphs.text[index] for index in word) for word in words_of_line(glyphs, spans)]


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        (("Der", 2.8, "_Ver", 1.0, "_käufer"), ["Der", "Verkäufer"]),
        (("Her", 1.0, "_r", 2.8, "_Maier"), ["Herr", "Maier"]),
        (("Ar", 1.0, "_t", 1.0, "_-Nr"), ["Art-Nr"]),
        (("Kaufpreisfor", 1.0, "_der", 1.0, "_ung"), ["Kaufpreisforderung"]),
        (("Rohstoff", 1.0, "_AG"), ["Rohstoff", "AG"]),
        (("5", 1.0, "_kg"), ["5", "kg"]),
        (("1", 1.0, "_000"), ["1", "000"]),
        (("Inhalt", 1.0, "_.", 1.0, "_."), ["Inhalt", ".", "."]),
        (("in", 1.7, "_der"), ["in", "der"]),
        (("ab ab",), ["ab", "ab"]),
    ],
)
def test_kerning_does_not_end_a_word_and_a_space_does(parts: tuple[str | float, ...], expected: list[str]) -> None:
    assert words(*line(*parts)) == expected


def test_narrow_gaps_stay_where_the_usual_ones_are_narrow_or_unknown() -> None:
    assert words(*line("of", 1.0, "_the", word_gap=1.2)) == ["of", "the"]
    assert words(*line("of", 1.0, "_the", word_gap=0.0)) == ["of", "the"]


def test_a_written_space_ends_a_word_however_narrow_it_is() -> None:
    assert words(*line("défi", -2.6, " ", "nir")) == ["défi", "nir"]


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        (("2", 24.0, "1", 24.0, "0"), ["2", "1", "0"]),
        (("von", 2.5, "1"), ["von", "1"]),
        (("•", 2.2, "Internet"), ["•", "Internet"]),
        (("acide", 5.0, "-base"), ["acide-base"]),
        (("first", -300.0, "last"), ["first", "last"]),
    ],
)
def test_a_wide_gap_ends_a_word_even_without_a_space(parts: tuple[str | float, ...], expected: list[str]) -> None:
    assert words(*line(*parts)) == expected


def apart(word: str, gap: float, sign: str = "_") -> list[str | float]:
    """The letters of a word with the same gap between all of them."""
    parts: list[str | float] = [word[0]]
    for letter in word[1:]:
        parts += [gap, sign + letter]
    return parts


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        (apart("RECHNUNG", 4.0), ["RECHNUNG"]),
        (apart("RECHNUNG", 2.8), ["RECHNUNG"]),
        ([*apart("SOLICITA", 3.0), ":"], ["SOLICITA:"]),
        ([*apart("SOLICITA", 3.0), ":", 3.0, "_el"], ["SOLICITA:", "el"]),
        ([*apart("DER", 3.0), 9.0, "_", *apart("VERTRAG", 3.0)], ["DER", "VERTRAG"]),
        ([*apart("Rechnung", 1.5, "")], ["Rechnung"]),
        ([*apart("Rech", 1.0, ""), 1.2, "_", *apart("nung", 1.0, "")], ["Rechnung"]),
        (apart("RECHNUNG", 15.0), list("RECHNUNG")),
        (apart("ABCDEFG", 3.0), list("ABCDEFG")),
        (apart("XXXXX", 3.0), list("XXXXX")),
        (apart("12345", 3.0), list("12345")),
        (["U", 3.0, "_S", 4.0, "_B", 5.0, "_V", 3.7, "_T"], list("USBVT")),
    ],
)
def test_letters_set_apart_evenly_are_one_word(parts: list[str | float], expected: list[str]) -> None:
    assert words(*line(*parts)) == expected


def test_spaces_typed_between_letters_are_taken_out_of_a_heading_only() -> None:
    assert words(*line("R E C H N U N G")) == ["RECHNUNG"]
    assert words(*line("A B C D E F")) == list("ABCDEF")
    assert words(*line("x y z")) == ["x", "y", "z"]
    assert words(*line("a 1 b 2 c 3")) == ["a", "1", "b", "2", "c", "3"]


def test_glyphs_drawn_twice_count_once_and_double_letters_twice() -> None:
    assert words(*line("S", -4.7, "S", "u", -4.7, "u", "m", -4.7, "m")) == ["Sum"]
    assert words(*line("Kasse")) == ["Kasse"]
    # A ligature is two letters at one place.
    assert words(*line("di", "f", -5.0, "f", "icult")) == ["difficult"]


@pytest.mark.parametrize(
    ("text", "raised", "lowered", "expected"),
    [
        ("Preis1", [5], [], ["Preis", "1"]),
        ("Preis12)", [5, 6, 7], [], ["Preis", "12)"]),
        ("Saver†", [5], [], ["Saver", "†"]),
        ("alert,5", [6], [], ["alert,", "5"]),
        ("1The", [0], [], ["1", "The"]),
        ("km2", [2], [], ["km2"]),
        ("CO2", [], [2], ["CO2"]),
        ("Haus2", [], [], ["Haus2"]),
        ("10th", [2, 3], [], ["10th"]),
    ],
)
def test_marks_of_footnotes_are_split_from_words(
    text: str, raised: list[int], lowered: list[int], expected: list[str]
) -> None:
    assert words(*line(text, raised=raised, lowered=lowered)) == expected


def test_lines_that_run_backward_are_judged_alike() -> None:
    assert words(*line("Ver", 1.0, "_käufer liefert", mirrored=True)) == ["Verkäufer", "liefert"]
    assert words(*line("שלום", 2.8, "_עולם", mirrored=True)) == ["שלום", "עולם"]


def test_chinese_is_not_cut_at_gaps() -> None:
    assert words(*line("中", 2.5, "文", 2.5, "姓", 2.5, "名")) == ["中文姓名"]
