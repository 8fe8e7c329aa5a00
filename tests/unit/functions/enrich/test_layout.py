from functions.enrich.layout import FIRST_PAGES, LAST_PAGES, read
from shared.documents import DocumentText, PageText, Word


def test_words_side_by_side_are_a_line_and_wide_gaps_part_cells(laid_out):
    line = laid_out((50, 100, "Amount due"), (400, 101, "119,00 €")).lines[0]

    assert line.text == "Amount due 119,00 €"
    assert [cell.text for cell in line.cells] == ["Amount due", "119,00 €"]


def test_a_slightly_turned_line_stays_one_line():
    words = tuple(Word(text=f"w{i}", box=(50 + 30 * i, 100 + 0.5 * i, 75 + 30 * i, 109 + 0.5 * i)) for i in range(15))
    page = PageText(number=1, width=595, height=842, source="ocr", text="", words=words)

    assert len(read(DocumentText(pages=(page,))).lines) == 1


def test_lines_come_from_top_to_bottom_whatever_the_order_of_words(laid_out):
    assert [line.text for line in laid_out((50, 300, "below"), (50, 100, "above")).lines] == ["above", "below"]


def test_words_that_run_up_the_margin_belong_to_no_line():
    words = (Word(text="arXiv:1234", box=(10, 100, 20, 300)), Word(text="Title", box=(50, 100, 90, 110)))
    page = PageText(number=1, width=595, height=842, source="digital", text="", words=words)

    assert read(DocumentText(pages=(page,))).text == "Title"


def test_text_without_boxes_is_laid_out_by_its_characters(text_only):
    layout = read(text_only("Total          119.00\nThank you"))

    assert [cell.text for cell in layout.lines[0].cells] == ["Total", "119.00"]
    assert not layout.first.measured


def test_left_aligned_neighbours_are_a_block(laid_out):
    layout = laid_out((50, 100, "Anna Muster"), (50, 113, "Weg 1"), (300, 100, "elsewhere"), (50, 400, "far below"))

    assert [[cell.text for cell in block] for block in layout.first.blocks] == [
        ["Anna Muster", "Weg 1"],
        ["elsewhere"],
        ["far below"],
    ]


def test_of_a_long_document_first_and_last_pages_are_read():
    pages = tuple(PageText(number=n, width=595, height=842, source="digital", text=f"page {n}") for n in range(1, 1001))

    layout = read(DocumentText(pages=pages))

    assert [page.number for page in layout.pages] == [1, 2, 3, 4, 999, 1000]
    assert len(layout.pages) == FIRST_PAGES + LAST_PAGES and layout.page_count == 1000
