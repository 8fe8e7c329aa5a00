from pathlib import Path

import pytest

from local.incoming import EMPTY_FILE_PATIENCE, FIRST_REPEAT_SECONDS, Sightings, Signature, look
from shared.sources import is_being_written

FILE = Signature(size=10, modified_ns=1, inode=1)
GROWN = Signature(size=20, modified_ns=2, inode=1)
EMPTY = Signature(size=0, modified_ns=1, inode=1)
QUIET = 3.0


def test_file_is_due_once_it_was_quiet() -> None:
    sightings = Sightings(QUIET)
    assert sightings.due({"a": FILE}, 0) == []
    assert sightings.due({"a": FILE}, 2.9) == []
    assert sightings.due({"a": FILE}, 3.0) == ["a"]


def test_change_starts_the_quiet_time_again() -> None:
    sightings = Sightings(QUIET)
    sightings.due({"a": FILE}, 0)
    sightings.due({"a": GROWN}, 2)
    assert sightings.due({"a": GROWN}, 4) == []
    assert sightings.due({"a": GROWN}, 5) == ["a"]


def test_empty_file_gets_more_time() -> None:
    sightings = Sightings(QUIET)
    sightings.due({"a": EMPTY}, 0)
    assert sightings.due({"a": EMPTY}, 3) == []
    assert sightings.due({"a": EMPTY}, 3 * EMPTY_FILE_PATIENCE) == ["a"]


def test_what_stays_is_announced_again_less_and_less_often() -> None:
    sightings = Sightings(QUIET)
    sightings.due({"a": FILE}, -3)
    assert sightings.due({"a": FILE}, 0) == ["a"]
    sightings.announced("a", 0)
    assert sightings.due({"a": FILE}, FIRST_REPEAT_SECONDS - 1) == []
    assert sightings.due({"a": FILE}, FIRST_REPEAT_SECONDS) == ["a"]
    sightings.announced("a", FIRST_REPEAT_SECONDS)
    assert sightings.due({"a": FILE}, 2.9 * FIRST_REPEAT_SECONDS) == []
    assert sightings.due({"a": FILE}, 3 * FIRST_REPEAT_SECONDS) == ["a"]


def test_file_that_came_back_is_new() -> None:
    sightings = Sightings(QUIET)
    sightings.due({"a": FILE}, 0)
    sightings.due({"a": FILE}, 3)
    sightings.announced("a", 3)
    sightings.due({}, 4)
    sightings.due({"a": FILE}, 5)
    assert sightings.due({"a": FILE}, 8) == ["a"]


def test_announcement_that_failed_is_tried_again() -> None:
    sightings = Sightings(QUIET)
    sightings.due({"a": FILE}, 0)
    sightings.due({"a": FILE}, 3)
    sightings.postpone("a", 3)
    assert sightings.due({"a": FILE}, 6) == ["a"]


def test_looks_into_folders(tmp_path: Path) -> None:
    (tmp_path / "2024/scans").mkdir(parents=True)
    (tmp_path / "2024/scans/ä b.pdf").write_bytes(b"123")
    (tmp_path / "top.txt").write_bytes(b"1")
    seen = dict(look(tmp_path))
    assert sorted(seen) == ["incoming/2024/scans/ä b.pdf", "incoming/top.txt"]
    assert seen["incoming/2024/scans/ä b.pdf"].size == 3


@pytest.mark.parametrize(
    "name",
    [".hidden", "~$letter.docx", "scan.pdf.part", "scan.PDF.crdownload", "a.tmp", "b~", "Thumbs.db", ".~lock.a.odt#"],
)
def test_unfinished_files_are_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"1")
    assert dict(look(tmp_path)) == {}


def test_hidden_folders_and_links_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / ".stfolder").mkdir()
    (tmp_path / ".stfolder/file").write_bytes(b"1")
    (tmp_path / "link").symlink_to("/etc/hostname")
    (tmp_path / "loop").symlink_to(tmp_path)
    assert dict(look(tmp_path)) == {}


def test_missing_folder_is_empty(tmp_path: Path) -> None:
    assert dict(look(tmp_path / "nowhere")) == {}


def test_file_that_is_open_for_writing_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with path.open("wb"):
        assert is_being_written(path)
    assert not is_being_written(path)
