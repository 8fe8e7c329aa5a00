"""Confines the calling process for good: resource limits, no privileges, Landlock, seccomp. Linux, standard library
only.

It runs in the child before any untrusted byte is read. Namespaces are not used: restricted pods refuse them.
Sources: landlock(7), seccomp(2), include/uapi/linux/{landlock,seccomp,filter,prctl}.h.
"""

import ctypes
import errno
import os
import platform
import resource
import signal
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

from shared.jail.policy import Limits, Policy, Sockets
from shared.jail.seccomp import filter_program

_libc = ctypes.CDLL(None, use_errno=True)

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_SECCOMP = 22
PR_CAPBSET_DROP = 24
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_CLEAR_ALL = 4
SECCOMP_MODE_FILTER = 2
CAPABILITY_VERSION_3 = 0x20080522
HIGHEST_CAPABILITY = 63

# The same numbers on x86-64 and arm64.
SYS_LANDLOCK_CREATE_RULESET = 444
SYS_LANDLOCK_ADD_RULE = 445
SYS_LANDLOCK_RESTRICT_SELF = 446
SYS_CAPSET = {"x86_64": 126, "aarch64": 91}
LANDLOCK_CREATE_RULESET_VERSION = 1
LANDLOCK_RULE_PATH_BENEATH = 1

FS_EXECUTE = 1 << 0
FS_WRITE_FILE = 1 << 1
FS_READ_FILE = 1 << 2
FS_READ_DIR = 1 << 3
FS_REMOVE_DIR = 1 << 4
FS_REMOVE_FILE = 1 << 5
FS_MAKE_DIR = 1 << 7
FS_MAKE_REG = 1 << 8
FS_MAKE_SOCK = 1 << 9
FS_REFER = 1 << 13
FS_TRUNCATE = 1 << 14
FS_RIGHTS_BY_ABI = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1, 5: (1 << 16) - 1}
NET_BIND_AND_CONNECT_TCP = 3
SCOPE_ABSTRACT_SOCKETS_AND_SIGNALS = 3

READ_FILE_RIGHTS = FS_EXECUTE | FS_READ_FILE
READ_RIGHTS = READ_FILE_RIGHTS | FS_READ_DIR
# No symbolic links, devices or pipes: whoever takes results out of the scratch directory must be able to trust a name.
SCRATCH_RIGHTS = (
    FS_READ_FILE | FS_READ_DIR | FS_WRITE_FILE | FS_TRUNCATE | FS_REFER
    | FS_REMOVE_DIR | FS_REMOVE_FILE | FS_MAKE_DIR | FS_MAKE_REG
)  # fmt: skip
DEVICES = {"/dev/null": FS_READ_FILE | FS_WRITE_FILE, "/dev/zero": FS_READ_FILE, "/dev/urandom": FS_READ_FILE}


NICENESS = 5
"""Long work on documents gives way to whoever waits for an answer on the same machine."""


def landlock_abi() -> int:
    """The Landlock version of this kernel; 0 without Landlock."""
    version: int = _libc.syscall(SYS_LANDLOCK_CREATE_RULESET, None, 0, LANDLOCK_CREATE_RULESET_VERSION)
    return max(0, version)


def seccomp_available() -> bool:
    """Whether this kernel filters system calls, and we know its table of numbers."""
    return platform.machine() in SYS_CAPSET and Path("/proc/sys/kernel/seccomp/actions_avail").exists()


def hide_memory_from_peers() -> None:
    """Makes /proc/<this process>/{environ,mem,…} unreadable for the other processes of its user (PR_SET_DUMPABLE)."""
    _prctl(PR_SET_DUMPABLE, 0)


def die_with_parent(parent_pid: int) -> None:
    """Has the kernel kill this process when the thread that started it ends, however it ends."""
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:
        os._exit(1)


def confine(policy: Policy) -> None:
    """Applies the whole policy to this process, irrevocably. The process must have one thread only."""
    os.nice(NICENESS)
    limit_resources(policy.limits)
    drop_privileges()
    restrict_files(policy)
    if seccomp_available():
        filter_system_calls(policy)


