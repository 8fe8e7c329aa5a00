"""The jail keeps what runs in it away from network, files, processes and secrets, and ends it in time."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from shared.errors import FailureCode, StepFailed
from shared.jail import JailCrashed, JailedPool, JailedWorker, JailTimeout, Limits, Sockets, spawn_jailed
from shared.jail.process import missing_protections

HERE = Path(__file__).parent
ENTRY = "methods:METHODS"
MEBIBYTE = 1024 * 1024
needs_full_jail = pytest.mark.skipif(bool(missing_protections()), reason="this kernel lacks Landlock or seccomp")


@pytest.fixture(autouse=True)
def import_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(HERE))


@pytest.fixture
def worker() -> Iterator[JailedWorker]:
    limits = Limits(memory_bytes=256 * MEBIBYTE, file_size_bytes=4 * MEBIBYTE, cpu_seconds=20)
    worker = JailedWorker(ENTRY, limits=limits, readable=[HERE])
    yield worker
    worker.close()


def call(worker: JailedWorker, method: str, **params: object) -> object:
    return worker.call(method, params, timeout_seconds=20)


def test_a_call_returns_its_result(worker: JailedWorker) -> None:
    assert call(worker, "echo", text="grüße", number=3) == {"text": "grüße", "number": 3}


def test_calls_share_one_process(worker: JailedWorker) -> None:
    assert call(worker, "process_id") == call(worker, "process_id") == worker.pid


@needs_full_jail
@pytest.mark.parametrize(
    ("family", "kind"),
    [
        (socket.AF_INET, socket.SOCK_STREAM),
        (socket.AF_INET, socket.SOCK_DGRAM),
        (socket.AF_INET6, socket.SOCK_STREAM),
        (socket.AF_NETLINK, socket.SOCK_RAW),
        (socket.AF_PACKET, socket.SOCK_RAW),
        (socket.AF_UNIX, socket.SOCK_STREAM),
    ],
)
def test_no_socket_can_be_opened(worker: JailedWorker, family: int, kind: int) -> None:
    assert call(worker, "open_socket", family=int(family), type=int(kind)) == "PermissionError"


def test_the_environment_is_an_allow_list(worker: JailedWorker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "do not tell")
    seen = call(worker, "environment")
    assert isinstance(seen, dict)
    assert set(seen) <= {"PATH", "LANG", "HOME", "TMPDIR", "OMP_THREAD_LIMIT", "LC_CTYPE"}
    assert seen["HOME"] == str(worker.scratch)


@needs_full_jail
def test_the_parents_environment_is_out_of_reach(worker: JailedWorker) -> None:
    assert call(worker, "read", path=f"/proc/{os.getpid()}/environ") == "PermissionError"


@needs_full_jail
def test_files_of_others_are_out_of_reach(worker: JailedWorker, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    assert call(worker, "read", path=str(tmp_path / "secret")) == "PermissionError"
    assert call(worker, "read", path="/etc/passwd") == "PermissionError"


def test_readable_paths_are_readable_but_not_writable(tmp_path: Path) -> None:
    (tmp_path / "model").write_text("data")
    worker = JailedWorker(ENTRY, readable=[HERE, tmp_path])
    try:
        assert call(worker, "read", path=str(tmp_path / "model")) == "data"
        if not missing_protections():
            assert call(worker, "write", path=str(tmp_path / "model")) == "PermissionError"
    finally:
        worker.close()


@needs_full_jail
@pytest.mark.parametrize("way", ["change_mode", "change_mode_of_open_file", "shorten", "set_attribute"])
def test_files_of_the_same_user_stay_as_they_are(tmp_path: Path, way: str) -> None:
    file = tmp_path / "document"
    file.write_text("data")
    file.chmod(0o600)
    worker = JailedWorker(ENTRY, readable=[HERE, tmp_path])
    try:
        assert call(worker, way, path=str(file)) == "PermissionError"
    finally:
        worker.close()
    assert (file.read_text(), file.stat().st_mode & 0o777, os.listxattr(file)) == ("data", 0o600, [])


@needs_full_jail
@pytest.mark.parametrize("place", ["/tmp", "/var/tmp", "/dev/shm", "/usr/lib"])
def test_nothing_outside_scratch_is_writable(worker: JailedWorker, place: str) -> None:
    assert call(worker, "write", path=f"{place}/docuelevate-jail-escape") == "PermissionError"


def test_scratch_is_writable_and_shared_with_the_parent(worker: JailedWorker) -> None:
    (worker.scratch / "input").write_text("in")
    assert call(worker, "read", path="input") == "in"
    assert call(worker, "write", path="output") == "written"
    assert (worker.scratch / "output").read_text() == "x"


@needs_full_jail
def test_no_symbolic_link_can_mislead_who_takes_the_output(worker: JailedWorker) -> None:
    assert call(worker, "link", path="output") == "PermissionError"


@needs_full_jail
def test_no_process_can_be_started(worker: JailedWorker) -> None:
    assert call(worker, "fork") == "PermissionError"
    assert call(worker, "execute") == "PermissionError"


@needs_full_jail
def test_the_parent_cannot_be_signalled(worker: JailedWorker) -> None:
    assert call(worker, "kill", pid=os.getpid()) == "PermissionError"


def test_a_memory_hog_dies_and_the_next_call_works(worker: JailedWorker) -> None:
    with pytest.raises(JailCrashed) as caught:
        call(worker, "allocate")
    assert caught.value.out_of_memory
    assert call(worker, "echo") == {}


def test_an_endless_loop_ends_at_its_deadline(worker: JailedWorker) -> None:
    with pytest.raises(JailTimeout):
        worker.call("spin", {}, timeout_seconds=0.5)
    assert call(worker, "echo") == {}


def test_the_processor_limit_counts_per_call() -> None:
    worker = JailedWorker(ENTRY, limits=Limits(cpu_seconds=1), readable=[HERE])
    try:
        with pytest.raises(JailTimeout, match="processor"):
            worker.call("spin", {}, timeout_seconds=30)
    finally:
        worker.close()


def test_a_large_file_is_refused(worker: JailedWorker) -> None:
    assert call(worker, "fill_disk", size=5 * MEBIBYTE) == "OSError"


def test_a_failed_step_keeps_its_code(worker: JailedWorker) -> None:
    with pytest.raises(StepFailed) as caught:
        call(worker, "fail")
    assert (caught.value.code, caught.value.message) == (FailureCode.ENCRYPTED, "needs a key")
    assert not caught.value.determined


def test_an_unexpected_error_is_a_crash_with_its_trace(worker: JailedWorker) -> None:
    with pytest.raises(JailCrashed) as caught:
        call(worker, "stumble")
    assert "KeyError: 'unexpected'" in caught.value.detail
    assert call(worker, "echo") == {}


def test_a_crash_names_its_signal(worker: JailedWorker) -> None:
    with pytest.raises(JailCrashed) as caught:
        call(worker, "abort")
    assert caught.value.signal == signal.SIGABRT


def test_a_killed_idle_worker_is_replaced(worker: JailedWorker) -> None:
    worker.start()
    first = worker.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: not alive(first))
    assert call(worker, "process_id") != first


def test_a_worker_is_renewed_after_its_calls() -> None:
    worker = JailedWorker(ENTRY, readable=[HERE], max_calls=2)
    try:
        pids = [call(worker, "process_id") for _ in range(4)]
    finally:
        worker.close()
    assert pids[0] == pids[1] != pids[2] == pids[3]


def test_closing_ends_the_process_and_removes_scratch(worker: JailedWorker) -> None:
    scratch = worker.scratch
    worker.start()
    pid = worker.pid
    assert pid is not None
    worker.close()
    assert not alive(pid)
    assert not scratch.exists()


def test_a_pool_works_on_several_calls_at_once() -> None:
    pool = JailedPool(ENTRY, size=2, readable=[HERE])
    try:
        with pool.worker() as first, pool.worker() as second:
            assert first.scratch != second.scratch
            assert call(first, "process_id") != call(second, "process_id")
        assert pool.call("echo", {"a": 1}, timeout_seconds=20) == {"a": 1}
    finally:
        pool.close()


def test_a_pool_makes_callers_wait_for_a_free_worker() -> None:
    pool = JailedPool(ENTRY, size=1, readable=[HERE])
    results: list[object] = []
    threads = [
        threading.Thread(target=lambda: results.append(pool.call("process_id", {}, timeout_seconds=20)))
        for _ in range(3)
    ]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        pool.close()
    assert len(results) == 3
    assert len(set(results)) == 1


def test_a_foreign_program_runs_with_the_same_walls(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    process = spawn_jailed(["/usr/bin/cat", str(tmp_path / "secret")])
    assert process.wait(20) == (0 if missing_protections() else 1)
    assert "secret\n" not in process.error_tail() + "\n" or missing_protections()


def test_a_foreign_program_can_be_killed() -> None:
    process = spawn_jailed(["/usr/bin/sleep", "1000"], sockets=Sockets.LISTEN)
    process.kill()
    assert process.poll() == -signal.SIGKILL


def test_nothing_outlives_a_killed_parent() -> None:
    parent = subprocess.Popen([sys.executable, str(HERE / "parent.py")], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    children = [int(pid) for pid in parent.stdout.readline().split()]
    assert len(children) == 2
    assert all(alive(pid) for pid in children)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    wait_until(lambda: not any(alive(pid) for pid in children))


def alive(pid: int) -> bool:
    """Whether the process runs; a zombie does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def wait_until(condition: Callable[[], bool]) -> None:
    for _ in range(3_000):
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError("the condition did not come true")
