"""Starts jailed processes and ends them: one spawner thread, a private scratch directory each, no survivors.

The kernel kills a child when the *thread* that started it ends (PR_SET_PDEATHSIG), so all are started by one thread
that lives as long as this process. A jailed process cannot start others, so there are no grandchildren to look after;
its process group is killed all the same, for kernels without seccomp.
"""

import atexit
import fcntl
import json
import logging
import os
import queue
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path

from shared.jail import confinement, launcher
from shared.jail.policy import Limits, Policy, Sockets, readable_paths

logger = logging.getLogger(__name__)

PROJECT_ROOT = Path(__file__).resolve().parents[2]
DIRECTORY_PREFIX = "docuelevate-jail-"
ERROR_TAIL_BYTES = 4000
CLOCK_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass
class JailedProcess:
    """A running jailed process. `scratch` is the one directory it can write to; its standard output and error go to a
    log.
    """

    popen: "subprocess.Popen[bytes]"
    scratch: Path
    log: Path
    limits: Limits
    _ended: threading.Lock = field(default_factory=threading.Lock)

    @property
    def pid(self) -> int:
        return self.popen.pid

    def poll(self) -> int | None:
        """The exit status, negative for a signal, or None while it runs."""
        return self.popen.poll()

    def wait(self, timeout_seconds: float) -> int | None:
        """Waits for the end at most so long; the exit status, or None if it still runs."""
        try:
            return self.popen.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            return None

    def kill(self) -> None:
        """Ends it and its process group at once; harmless when it has ended."""
        with self._ended:
            if self.popen.poll() is None:
                os.killpg(self.popen.pid, signal.SIGKILL)
                self.popen.wait()

    def renew_cpu_limit(self) -> None:
        """Grants `limits.cpu_seconds` from now on."""
        allowed = int(self.cpu_seconds_used()) + 1 + self.limits.cpu_seconds
        resource.prlimit(self.pid, resource.RLIMIT_CPU, (allowed, resource.prlimit(self.pid, resource.RLIMIT_CPU)[1]))

    def cpu_seconds_used(self) -> float:
        """User and system time so far, from /proc (proc_pid_stat(5), fields 14 and 15)."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS_PER_SECOND

    def error_tail(self) -> str:
        """The last of what it wrote to its output; for diagnosis only, it can hold words of a document."""
        with self.log.open("rb") as stream:
            stream.seek(max(0, self.log.stat().st_size - ERROR_TAIL_BYTES))
            return stream.read().decode("utf-8", "replace").strip()


def spawn_jailed(
    arguments: Sequence[str],
    *,
    limits: Limits | None = None,
    scratch: Path | None = None,
    readable: Sequence[Path] = (),
    environment: Mapping[str, str] | None = None,
    sockets: Sockets = Sockets.NONE,
    socket_directory: Path | None = None,
) -> JailedProcess:
    """Starts a foreign program (absolute path first) in the jail; it sees system files, `readable` and `scratch` only.

    Several programs may share one `scratch` to work together. The program must not need processes of its own.
    """
    scratch = scratch or new_scratch()
    limits = limits or Limits()
    policy = Policy(
        limits,
        str(scratch),
        readable_paths(readable),
        sockets,
        socket_directory=None if socket_directory is None else str(socket_directory),
        may_exec=True,
    )
    specification = {"entry": None, "arguments": list(arguments), "path": _import_path()}
    return _start(policy, specification, environment=environment or {})


def spawn_worker_process(
    entry: str,
    *,
    limits: Limits,
    scratch: Path,
    readable: Sequence[Path],
    environment: Mapping[str, str],
    channel: int,
    interpreter: Path | None = None,
    sockets: Sockets = Sockets.NONE,
) -> JailedProcess:
    """Starts a Python process that serves the methods of `entry` on the descriptor `channel`.

    Another `interpreter` than this one brings its own libraries; it finds of ours only the project's code.
    """
    paths = _import_path() if interpreter is None else [str(PROJECT_ROOT)]
    policy = Policy(limits, str(scratch), readable_paths([*_python_paths(entry, paths), *readable]), sockets)
    specification = {"entry": entry, "channel": channel, "path": paths}
    return _start(policy, specification, environment=environment, channel=channel, interpreter=interpreter)


def new_scratch() -> Path:
    """A new private directory with a `tmp` inside; it is removed at exit, or by the next start after a crash."""
    scratch = Path(tempfile.mkdtemp(dir=_process_directory())) / "scratch"
    (scratch / "tmp").mkdir(parents=True)
    return scratch


def remove_scratch(scratch: Path) -> None:
    """Removes what `new_scratch` made."""
    shutil.rmtree(scratch.parent, ignore_errors=True)


def missing_protections() -> tuple[str, ...]:
    """What this kernel does not offer of the jail; empty when it is complete."""
    missing = []
    if confinement.landlock_abi() == 0:
        missing.append("Landlock (files outside the scratch directory stay within reach)")
    if not confinement.seccomp_available():
        missing.append("seccomp (the network stays within reach)")
    return tuple(missing)


def protect_this_process() -> None:
    """Hides this process's memory and environment from other processes of the same user. Linux forgets it on exec."""
    confinement.hide_memory_from_peers()