def limit_resources(limits: Limits) -> None:
    """Sets the limits; the CPU limit stays open at the top, for the parent renews it with every call."""
    resource.setrlimit(
        resource.RLIMIT_CPU, (_capped(resource.RLIMIT_CPU, limits.cpu_seconds), _hard(resource.RLIMIT_CPU))
    )
    for kind, value in (
        (resource.RLIMIT_DATA, limits.memory_bytes),
        (resource.RLIMIT_AS, limits.address_space_bytes),
        (resource.RLIMIT_FSIZE, limits.file_size_bytes),
        (resource.RLIMIT_NOFILE, limits.open_files),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MEMLOCK, 0),
    ):
        capped = _capped(kind, value)
        resource.setrlimit(kind, (capped, capped))


def drop_privileges() -> None:
    """Gives up all capabilities and the ability to regain any, so that root in here is an ordinary user."""
    _prctl(PR_SET_NO_NEW_PRIVS, 1)
    for capability in range(HIGHEST_CAPABILITY + 1):
        _libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)
    _libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    number = SYS_CAPSET.get(platform.machine())
    if number is not None:
        header = struct.pack("=Ii", CAPABILITY_VERSION_3, 0)
        _checked(_libc.syscall(number, header, bytes(24)), "capset")


def restrict_files(policy: Policy) -> None:
    """Leaves only the readable paths and the scratch directory within reach (and no TCP, no foreign signals)."""
    abi = landlock_abi()
    if abi == 0:
        return
    handled = FS_RIGHTS_BY_ABI[min(abi, max(FS_RIGHTS_BY_ABI))]
    ruleset = _create_ruleset(abi, handled)
    for path, rights in _file_rules(policy):
        _allow(ruleset, path, rights & handled)
    _checked(_libc.syscall(SYS_LANDLOCK_RESTRICT_SELF, ruleset, 0), "landlock_restrict_self")
    os.close(ruleset)


def filter_system_calls(policy: Policy) -> None:
    """Installs the seccomp filter for good."""
    program = filter_program(platform.machine(), pid=os.getpid(), sockets=policy.sockets, may_exec=policy.may_exec)
    instructions = ctypes.create_string_buffer(program, len(program))

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))

    filter_ = Program(len(program) // 8, ctypes.cast(instructions, ctypes.c_void_p))
    _prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(filter_))


def _create_ruleset(abi: int, handled: int) -> int:
    # struct landlock_ruleset_attr grew with the versions; older kernels refuse the longer one.
    attributes = struct.pack("=Q", handled)
    if abi >= 4:
        attributes += struct.pack("=Q", NET_BIND_AND_CONNECT_TCP)
    if abi >= 6:
        attributes += struct.pack("=Q", SCOPE_ABSTRACT_SOCKETS_AND_SIGNALS)
    number = _libc.syscall(SYS_LANDLOCK_CREATE_RULESET, attributes, len(attributes), 0)
    return _checked(number, "landlock_create_ruleset")


def _file_rules(policy: Policy) -> Iterator[tuple[str, int]]:
    for path in policy.readable:
        yield path, READ_RIGHTS if Path(path).is_dir() else READ_FILE_RIGHTS
    for device, rights in DEVICES.items():
        if Path(device).exists():
            yield device, rights
    listens = policy.sockets is Sockets.LISTEN
    yield policy.scratch, SCRATCH_RIGHTS | (FS_MAKE_SOCK if listens else 0)
    if listens and policy.socket_directory is not None:
        yield policy.socket_directory, FS_MAKE_SOCK


def _allow(ruleset: int, path: str, rights: int) -> None:
    descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        rule = struct.pack("=Qi", rights, descriptor)
        result = _libc.syscall(SYS_LANDLOCK_ADD_RULE, ruleset, LANDLOCK_RULE_PATH_BENEATH, rule, 0)
        _checked(result, f"landlock_add_rule {path}")
    finally:
        os.close(descriptor)


def _hard(kind: int) -> int:
    return resource.getrlimit(kind)[1]


def _capped(kind: int, value: int) -> int:
    hard = _hard(kind)
    return value if hard == resource.RLIM_INFINITY else min(value, hard)


def _prctl(option: int, *arguments: object) -> None:
    padded: Sequence[object] = (*arguments, 0, 0, 0, 0)[:4]
    words = [ctypes.c_ulong(value) if isinstance(value, int) else value for value in padded]
    _checked(_libc.prctl(option, *words), f"prctl {option}")


def _checked(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {errno.errorcode.get(number, number)}")
    return result
