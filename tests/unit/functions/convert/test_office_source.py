"""What the jailed worker may name for LibreOffice: files of its own scratch directory by the names we know."""

from pathlib import Path

import pytest

from functions.convert.converter import office_source
from shared.errors import FailureCode, StepFailed


def task(source: str, suffix: str = ".docx") -> dict[str, str]:
    return {"source": source, "suffix": suffix, "filter": "", "filter_options": ""}


@pytest.mark.parametrize("name", ["source", "opened", "prepared.txt", "prepared.csv"])
def test_prepared_files_are_taken(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("x")
    assert office_source(tmp_path, task(name)).path == tmp_path / name


@pytest.mark.parametrize("name", ["/etc/hostname", "../secret", "source/../../secret", ".", "", "missing", "other"])
def test_no_other_file_is_read_on_the_workers_word(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret").write_text("x")
    scratch = tmp_path / "scratch"
    (scratch / "source").mkdir(parents=True)
    (scratch / "other").write_text("x")
    with pytest.raises(StepFailed) as failed:
        office_source(scratch, task(name))
    assert failed.value.code is FailureCode.CONVERSION_FAILED


@pytest.mark.parametrize("suffix", ["/../x", ".docx/../../x", "docx", "", ".", ".DOCX\n", ".verylongsuffix"])
def test_a_suffix_leads_nowhere(tmp_path: Path, suffix: str) -> None:
    (tmp_path / "source").write_text("x")
    with pytest.raises(StepFailed):
        office_source(tmp_path, task("source", suffix))


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    (tmp_path / "source").symlink_to(tmp_path / "secret")
    with pytest.raises(StepFailed):
        office_source(tmp_path, task("source"))
