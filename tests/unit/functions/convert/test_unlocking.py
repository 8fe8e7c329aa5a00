"""Passwords: the right one opens, a wrong one does not, and a document without one is not opened by any."""

from pathlib import Path

import pikepdf
import pytest

from functions.convert.unlocking import unlock


def pdf(path: Path, encryption: pikepdf.Encryption | None) -> Path:
    document = pikepdf.new()
    document.add_blank_page()
    document.save(path, encryption=encryption or False)
    return path


@pytest.mark.parametrize(
    ("user", "owner", "password", "fits"),
    [("u", "o", "u", True), ("u", "o", "o", True), ("u", "o", "x", False), ("", "o", "o", True)],
)
def test_a_password_of_the_document_opens_it(tmp_path: Path, user: str, owner: str, password: str, fits: bool) -> None:
    source = pdf(tmp_path / "source", pikepdf.Encryption(user=user, owner=owner))
    assert unlock(source, password, tmp_path / "opened") == fits
    assert (tmp_path / "opened").exists() == fits
    if fits:
        assert not pikepdf.open(tmp_path / "opened").is_encrypted


def test_no_password_fits_a_document_that_needs_none(tmp_path: Path) -> None:
    assert not unlock(pdf(tmp_path / "source", None), "any", tmp_path / "opened")
    (tmp_path / "note").write_text("plain")
    assert not unlock(tmp_path / "note", "any", tmp_path / "opened")
