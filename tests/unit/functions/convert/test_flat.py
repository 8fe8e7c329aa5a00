"""Flat OpenDocument of plain text and tables."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path

from functions.convert.flat import write_table, write_text

TEXT = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"
TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
STYLE = "{urn:oasis:names:tc:opendocument:xmlns:style:1.0}"


def test_every_line_and_its_blanks_are_kept(tmp_path: Path) -> None:
    output = tmp_path / "a.fodt"
    write_text("a < b & c\n  two  gaps\tand a tab\n", output)
    first, second = ElementTree.parse(output).getroot().iter(f"{TEXT}p")
    assert first.text == "a < b & c"
    assert [int(gap.get(f"{TEXT}c") or 0) for gap in second.iter(f"{TEXT}s")] == [2, 2]
    assert len(list(second.iter(f"{TEXT}tab"))) == 1


def test_what_xml_can_not_hold_is_left_out(tmp_path: Path) -> None:
    output = tmp_path / "a.fodt"
    write_text("a\x00b\x0bc\ufffe\U0001f600", output)
    shown = "".join("".join(line.itertext()) for line in ElementTree.parse(output).getroot().iter(f"{TEXT}p"))
    assert shown == "abc\U0001f600"


def test_cells_are_text_whatever_they_look_like(tmp_path: Path) -> None:
    output = tmp_path / "a.fods"
    write_table([("007", "1-2", "=A1"), ("x",)], 3, output)
    rows = list(ElementTree.parse(output).getroot().iter(f"{TABLE}table-row"))
    assert [["".join(cell.itertext()) for cell in row] for row in rows] == [["007", "1-2", "=A1"], ["x"]]
    kinds = {cell.get("{urn:oasis:names:tc:opendocument:xmlns:office:1.0}value-type") for row in rows for cell in row}
    assert kinds == {"string"}


def test_a_wide_table_lies_across(tmp_path: Path) -> None:
    output = tmp_path / "a.fods"
    write_table([tuple("a long cell with words" for _ in range(40))], 40, output)
    [layout] = ElementTree.parse(output).getroot().iter(f"{STYLE}page-layout-properties")
    assert layout.get(f"{STYLE}print-orientation") == "landscape"
    assert int(layout.get(f"{STYLE}scale-to-X") or 0) > 1
