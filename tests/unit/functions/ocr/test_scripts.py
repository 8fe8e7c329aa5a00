import pytest

from functions.ocr.scripts import normalize, runs_right_to_left, segments, visual_order


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("o\ufb03ce", "office"),
        ("Recht\u00adschreibung", "Rechtschreibung"),
        ("u\u0308ber", "über"),
        ("\ufef3\ufeee\ufee1", "يوم"),
        ("\uf0d7", ""),
        ("１２３", "１２３"),
    ],
)
def test_text_is_normalized_for_search(text: str, expected: str) -> None:
    assert normalize(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Rechnung", ["Rechnung"]),
        ("3Dレーザーレーダー", ["3D", "レーザーレーダー"]),
        ("空間スキャンで検知", ["空間", "スキャン", "で", "検知"]),
        ("描述团队的", ["描", "述", "团", "队", "的"]),
        ("목표를", ["목표를"]),
    ],
)
def test_only_chinese_and_japanese_are_cut_into_words(text: str, expected: list[str]) -> None:
    assert segments(text) == expected


def test_right_to_left_words_stand_reversed_on_the_page_but_their_numbers_do_not() -> None:
    assert visual_order("שלום") == "םולש"
    assert visual_order("מס123") == "123סמ"
    assert visual_order("Total") == "Total"


def test_the_direction_of_a_line_is_that_of_most_letters() -> None:
    assert runs_right_to_left("חשבונית מס (VAT)")
    assert not runs_right_to_left("Invoice for שלום Ltd")
