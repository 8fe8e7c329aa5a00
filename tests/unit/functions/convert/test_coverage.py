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


def test_other_files_have_no_package_text(tmp_path: Path) -> None:
    (tmp_path / "a.doc").write_bytes(b"\xd0\xcf\x11\xe0")
    assert package_text(tmp_path / "a.doc") is None
