from collections.abc import Callable
from pathlib import Path

import pikepdf
import pytest
from PIL import Image, ImageFilter, ImageOps

from functions.ocr.models import PageKind
from tests.integration.ocr.pdf_maker import (
    LETTER,
    Outcome,
    PdfMaker,
    everything,
    picture,
    selected,
    text_content,
)

Run = Callable[[Path], Outcome]


def found(outcome: Outcome) -> list[str]:
    return outcome.text.pages[0].text.split()


def assert_letter(outcome: Outcome, number: int = 1) -> None:
    words = outcome.text.pages[number - 1].text.split()
    expected = " ".join(LETTER).split()
    assert len(set(expected) & set(words)) >= 0.95 * len(set(expected))
    assert len(words) <= 1.05 * len(expected), "nothing may be doubled"


def assert_positions(outcome: Outcome, number: int = 1) -> None:
    words = [word for word in outcome.text.pages[number - 1].words if len(word.text) > 4]
    right = [word for word in words if selected(outcome.pdf, word, number) == word.text]
    assert words and len(right) >= 0.95 * len(words)


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_a_scan_is_read_and_selectable_whatever_its_rotation(
    maker: PdfMaker, run: Run, tmp_path: Path, rotation: int
) -> None:
    # The picture lies so that /Rotate sets it upright.
    image = picture().rotate(rotation, expand=True)
    outcome = run(maker.scan(image, Rotate=rotation).save(tmp_path / "in.pdf"))
    assert outcome.pages[0].turn == 0
    assert_letter(outcome)
    assert_positions(outcome)


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_a_scan_that_lies_on_its_side_is_set_upright(maker: PdfMaker, run: Run, tmp_path: Path, turn: int) -> None:
    image = picture().rotate(turn, expand=True)
    outcome = run(maker.scan(image).save(tmp_path / "in.pdf"))
    assert outcome.pages[0].turn == turn
    with pikepdf.open(outcome.pdf) as pdf:
        assert int(pdf.pages[0].obj.Rotate) == turn
    assert_letter(outcome)
    assert_positions(outcome)


def test_positions_hold_with_a_shifted_crop_box_and_a_user_unit(maker: PdfMaker, run: Run, tmp_path: Path) -> None:
    content = "q 297.5 0 0 421 100 50 cm /Im Do Q"
    boxes = {
        "MediaBox": pikepdf.Array([0, 0, 700, 600]),
        "CropBox": pikepdf.Array([100, 50, 397.5, 471]),
        "UserUnit": 2,
    }
    outcome = run(maker.page(content, image=picture(), **boxes).save(tmp_path / "in.pdf"))
    page = outcome.text.pages[0]
    assert (page.width, page.height) == (297.5, 421)
    assert_letter(outcome)
    assert_positions(outcome)


def test_a_text_page_is_left_alone_to_the_byte(maker: PdfMaker, run: Run, tmp_path: Path) -> None:
    source = maker.page(text_content(LETTER)).save(tmp_path / "in.pdf")
    outcome = run(source)
    assert outcome.plans[0].kind is PageKind.DIGITAL
    assert outcome.pdf.read_bytes() == source.read_bytes()
    assert outcome.text.pages[0].source == "digital"
    assert_letter(outcome)
    assert_positions(outcome)


def test_a_table_of_single_letters_keeps_its_text(maker: PdfMaker, run: Run, tmp_path: Path) -> None:
    rows = "".join(
        text_content([letter], x=60 + 90 * column, y=760 - 30 * row)
        for row in range(4)
        for column, letter in enumerate("abcd")
    )
    outcome = run(maker.page(rows).save(tmp_path / "in.pdf"))
    assert outcome.plans[0].kind is PageKind.DIGITAL
    assert found(outcome).count("c") == 4


def test_a_poor_layer_stays_where_nothing_is_recognized(maker: PdfMaker, run: Run, tmp_path: Path) -> None:
    poor = text_content(["PIe;se tr^nsf*r t|he am;unt wi?th", "qu*st;ons are answ^red h?re a*d n;ow"], mode=3)
    blank = picture([" "])
    source = maker.page(poor + " q 595 0 0 842 0 0 cm /Im Do Q", image=blank).save(tmp_path / "in.pdf")
    outcome = run(source)
    assert outcome.pdf.read_bytes() == source.read_bytes()
    assert "are" in found(outcome)


