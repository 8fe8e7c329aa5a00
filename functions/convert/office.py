"""A resident LibreOffice in the jail: started by the first file, used for many, replaced after any failure.

Two jailed processes share one scratch directory: LibreOffice itself, which may only listen on a unix socket, and the
driver (`office_driver`), which may only connect to it. Neither reaches the network or files of others.
"""

import contextlib
import hashlib
import logging
import os
import secrets
import shutil
import signal
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from shared.errors import FailureCode, StepFailed, Unavailable
from shared.jail import JailCrashed, JailedProcess, JailedWorker, JailTimeout, Limits, Sockets, spawn_jailed

logger = logging.getLogger(__name__)

DRIVER = "functions.convert.office_driver:METHODS"
PIPE_DIRECTORY = Path("/tmp")  # noqa: S108 (LibreOffice makes its sockets nowhere else)
READABLE = tuple(map(Path, ("/etc/libreoffice", "/var/lib/libreoffice", "/var/spool/libreoffice", "/etc/locale.alias")))
START_SECONDS = 45.0
FIRST_START_STATUS = 81
"""LibreOffice's way to say that it has made a new profile and wants to be started once more."""
MIN_MEMORY_BYTES = 1536 * 1024 * 1024

FONTS_FILE = "fonts.conf"
FONTS = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd">
<fontconfig>
  <include ignore_missing="yes">/etc/fonts/fonts.conf</include>
  <selectfont><rejectfont><pattern><patelt name="color"><bool>true</bool></patelt></pattern></rejectfont></selectfont>
</fontconfig>
"""
"""LibreOffice before 7.5 leaves glyphs of colour fonts out of its PDFs; without such fonts it takes the outlines of
others.
"""

# Nothing runs by itself, nothing is fetched, whatever a document asks for.
PROFILE = """<?xml version="1.0" encoding="UTF-8"?>
<oor:items xmlns:oor="http://openoffice.org/2001/registry" xmlns:xs="http://www.w3.org/2001/XMLSchema"
xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"> {items}
</oor:items>
"""
SECURITY = "/org.openoffice.Office.Common/Security/Scripting"
PROFILE_VALUES = (
    (SECURITY, "MacroSecurityLevel", "3"),
    (SECURITY, "DisableMacrosExecution", "true"),
    (SECURITY, "BlockUntrustedRefererLinks", "true"),
    (SECURITY, "DisableActiveContent", "true"),
    ("/org.openoffice.Office.Writer/Content/Update", "Link", "2"),
    ("/org.openoffice.Office.Calc/Content/Update", "Link", "2"),
    ("/org.openoffice.Office.Calc/Formula/Load", "OOXMLRecalcMode", "1"),
    ("/org.openoffice.Office.Calc/Formula/Load", "ODFRecalcMode", "1"),
    ("/org.openoffice.Office.Common/Save/Document", "AutoSave", "false"),
    ("/org.openoffice.Office.Recovery/AutoSave", "Enabled", "false"),
    ("/org.openoffice.Office.Recovery/RecoveryInfo", "Enabled", "false"),
    ("/org.openoffice.Office.Common/Misc", "FirstRun", "false"),
    ("/org.openoffice.Office.Common/Misc", "UseOpenCL", "false"),
    ("/org.openoffice.Office.Common/History", "PickListSize", "0"),
)


@dataclass(frozen=True)
class OfficeSource:
    """A file for an office converter. `suffix` names its type; `filter` and its options say how to read plain text or
    CSV.
    """

    path: Path
    suffix: str
    filter: str = ""
    filter_options: str = ""
    grow: bool = False
    """Whether text boxes are to grow to their text, at the cost of the layout."""


@dataclass(frozen=True)
class OfficeResult:
    """What was made: by whom, and what the document hides (sheets, slides) and the PDF does not show; None where the
    converter does not tell.
    """

    converter: str
    hidden: tuple[str, ...] | None = ()


class DocumentConverter(Protocol):
    """Turns an office document into PDF."""

    @property
    def follows_options(self) -> bool:
        """Whether a source's filter, its options and `grow` are followed; if not, nothing is given that needs them."""
        ...

    def convert(self, source: OfficeSource, output: Path, *, timeout_seconds: float, trace: str = "") -> OfficeResult:
        """Writes the PDF to `output`; `trace` is a name for this in the logs of others. Raises StepFailed: corrupt,
        encrypted, conversion_failed, _timeout, converter_unavailable; and Unavailable, Throttled.
        """
        ...

    def close(self) -> None:
        """Ends what runs."""
        ...


