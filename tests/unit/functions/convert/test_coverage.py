"""Words that did not arrive in the PDF are found, whatever lines and forms they are set in."""

import zipfile
from pathlib import Path

from functions.convert.coverage import compare, package_text


def test_missing_words_are_named() -> None:
    covered = compare("alpha beta gamma", "alpha gamma")
    assert (covered.words, covered.found, covered.missing) == (3, 2, ("beta",))


def test_line_breaks_case_and_ligatures_do_not_count() -> None:
    assert compare("Finally Donaudampfschiff", "ﬁnally donau-\ndampfschiff").share == 1.0


def test_runs_of_a_word_are_joined_and_paragraphs_are_not(tmp_path: Path) -> None:
    path = tmp_path / "a.docx"
    with zipfile.ZipFile(path, "w") as package:
        package.writestr(
            "word/document.xml", "<w:p><w:t>Rech</w:t><w:t>nung</w:t></w:p><w:p><w:t>Ende &amp; aus</w:t></w:p>"
        )
    text = package_text(path)
    assert text is not None
    assert text.split() == ["Rechnung", "Ende", "&", "aus"]


def test_the_strings_of_a_binary_workbook_are_read_and_odd_bytes_do_no_harm(tmp_path: Path) -> None:
    """[MS-XLSB]; some LibreOffice reads such a file as an empty sheet."""
    words = "Übersicht der Zahlungen".encode("utf-16-le")
    item = b"\0" + (len(words) // 2).to_bytes(4, "little") + words
    strings = b"\x9f\x01\x08" + bytes(8) + bytes([19, len(item)]) + item + b"\xa0\x01\x00"
    for number, data in enumerate((strings, strings[:-20], b"\xff" * 40, b"\x13")):
        with zipfile.ZipFile(tmp_path / f"{number}.xlsb", "w") as package:
            package.writestr("xl/sharedStrings.bin", data)
    assert package_text(tmp_path / "0.xlsb") == "Übersicht der Zahlungen"
    assert (package_text(tmp_path / "1.xlsb") or "").startswith("Übersicht")
    assert not package_text(tmp_path / "2.xlsb") and not package_text(tmp_path / "3.xlsb")


def test_other_files_have_no_package_text(tmp_path: Path) -> None:
    (tmp_path / "a.doc").write_bytes(b"\xd0\xcf\x11\xe0")
    assert package_text(tmp_path / "a.doc") is None
