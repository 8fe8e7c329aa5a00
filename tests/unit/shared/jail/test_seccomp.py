"""The filter program refuses and allows what its policy says, run on a small model of the kernel's interpreter."""

import errno
import struct

import pytest

from shared.jail.policy import Sockets
from shared.jail.seccomp import ALLOW, ARCHITECTURES, CONDITIONAL, DENIED, KILL_PROCESS, filter_program

PID = 4321
REFUSE = 0x00050000


def verdict(name: str, *arguments: int, sockets: Sockets = Sockets.NONE, may_exec: bool = False) -> int:
    """What the x86-64 filter answers to a system call."""
    numbers = (DENIED | CONDITIONAL).get(name, (0, 0))
    program = filter_program("x86_64", pid=PID, sockets=sockets, may_exec=may_exec)
    return run(program, data(numbers[0] or 0, ARCHITECTURES["x86_64"][1], *arguments))


def data(number: int, architecture: int, *arguments: int) -> bytes:
    """A `struct seccomp_data`."""
    return struct.pack("=IIQ6Q", number, architecture, 0, *(*arguments, 0, 0, 0, 0, 0, 0)[:6])


def run(program: bytes, call: bytes) -> int:
    """Interprets the few BPF instructions that the filter uses."""
    instructions = list(struct.iter_unpack("=HBBI", program))
    accumulator, position = 0, 0
    while True:
        code, if_true, if_false, value = instructions[position]
        position += 1
        if code == 0x06:
            return int(value)
        if code == 0x20:
            (accumulator,) = struct.unpack_from("=I", call, value)
        elif code == 0x54:
            accumulator &= value
        else:
            holds = {0x15: accumulator == value, 0x35: accumulator >= value, 0x45: bool(accumulator & value)}[code]
            position += if_true if holds else if_false


def test_ordinary_calls_pass() -> None:
    assert verdict("read") == ALLOW


@pytest.mark.parametrize("name", DENIED)
def test_listed_calls_are_refused(name: str) -> None:
    assert verdict(name) == REFUSE | errno.EPERM


def test_threads_may_start_but_processes_may_not() -> None:
    assert verdict("clone", 0x10000) == ALLOW
    assert verdict("clone", 17) == REFUSE | errno.EPERM
    assert verdict("clone3") == REFUSE | errno.ENOSYS
    assert verdict("fork") == REFUSE | errno.EPERM


@pytest.mark.parametrize("name", ["kill", "tgkill"])
def test_only_itself_may_be_signalled(name: str) -> None:
    assert verdict(name, PID) == ALLOW
    assert verdict(name, 1) == REFUSE | errno.EPERM


def test_limits_may_be_read_but_not_set() -> None:
    assert verdict("prlimit64", 0, 7, 0, 0x7FFF_0000_0000) == ALLOW
    assert verdict("prlimit64", 0, 7, 0x7FFF_0000_0000, 0) == REFUSE | errno.EPERM
    assert verdict("prlimit64", 0, 7, 0x1000, 0) == REFUSE | errno.EPERM


def test_the_death_signal_cannot_be_cleared() -> None:
    assert verdict("prctl", 1) == REFUSE | errno.EPERM
    assert verdict("prctl", 15) == ALLOW


@pytest.mark.parametrize(
    ("sockets", "name", "allowed"),
    [
        (Sockets.NONE, "socket", False),
        (Sockets.NONE, "connect", False),
        (Sockets.LISTEN, "socket", True),
        (Sockets.LISTEN, "bind", True),
        (Sockets.LISTEN, "connect", False),
        (Sockets.CONNECT, "socket", True),
        (Sockets.CONNECT, "connect", True),
        (Sockets.CONNECT, "bind", False),
    ],
)
def test_unix_sockets_follow_the_policy(sockets: Sockets, name: str, allowed: bool) -> None:
    assert (verdict(name, 1, 1, sockets=sockets) == ALLOW) is allowed


@pytest.mark.parametrize(("family", "kind"), [(2, 1), (2, 2), (10, 1), (16, 3), (17, 3), (1, 2)])
def test_other_sockets_are_refused_whatever_the_policy(family: int, kind: int) -> None:
    assert verdict("socket", family, kind, sockets=Sockets.CONNECT) == REFUSE | errno.EAFNOSUPPORT


def test_programs_may_be_executed_only_where_asked_for() -> None:
    assert verdict("execve") == REFUSE | errno.EPERM
    assert verdict("execve", may_exec=True) == ALLOW


def test_another_architecture_is_killed() -> None:
    program = filter_program("aarch64", pid=PID, sockets=Sockets.NONE, may_exec=False)
    assert run(program, data(0, ARCHITECTURES["x86_64"][1])) == KILL_PROCESS
    assert run(program, data(0, ARCHITECTURES["aarch64"][1])) == ALLOW