@dataclass
class _Instance:
    """A running LibreOffice with its driver."""

    driver: JailedWorker
    program: JailedProcess
    sockets: tuple[Path, ...]
    files: int = 0

    def end(self) -> None:
        self.program.kill()
        self.driver.close()
        _remove(self.sockets)


class LibreOfficeConverter:
    """Converts with one LibreOffice at a time; calls from several threads wait for each other."""

    follows_options = True

    def __init__(self, *, program: Path, python: Path, max_files: int = 100, memory_bytes: int = 2 * 1024**3) -> None:
        self._program = program
        self._python = python
        self._max_files = max_files
        self._limits = Limits(memory_bytes=max(memory_bytes, MIN_MEMORY_BYTES), open_files=1024, cpu_seconds=24 * 3600)
        self._lock = threading.Lock()
        self._instance: _Instance | None = None

    def convert(self, source: OfficeSource, output: Path, *, timeout_seconds: float, trace: str = "") -> OfficeResult:
        """See DocumentConverter."""
        deadline = time.monotonic() + timeout_seconds
        if not self._lock.acquire(timeout=timeout_seconds):
            raise StepFailed(FailureCode.CONVERSION_TIMEOUT, determined=False)
        try:
            return self._convert(source, output, deadline)
        finally:
            self._lock.release()

    def start(self) -> None:
        """Starts LibreOffice ahead of the first file."""
        with self._lock:
            self._ready()

    def close(self) -> None:
        """Ends LibreOffice."""
        with self._lock:
            self._end()

    def _convert(self, source: OfficeSource, output: Path, deadline: float) -> OfficeResult:
        """A file that fails on a LibreOffice that has seen others gets a second chance on a new one."""
        instance = self._ready()
        if instance.files > 0:
            try:
                return self._convert_on(instance, source, output, deadline)
            except StepFailed as error:
                if error.code not in (FailureCode.CORRUPT, FailureCode.CONVERSION_FAILED):
                    raise
        return self._convert_on(self._ready(), source, output, deadline)

    def _convert_on(self, instance: _Instance, source: OfficeSource, output: Path, deadline: float) -> OfficeResult:
        instance.files += 1
        scratch = instance.driver.scratch
        work_source, work_output = scratch / f"source{source.suffix}", scratch / "result.pdf"
        shutil.copyfile(source.path, work_source)
        params = {
            "source": work_source.name,
            "output": work_output.name,
            "filter": source.filter,
            "filter_options": source.filter_options,
            "grow": source.grow,
        }
        with self._replaced_on_failure():
            answer = instance.driver.call("convert", params, timeout_seconds=max(deadline - time.monotonic(), 0.1))
            shutil.move(work_output, output)
        work_source.unlink()
        return OfficeResult("libreoffice", tuple(answer["hidden"]))

    @contextlib.contextmanager
    def _replaced_on_failure(self) -> Iterator[None]:
        """Whatever went wrong, the next file gets a new LibreOffice."""
        try:
            yield
        except JailTimeout as error:
            self._end()
            raise StepFailed(FailureCode.CONVERSION_TIMEOUT, determined=False) from error
        except JailCrashed as error:
            # The driver fails when LibreOffice has died under it; which document it died of is certain.
            stopped = error.was_stopped or self._was_stopped()
            self._end()
            if stopped:
                raise Unavailable("LibreOffice was stopped") from error
            raise StepFailed(FailureCode.CONVERSION_FAILED) from error
        except StepFailed as failed:
            stopped = self._was_stopped()
            self._end()
            if stopped:
                raise Unavailable("LibreOffice was stopped") from failed
            raise
        except OSError as error:
            self._end()
            raise StepFailed(FailureCode.CONVERSION_FAILED) from error

    def _was_stopped(self) -> bool:
        """Whether somebody killed LibreOffice, which says nothing about the document."""
        return self._instance is not None and self._instance.program.poll() in (-signal.SIGKILL, -signal.SIGTERM)

    def _ready(self) -> _Instance:
        instance = self._instance
        if instance is not None and (instance.files >= self._max_files or instance.program.poll() is not None):
            self._end()
        if self._instance is None:
            self._instance = self._start()
        return self._instance

    def _start(self) -> _Instance:
        if not self._program.is_file() or not self._python.is_file():
            raise StepFailed(FailureCode.CONVERTER_UNAVAILABLE, determined=False)
        driver = JailedWorker(
            DRIVER,
            limits=Limits(memory_bytes=512 * 1024**2, open_files=256, cpu_seconds=3600),
            interpreter=self._python,
            sockets=Sockets.CONNECT,
            max_calls=1_000_000,
        )
        try:
            return self._start_program(driver)
        except (StepFailed, JailTimeout, JailCrashed) as error:
            driver.close()
            raise StepFailed(FailureCode.CONVERTER_UNAVAILABLE, determined=False) from error

    def _start_program(self, driver: JailedWorker) -> _Instance:
        name = f"docuelevate{secrets.token_hex(16)}"
        _write_profile(driver.scratch / "profile" / "user")
        (driver.scratch / FONTS_FILE).write_text(FONTS, encoding="utf-8")
        remove_dead_sockets()
        sockets = _socket_paths(name, driver.scratch / "profile")
        program = self._spawn(driver.scratch, name)
        try:
            answered = False
            deadline = time.monotonic() + START_SECONDS
            while not answered and time.monotonic() < deadline:
                if program.poll() == FIRST_START_STATUS:
                    _remove(sockets)
                    program = self._spawn(driver.scratch, name)
                elif program.poll() is not None:
                    break
                answered = driver.call("connect", {"name": name, "seconds": 0.5}, timeout_seconds=START_SECONDS)
        finally:
            if not answered:
                program.kill()
                _remove(sockets)
        if not answered:
            logger.error("LibreOffice did not start: status %s, %s", program.poll(), program.error_tail())
            raise StepFailed(FailureCode.CONVERTER_UNAVAILABLE, determined=False)
        for path in sockets:
            # LibreOffice opens them to every user of the machine.
            path.chmod(0o600)
        return _Instance(driver, program, sockets)

    def _spawn(self, scratch: Path, pipe: str) -> JailedProcess:
        arguments = (
            "--headless", "--invisible", "--nologo", "--nodefault", "--norestore", "--nofirststartwizard",
            "--nolockcheck",
            f"-env:UserInstallation={(scratch / 'profile').as_uri()}",
            f"--accept=pipe,name={pipe};urp;StarOffice.ComponentContext",
        )  # fmt: skip
        return spawn_jailed(
            [str(self._program), *arguments],
            limits=self._limits,
            scratch=scratch,
            readable=READABLE,
            environment={
                "SAL_USE_VCLPLUGIN": "svp",
                "SAL_DISABLE_OPENCL": "1",
                "FONTCONFIG_FILE": str(scratch / FONTS_FILE),
            },
            sockets=Sockets.LISTEN,
            socket_directory=PIPE_DIRECTORY,
        )

    def _end(self) -> None:
        if self._instance is not None:
            self._instance.end()
            self._instance = None