def test_a_good_invisible_layer_is_kept(maker: PdfMaker, run: Run, tmp_path: Path) -> None:
    content = text_content(LETTER, x=58, y=752, size=13, mode=3) + "q 595 0 0 842 0 0 cm /Im Do Q"
    source = maker.page(content, image=picture()).save(tmp_path / "in.pdf")
    outcome = run(source)
    assert outcome.plans[0].reason == "good invisible layer"
    assert outcome.pdf.read_bytes() == source.read_bytes()
    assert_letter(outcome)


def test_a_poor_invisible_layer_gives_way_without_doubling(maker: PdfMaker, run: Run, tmp_path: Path) -> None:
    poor = ["D?ar c;u*tomer ^h^nk y°u f{r y~ur 0rd3r", "PIe;se tr^nsf*r t|he am;unt wi?th", "qu*st;ons are answ^red"]
    content = "q 595 0 0 842 0 0 cm /Im Do Q " + text_content(poor, mode=3)
    outcome = run(maker.page(content, image=picture()).save(tmp_path / "in.pdf"))
    assert outcome.plans[0].replaces_layer
    assert_letter(outcome)
    extracted = everything(outcome.pdf)
    assert "c;u*tomer" not in extracted
    assert extracted.count("transfer") == 1


def test_a_stamp_on_a_scan_is_kept_beside_the_recognized_text(maker: PdfMaker, run: Run, tmp_path: Path) -> None:
    content = "q 595 0 0 842 0 0 cm /Im Do Q " + text_content(["Received 2024-01-02"], x=400, y=820)
    outcome = run(maker.page(content, image=picture()).save(tmp_path / "in.pdf"))
    assert outcome.plans[0].kind is PageKind.MIXED
    words = found(outcome)
    assert words.count("Received") == words.count("2024-01-02") == words.count("transfer") == 1
    assert everything(outcome.pdf).count("Received") == 1


def test_an_image_in_a_text_page_is_read_beside_the_text(maker: PdfMaker, run: Run, tmp_path: Path) -> None:
    image = picture(LETTER[:3], size=(1240, 500))
    content = text_content(["Chapter one explains the delivery of the goods."]) + "q 480 0 0 200 60 300 cm /Im Do Q"
    outcome = run(maker.page(content, image=image).save(tmp_path / "in.pdf"))
    words = found(outcome)
    assert outcome.plans[0].kind is PageKind.MIXED
    assert words[:3] == ["Chapter", "one", "explains"]
    assert words.count("warehouse") == words.count("Chapter") == 1
    assert_positions(outcome)


def test_pages_of_all_kinds_in_one_document_each_get_their_own(maker: PdfMaker, run: Run, tmp_path: Path) -> None:
    maker.page(text_content(LETTER)).scan(picture()).page("").scan(Image.new("L", (1240, 1754), 255))
    outcome = run(maker.save(tmp_path / "in.pdf"))
    assert [plan.kind for plan in outcome.plans] == [PageKind.DIGITAL, PageKind.OCR, PageKind.BLANK, PageKind.OCR]
    assert [page.number for page in outcome.text.pages] == [1, 2, 3, 4]
    assert_letter(outcome, 1)
    assert_letter(outcome, 2)
    assert not outcome.text.pages[2].words and not outcome.text.pages[3].words
    with pikepdf.open(outcome.pdf) as pdf:
        assert len(pdf.pages) == 4


def test_drawn_letters_are_recognized(maker: PdfMaker, run: Run, tmp_path: Path) -> None:
    """Text as outlines: every row of dark pixels of a picture becomes a filled rectangle."""
    small = picture(["OUTLINED WORDS"], size=(700, 300), points=44).point(
        [0 if level < 128 else 255 for level in range(256)]
    )
    rows = []
    for y in range(small.height):
        line, start = small.crop((0, y, small.width, y + 1)).tobytes(), None
        for x, level in enumerate(line + b"\xff"):
            if level == 0 and start is None:
                start = x
            elif level and start is not None:
                rows.append(f"{start / 2} {500 - y / 2} {(x - start) / 2} 0.6 re f")
                start = None
    outcome = run(maker.page("\n".join(rows)).save(tmp_path / "in.pdf"))
    assert found(outcome) == ["OUTLINED", "WORDS"]


