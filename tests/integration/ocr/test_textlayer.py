"""Words of digital PDFs, as programs of all kinds set them: by spaces, by gaps, kerned, spaced, turned, doubled."""

from collections.abc import Callable
from pathlib import Path

import pikepdf
import pytest

from functions.ocr.pdfium import geometry_of, open_document, open_page
from functions.ocr.textlayer import TextLayer, read_text_layer
from tests.integration.ocr.pdf_maker import PdfMaker, selected

Read = Callable[..., TextLayer]
KERNED = "[(Der)-300(V)70(er)-104(k)-40(\344ufer)-300(liefert)-300(die)-300(W)80(are)-300(am)-300(Montag)] TJ"


@pytest.fixture
def maker() -> PdfMaker:
    """The font has no space, as the subsets that many programs embed: a gap between words is a gap."""
    maker = PdfMaker()
    maker.font.BaseFont = pikepdf.Name("/Times-Roman")
    maker.font.Encoding = pikepdf.Dictionary(
        Type=pikepdf.Name.Encoding,
        BaseEncoding=pikepdf.Name.WinAnsiEncoding,
        Differences=pikepdf.Array([32, pikepdf.Name("/.notdef"), 160, pikepdf.Name("/.notdef")]),
    )
    return maker


@pytest.fixture
def spaced_maker() -> PdfMaker:
    return PdfMaker()


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def work(maker: PdfMaker, content: str, **keys: object) -> TextLayer:
        document = open_document(maker.page(content, **keys).save(tmp_path / "in.pdf"))
        page = open_page(document, 1)
        try:
            return read_text_layer(page, geometry_of(page, 1.0))
        finally:
            page.close()
            document.close()

    return work


def texts(layer: TextLayer) -> list[str]:
    return [word.text for line in layer.visible for word in line.words]


def text(operators: str, *, at: str = "1 0 0 1 60 700") -> str:
    return f"BT /F 12 Tf {at} Tm {operators} ET\n"


def test_kerned_words_stay_whole_where_gaps_are_the_spaces(maker: PdfMaker, read: Read) -> None:
    assert texts(read(maker, text(KERNED))) == ["Der", "Verkäufer", "liefert", "die", "Ware", "am", "Montag"]


@pytest.mark.parametrize("at", ["0 1 -1 0 300 100", "-1 0 0 -1 500 400", "0 -1 1 0 300 700"])
def test_kerned_words_stay_whole_whichever_way_the_line_runs(maker: PdfMaker, read: Read, at: str) -> None:
    assert texts(read(maker, text(KERNED, at=at))) == ["Der", "Verkäufer", "liefert", "die", "Ware", "am", "Montag"]


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_boxes_are_those_of_the_whole_words_on_turned_pages(
    maker: PdfMaker, read: Read, tmp_path: Path, rotation: int
) -> None:
    layer = read(maker, text(KERNED), Rotate=rotation)
    (seller,) = [word for line in layer.visible for word in line.words if word.text == "Verkäufer"]
    assert selected(tmp_path / "in.pdf", seller).replace(" ", "") == "Verkäufer"


def test_words_set_by_gaps_of_any_width_are_apart(maker: PdfMaker, read: Read) -> None:
    rows = [
        text(f"[(The)-{gap}(quick)-{gap}(bro)28(wn)-{gap}(fox)] TJ", at=f"1 0 0 1 60 {700 - 20 * row}")
        for row, gap in enumerate([190, 222, 333, 500, 900])
    ]
    assert texts(read(maker, "".join(rows))) == 5 * ["The", "quick", "brown", "fox"]


@pytest.mark.parametrize("spacing", [0.8, 1.5, 2.5, 4.0, 8.0])
def test_headings_with_letters_set_apart_are_words(spaced_maker: PdfMaker, read: Read, spacing: float) -> None:
    layer = read(spaced_maker, text(f"{spacing} Tc (RECHNUNG NUMMER) Tj"))
    assert texts(layer) == ["RECHNUNG", "NUMMER"]