def _start(
    policy: Policy,
    specification: Mapping[str, object],
    *,
    environment: Mapping[str, str],
    channel: int | None = None,
    interpreter: Path | None = None,
) -> JailedProcess:
    scratch = Path(policy.scratch)
    text = json.dumps({**specification, "parent": os.getpid(), "policy": policy.to_json()})
    command = [str(interpreter or sys.executable), "-I", "-S", launcher.__file__, text]
    descriptor, log = tempfile.mkstemp(prefix="output-", suffix=".log", dir=scratch.parent)

    def start() -> "subprocess.Popen[bytes]":
        return subprocess.Popen(  # noqa: S603 (the command is ours)
            command,
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=descriptor,
            cwd=scratch,
            env=_environment(scratch, environment),
            pass_fds=() if channel is None else (channel,),
            start_new_session=True,
        )

    try:
        return JailedProcess(_spawner().run(start), scratch, Path(log), policy.limits)
    finally:
        os.close(descriptor)


def _environment(scratch: Path, extra: Mapping[str, str]) -> dict[str, str]:
    # An allow-list: what this process knows by its own environment (keys, passwords, addresses) stays here.
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "HOME": str(scratch),
        "TMPDIR": str(scratch / "tmp"),
        "OMP_THREAD_LIMIT": "1",
        **extra,
    }


def _import_path() -> list[str]:
    return list(dict.fromkeys([str(PROJECT_ROOT), *(path for path in sys.path if Path(path).is_absolute())]))


def _python_paths(entry: str, import_path: Sequence[str]) -> list[Path]:
    """Interpreter, libraries and our own code; not the whole project directory, which can hold documents."""
    package = entry.partition(".")[0].partition(":")[0]
    own = [PROJECT_ROOT / "shared", *(Path(path) / package for path in import_path)]
    libraries = [path for path in map(Path, import_path) if path.name.endswith(("-packages", ".zip"))]
    return [Path(sys.base_prefix), Path(sys.prefix), *libraries, *own]


class _Spawner:
    """One thread that starts all jailed processes and lives as long as this process."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self._jobs: queue.SimpleQueue[tuple[Callable[[], subprocess.Popen[bytes]], Future[subprocess.Popen[bytes]]]]
        self._jobs = queue.SimpleQueue()
        threading.Thread(target=self._work, name="jail-spawner", daemon=True).start()

    def run(self, start: "Callable[[], subprocess.Popen[bytes]]") -> "subprocess.Popen[bytes]":
        future: Future[subprocess.Popen[bytes]] = Future()
        self._jobs.put((start, future))
        return future.result()

    def _work(self) -> None:
        while True:
            start, future = self._jobs.get()
            try:
                future.set_result(start())
            except (OSError, ValueError) as error:
                future.set_exception(error)


class _ProcessDirectory:
    """This process's directory for all its jails, marked by a lock that the kernel frees when the process ends."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        remove_abandoned_directories()
        self.path = Path(tempfile.mkdtemp(prefix=DIRECTORY_PREFIX)).resolve()
        self._lock = (self.path / "lock").open("w")
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        atexit.register(self._remove)

    def _remove(self) -> None:
        if os.getpid() == self.pid:
            shutil.rmtree(self.path, ignore_errors=True)


def remove_abandoned_directories() -> None:
    """Removes the jail directories of processes that were killed before they could."""
    for directory in Path(tempfile.gettempdir()).glob(f"{DIRECTORY_PREFIX}*"):
        try:
            with (directory / "lock").open("r+") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(directory, ignore_errors=True)
        except OSError:
            continue


_state_lock = threading.Lock()
_current_spawner: _Spawner | None = None
_current_directory: _ProcessDirectory | None = None


def _spawner() -> _Spawner:
    """The spawner of this process (a fork has none of its parent's threads), made at the first start."""
    global _current_spawner
    with _state_lock:
        if _current_spawner is None or _current_spawner.pid != os.getpid():
            protect_this_process()
            for protection in missing_protections():
                logger.warning("This kernel lacks %s: untrusted files are parsed with less isolation", protection)
            _current_spawner = _Spawner()
        return _current_spawner


def _process_directory() -> Path:
    global _current_directory
    with _state_lock:
        if _current_directory is None or _current_directory.pid != os.getpid():
            _current_directory = _ProcessDirectory()
        return _current_directory.path
