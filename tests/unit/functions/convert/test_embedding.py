"""Metadata inside a copy of a PDF."""

from pathlib import Path

import pikepdf
import pytest

from functions.convert.embedding import embed
from shared.errors import FailureCode, StepFailed

FACTS = {"title": "Rechnung ]]> <b>", "author": "Nordlicht", "subject": None, "keywords": ["strom", "2025"]}


def blank(path: Path, *, signed: bool = False) -> Path:
    with pikepdf.new() as pdf:
        pdf.add_blank_page()
        if signed:
            pdf.Root.AcroForm = pikepdf.Dictionary(SigFlags=3, Fields=[])
        pdf.save(path)
    return path


def test_the_copy_says_the_same_in_both_places(tmp_path: Path) -> None:
    assert embed(blank(tmp_path / "in.pdf"), tmp_path / "out.pdf", FACTS)
    with pikepdf.open(tmp_path / "out.pdf") as pdf:
        assert str(pdf.docinfo["/Title"]) == FACTS["title"]
        assert "/Subject" not in pdf.docinfo
        xmp = pdf.open_metadata()
        assert xmp["dc:title"] == FACTS["title"]
        assert xmp["dc:subject"] == {"strom", "2025"}


def test_the_same_facts_give_the_same_bytes(tmp_path: Path) -> None:
    source = blank(tmp_path / "in.pdf")
    for name in ("a.pdf", "b.pdf"):
        embed(source, tmp_path / name, FACTS)
    assert (tmp_path / "a.pdf").read_bytes() == (tmp_path / "b.pdf").read_bytes()


def test_a_signed_pdf_is_left_alone(tmp_path: Path) -> None:
    assert not embed(blank(tmp_path / "in.pdf", signed=True), tmp_path / "out.pdf", FACTS)
    assert not (tmp_path / "out.pdf").exists()


def test_what_is_no_pdf_is_corrupt(tmp_path: Path) -> None:
    (tmp_path / "in.pdf").write_bytes(b"nothing")
    with pytest.raises(StepFailed) as failed:
        embed(tmp_path / "in.pdf", tmp_path / "out.pdf", FACTS)
    assert failed.value.code is FailureCode.CORRUPT
