from functions.ocr.layout import in_reading_order, in_written_order, plain_text, with_hyphenation
from functions.ocr.models import Line
from shared.documents import Word


def line(text: str, x: float, y: float, *, step: float = 6.0, height: float = 10.0, hyphenated: bool = False) -> Line:
    words = []
    for word in text.split():
        words.append(Word(text=word, box=(x, y, x + step * len(word), y + height)))
        x += step * (len(word) + 1)
    return Line(words=tuple(words), hyphenated=hyphenated)


def test_columns_of_running_text_are_read_one_after_the_other() -> None:
    title = line("A title that goes over both columns of the page and further", 50, 40, step=8)
    left = [line(f"left {at} runs over the column", 50, 80 + 14 * at) for at in range(6)]
    right = [line(f"right {at} runs over the column", 300, 80 + 14 * at) for at in range(6)]
    interleaved = [title, *(item for pair in zip(left, right, strict=True) for item in pair)]
    texts = [item.words[0].text + item.words[1].text for item in in_reading_order(interleaved)]
    assert texts == ["Atitle", *(f"left{at}" for at in range(6)), *(f"right{at}" for at in range(6))]


def test_cells_of_a_table_are_read_row_by_row() -> None:
    column = [line(name, 50, 80 + 20 * at) for at, name in enumerate(["Screws", "Nails", "Hooks", "Total", "VAT"])]
    amounts = [line(f"{at},50", 400, 81 + 20 * at) for at in range(5)]
    assert plain_text(in_reading_order([*column, *amounts])).splitlines()[:2] == ["Screws 0,50", "Nails 1,50"]


def test_rows_of_right_to_left_text_start_at_the_right() -> None:
    rows = in_reading_order([line("שלום", 50, 80), line("חשבונית", 300, 80)])
    assert plain_text(rows) == "חשבונית שלום"


def test_the_written_order_is_kept_while_it_makes_sense() -> None:
    lines = [line("second column first", 300, 80), line("then the first", 50, 80)]
    assert in_written_order(lines) == tuple(lines)


def test_a_written_order_that_jumps_about_is_replaced() -> None:
    lines = [line(f"line {at} of the page", 50, 80 + 14 * at) for at in (5, 3, 1, 4, 0, 2, 9, 7, 8, 6)]
    ordered = in_written_order(lines)
    assert [item.box[1] for item in ordered] == sorted(item.box[1] for item in lines)


def test_words_divided_at_the_end_of_a_line_are_put_together() -> None:
    lines = with_hyphenation([line("die Recht-", 50, 80), line("schreibung ist", 50, 94), line("E-Mail-", 50, 108)])
    assert plain_text(lines) == "die Rechtschreibung ist\nE-Mail-"


def test_a_hyphen_before_a_capital_letter_stays() -> None:
    lines = (line("strong Lucene-", 50, 80, hyphenated=True), line("BM25 system", 50, 94))
    assert plain_text(lines) == "strong Lucene-BM25 system"


def test_chinese_and_japanese_words_are_written_together() -> None:
    words = tuple(
        Word(text=text, box=(50 + 20 * at, 80, 70 + 20 * at, 90)) for at, text in enumerate(["空間", "の", "検知"])
    )
    assert plain_text([Line(words=words)]) == "空間の検知"
