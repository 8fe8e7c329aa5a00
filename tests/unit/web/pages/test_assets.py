"""The addresses of files that browsers keep."""

from pathlib import Path

from web.pages.assets import Assets


def test_the_address_changes_with_any_file(tmp_path: Path) -> None:
    (tmp_path / "a.css").write_text("a {}")
    before = Assets(tmp_path).url("a.css")
    assert before == Assets(tmp_path).url("a.css")
    (tmp_path / "b.js").write_text("1")
    assert Assets(tmp_path).url("a.css") != before