def test_text_behind_a_font_without_meaning_is_read_from_the_page(maker: PdfMaker, run: Run, tmp_path: Path) -> None:
    nothing = "1 begincodespacerange <00> <FF> endcodespacerange 1 beginbfrange <00> <FF> <E100> endbfrange"
    stream = maker.pdf.make_stream(f"/CIDInit /ProcSet findresource begin begincmap {nothing} endcmap end".encode())
    maker.font.ToUnicode = stream
    outcome = run(maker.page(text_content(LETTER)).save(tmp_path / "in.pdf"))
    assert outcome.plans[0].mutes_text
    assert_letter(outcome)
    assert not any("\ue000" <= character <= "\uf8ff" for character in everything(outcome.pdf))


def test_the_value_of_a_form_field_is_in_the_text(maker: PdfMaker, run: Run, tmp_path: Path) -> None:
    maker.page(text_content(["Name of the applicant"]))
    fonts = pikepdf.Dictionary(Font=pikepdf.Dictionary(F=maker.font))
    look = maker.pdf.make_stream(b"/Tx BMC BT /F 11 Tf 2 4 Td (Ada Lovelace) Tj ET EMC")
    look.Type, look.Subtype, look.BBox, look.Resources = pikepdf.Name.XObject, pikepdf.Name.Form, [0, 0, 200, 18], fonts
    field = pikepdf.Dictionary(
        Type=pikepdf.Name.Annot, Subtype=pikepdf.Name.Widget, FT=pikepdf.Name.Tx, T=pikepdf.String("name"),
        V=pikepdf.String("Ada Lovelace"), Rect=[60, 700, 260, 718], F=4, AP=pikepdf.Dictionary(N=look),
    )  # fmt: skip
    reference = maker.pdf.make_indirect(field)
    maker.pdf.pages[0].obj.Annots = pikepdf.Array([reference])
    maker.pdf.Root.AcroForm = pikepdf.Dictionary(Fields=[reference])
    outcome = run(maker.save(tmp_path / "in.pdf"))
    assert outcome.text.pages[0].text == "Name of the applicant\nAda Lovelace"
    assert outcome.text.pages[0].words[-1].box[1] == pytest.approx(842 - 716, abs=6)


@pytest.mark.parametrize(
    "change",
    [
        ImageOps.invert,
        lambda image: image.point([150 + level // 4 for level in range(256)]),
        lambda image: image.resize((620, 877)),
        lambda image: image.filter(ImageFilter.GaussianBlur(1)),
        lambda image: image.convert("RGB"),
    ],
    ids=["inverted", "low contrast", "coarse", "blurred", "colour"],
)
def test_difficult_pictures_are_read(
    maker: PdfMaker, run: Run, tmp_path: Path, change: Callable[[Image.Image], Image.Image]
) -> None:
    assert_letter(run(maker.scan(change(picture())).save(tmp_path / "in.pdf")))


def test_a_picture_without_text_is_a_result_without_words(maker: PdfMaker, run: Run, tmp_path: Path) -> None:
    hills = Image.radial_gradient("L").resize((1240, 1754))
    outcome = run(maker.scan(hills).save(tmp_path / "in.pdf"))
    assert outcome.pages[0].failure is None
    assert outcome.text.pages[0].words == ()


def test_figures_in_the_cells_of_a_table_are_found(maker: PdfMaker, run: Run, tmp_path: Path) -> None:
    from PIL import ImageDraw, ImageFont

    from tests.integration.ocr.pdf_maker import FONT

    image = Image.new("L", (1240, 900), 255)
    draw, font = ImageDraw.Draw(image), ImageFont.truetype(FONT, 28)
    draw.rectangle((100, 100, 1100, 180), fill=170)
    rows = [("Article", "Count", "Price"), ("Screws", "5", "12.50"), ("Nails", "3", "7.20"), ("Hooks", "8", "3.10")]
    for at, row in enumerate(rows):
        draw.rectangle((100, 100 + 80 * at, 1100, 180 + 80 * at), outline=0, width=2)
        for column, text in enumerate(row):
            draw.text((130 + 360 * column, 122 + 80 * at), text, font=font, fill=0)
    page = "q 595 0 0 432 0 300 cm /Im Do Q"
    outcome = run(maker.page(page, image=image).save(tmp_path / "in.pdf"))
    lines = outcome.text.pages[0].text.splitlines()
    assert lines == [" ".join(row) for row in rows]


def test_the_same_input_gives_the_same_bytes(maker: PdfMaker, run: Run, tmp_path: Path) -> None:
    source = maker.scan(picture()).save(tmp_path / "in.pdf")
    first = run(source).pdf.read_bytes()
    assert run(source).pdf.read_bytes() == first
