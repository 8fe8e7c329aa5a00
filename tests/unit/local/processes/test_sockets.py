from pathlib import Path

from local.processes.sockets import remove, socket_directory


def test_directory_is_private(tmp_path: Path) -> None:
    directory = socket_directory(tmp_path)
    assert directory.stat().st_mode & 0o077 == 0
    remove(directory)
    assert not directory.exists()


def test_next_run_removes_what_a_killed_one_left(tmp_path: Path) -> None:
    left = socket_directory(tmp_path)
    (left / "work-1.sock").touch()
    directory = socket_directory(tmp_path)
    assert not left.exists()
    assert directory.exists()
    remove(directory)


def test_no_other_directory_is_removed(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (tmp_path / "sockets").symlink_to(precious)
    remove(socket_directory(tmp_path))
    assert precious.exists()