def test_headings_with_typed_spaces_are_words(spaced_maker: PdfMaker, read: Read) -> None:
    assert texts(read(spaced_maker, text("(R E C H N U N G) Tj"))) == ["RECHNUNG"]
    assert texts(read(spaced_maker, text("(A B C D E F G) Tj"))) == ["RECHNUNG"]


@pytest.mark.parametrize("space", [-1.0, 0.0, 6.0, 25.0])
def test_justified_text_keeps_its_words(spaced_maker: PdfMaker, read: Read, space: float) -> None:
    layer = read(spaced_maker, text(f"{space} Tw (We thank you for your order) Tj"))
    assert texts(layer) == ["We", "thank", "you", "for", "your", "order"]


def test_cells_of_a_table_set_in_one_go_stay_apart(spaced_maker: PdfMaker, read: Read) -> None:
    layer = read(spaced_maker, text("[(4)-3000(2)-3000(1)-3000(12)-3000(0)-3000(0)] TJ"))
    assert texts(layer) == ["4", "2", "1", "12", "0", "0"]


def test_a_raised_mark_is_not_part_of_the_word_and_a_lowered_figure_is(spaced_maker: PdfMaker, read: Read) -> None:
    raised = "(Preis) Tj /F 7 Tf 5 Ts (1) Tj 0 Ts /F 12 Tf ( netto ) Tj"
    lowered = "(CO) Tj /F 7 Tf -2 Ts (2) Tj 0 Ts /F 12 Tf ( je km) Tj /F 7 Tf 5 Ts (2) Tj"
    assert texts(read(spaced_maker, text(raised + lowered))) == ["Preis", "1", "netto", "CO2", "je", "km2"]


@pytest.mark.parametrize("shift", [0.0, 0.2, 0.5, 1.0])
def test_text_drawn_twice_to_look_bold_counts_once(spaced_maker: PdfMaker, read: Read, shift: float) -> None:
    once = text("(Total amount 119.00) Tj")
    again = text("(Total amount ) Tj (119.00) Tj", at=f"1 0 0 1 {60 + shift} {700 - shift}")
    assert sorted(texts(read(spaced_maker, once + again))) == ["119.00", "Total", "amount"]


def test_letters_drawn_twice_count_once(spaced_maker: PdfMaker, read: Read) -> None:
    # Helvetica's widths, so that each letter comes to lie on itself, a little to the right.
    doubled = "".join(
        f"({letter}){width - 30}({letter})-30" for letter, width in zip("Summe", [667, 556, 833, 833, 556], strict=True)
    )
    assert texts(read(spaced_maker, text(f"[{doubled}] TJ"))) == ["Summe"]


def test_equal_words_in_neighbouring_rows_all_count(spaced_maker: PdfMaker, read: Read) -> None:
    rows = "".join(text("(0,00) Tj", at=f"1 0 0 1 60 {700 - 7 * row}") for row in range(8))
    assert texts(read(spaced_maker, rows)) == 8 * ["0,00"]


def test_a_character_map_with_impossible_codes_does_not_stop_the_reading(spaced_maker: PdfMaker, read: Read) -> None:
    codes = b"""/CIDInit /ProcSet findresource begin 12 dict begin begincmap
    1 begincodespacerange <00> <FF> endcodespacerange
    2 beginbfchar <41> <F0A99E80> <42> <E38081> endbfchar endcmap end end"""
    spaced_maker.font.ToUnicode = spaced_maker.pdf.make_stream(codes)
    layer = read(spaced_maker, text("(Total AB net) Tj"))
    assert [word for word in texts(layer) if word.isascii()] == ["Total", "net"]


def test_a_word_with_other_text_drawn_in_between_is_one_word(spaced_maker: PdfMaker, read: Read) -> None:
    pieces = text("(Dumm) Tj") + text("(PDF) Tj", at="1 0 0 1 70 690") + text("(y file) Tj", at="1 0 0 1 95.328 700")
    assert sorted(texts(read(spaced_maker, pieces))) == ["Dummy", "PDF", "file"]