def _write_profile(directory: Path) -> None:
    directory.mkdir(parents=True)
    items = "\n".join(
        f'<item oor:path="{path}"><prop oor:name="{name}" oor:op="fuse"><value>{value}</value></prop></item>'
        for path, name, value in PROFILE_VALUES
    )
    (directory / "registrymodifications.xcu").write_text(PROFILE.format(items=items), encoding="utf-8")


def _socket_paths(pipe: str, profile: Path) -> tuple[Path, ...]:
    """Where LibreOffice puts the socket we ask for, and the one by which it finds others of its profile."""
    digest = hashlib.md5(profile.as_uri().encode("utf-16-le"), usedforsecurity=False).digest()
    return (
        PIPE_DIRECTORY / f"OSL_PIPE_{pipe}",
        PIPE_DIRECTORY / f"OSL_PIPE_SingleOfficeIPC_{''.join(f'{byte:x}' for byte in digest)}",
    )


def _remove(paths: tuple[Path, ...]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


def remove_dead_sockets() -> None:
    """Removes sockets of LibreOffices that were killed: those of ours that nobody listens on any more."""
    for path in PIPE_DIRECTORY.glob("OSL_PIPE_*"):
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            if path.stat().st_uid != os.getuid():
                continue
            try:
                probe.connect(str(path))
            except ConnectionRefusedError:
                path.unlink()
