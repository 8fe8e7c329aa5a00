"""Builds the seccomp filter of a jail: a BPF program that refuses system calls. Pure; installs nothing.

A deny-list: parsers and LibreOffice use too many calls to list what they may do, while what they must not do is short:
reach the network, other processes, kernel objects and files of the same user, or start programs. Calls that are newer
than this list are refused where they come in families known to grow (io_uring, clone3 → ENOSYS so that libc falls
back).
"""

import errno
import struct
from collections.abc import Sequence

from shared.jail.policy import Sockets

# name: (x86-64, arm64); None = that architecture has no such call.
Numbers = tuple[int | None, int | None]
DENIED: dict[str, Numbers] = {
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "kcmp": (312, 272),
    "process_madvise": (440, 440),
    "process_mrelease": (448, 448),
    "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438),
    "pidfd_send_signal": (424, 424),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "move_mount": (429, 429),
    "open_tree": (428, 428),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "bpf": (321, 280),
    "keyctl": (250, 219),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "unshare": (272, 97),
    "setns": (308, 268),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "acct": (163, 89),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "syslog": (103, 116),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "adjtimex": (159, 171),
    "clock_adjtime": (305, 266),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "iopl": (172, None),
    "ioperm": (173, None),
    "modify_ldt": (154, None),
    "personality": (135, 92),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "fanotify_init": (300, 262),
    "vhangup": (153, 58),
    "symlink": (88, None),
    "symlinkat": (266, 36),
    "mknod": (133, None),
    "mknodat": (259, 33),
    "shmget": (29, 194),
    "shmat": (30, 196),
    "shmctl": (31, 195),
    "semget": (64, 190),
    "semop": (65, 193),
    "msgget": (68, 186),
    "msgsnd": (69, 189),
    "msgrcv": (70, 188),
    "mq_open": (240, 180),
    "semctl": (66, 191),
    "semtimedop": (220, 192),
    "msgctl": (71, 187),
    "mq_unlink": (241, 181),
    # Landlock does not speak of modes, owners and attributes, and of lengths from its third version on only: without
    # these, the files of our own user would be within reach wherever they are.
    "truncate": (76, 45),
    "chmod": (90, None),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "fchmodat2": (452, 452),
    "chown": (92, None),
    "lchown": (94, None),
    "fchown": (93, 55),
    "fchownat": (260, 54),
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
    "fsetxattr": (190, 7),
    "setxattrat": (463, 463),
    "removexattr": (197, 14),
    "lremovexattr": (198, 15),
    "fremovexattr": (199, 16),
    "removexattrat": (466, 466),
    "tkill": (200, 130),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "setrlimit": (160, 164),
}

CONDITIONAL: dict[str, Numbers] = {
    "fork": (57, None),
    "vfork": (58, None),
    "clone": (56, 220),
    "clone3": (435, 435),
    "execve": (59, 221),
    "execveat": (322, 281),
    "socket": (41, 198),
    "socketpair": (53, 199),
    "connect": (42, 203),
    "bind": (49, 200),
    "listen": (50, 201),
    "accept": (43, 202),
    "accept4": (288, 242),
    "kill": (62, 129),
    "tgkill": (234, 131),
    "prlimit64": (302, 261),
    "prctl": (157, 167),
    "ioctl": (16, 29),
}

ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
"""machine → (column in the tables above, AUDIT_ARCH_…)."""

X32_SYSCALL_BIT = 0x40000000
CLONE_THREAD = 0x00010000
AF_UNIX = 1
SOCK_TYPE_MASK = 0xF
SOCK_STREAM = 1
PR_SET_PDEATHSIG = 1
TERMINAL_INJECTION = (0x5412, 0x541C)  # TIOCSTI, TIOCLINUX

LOAD = 0x20  # BPF_LD | BPF_W | BPF_ABS
JUMP_EQUAL = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
JUMP_GREATER_EQUAL = 0x35  # BPF_JMP | BPF_JGE | BPF_K
JUMP_ANY_BIT = 0x45  # BPF_JMP | BPF_JSET | BPF_K
AND = 0x54  # BPF_ALU | BPF_AND | BPF_K
RETURN = 0x06  # BPF_RET | BPF_K
ALLOW = 0x7FFF0000
KILL_PROCESS = 0x80000000
OFFSET_NUMBER = 0
OFFSET_ARCHITECTURE = 4

Instruction = tuple[int, int, int, int]


def filter_program(machine: str, *, pid: int, sockets: Sockets, may_exec: bool) -> bytes:
    """The filter for the process `pid` as `struct sock_filter[]`.

    It may start threads but no processes, signal only itself, and open unix stream sockets only in the way of
    `sockets`. With `may_exec` it may replace itself by another program (which inherits the filter).
    """
    column, architecture = ARCHITECTURES[machine]
    program: list[Instruction] = [
        (LOAD, 0, 0, OFFSET_ARCHITECTURE),
        (JUMP_EQUAL, 1, 0, architecture),
        _return(KILL_PROCESS),
        (LOAD, 0, 0, OFFSET_NUMBER),
        (JUMP_GREATER_EQUAL, 0, 1, X32_SYSCALL_BIT),
        _return(_refuse(errno.ENOSYS)),
    ]
    for number in _present(DENIED, column):
        program += _on(number, [_return(_refuse(errno.EPERM))])
    for name, body in _conditional(pid, sockets, may_exec).items():
        for number in _present({name: CONDITIONAL[name]}, column):
            program += _on(number, body)
    program.append(_return(ALLOW))
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in program)


def _conditional(pid: int, sockets: Sockets, may_exec: bool) -> dict[str, list[Instruction]]:
    refused = [_return(_refuse(errno.EPERM))]
    rules: dict[str, list[Instruction]] = {
        "fork": refused,
        "vfork": refused,
        # Its flags lie behind a pointer that a filter cannot follow; libc falls back to clone.
        "clone3": [_return(_refuse(errno.ENOSYS))],
        "clone": [_argument(0), (JUMP_ANY_BIT, 1, 0, CLONE_THREAD), *refused, _return(ALLOW)],
        "kill": [_argument(0), (JUMP_EQUAL, 1, 0, pid), *refused, _return(ALLOW)],
        "tgkill": [_argument(0), (JUMP_EQUAL, 1, 0, pid), *refused, _return(ALLOW)],
        "prlimit64": _unless_null(2),
        "prctl": [_argument(0), (JUMP_EQUAL, 0, 1, PR_SET_PDEATHSIG), *refused, _return(ALLOW)],
        "ioctl": [
            _argument(1),
            (JUMP_EQUAL, 1, 0, TERMINAL_INJECTION[0]),
            (JUMP_EQUAL, 0, 1, TERMINAL_INJECTION[1]),
            *refused,
            _return(ALLOW),
        ],
        "socketpair": refused,
        "socket": refused if sockets is Sockets.NONE else _unix_stream_only(),
        "connect": [_return(ALLOW)] if sockets is Sockets.CONNECT else refused,
    }
    for name in ("bind", "listen", "accept", "accept4"):
        rules[name] = [_return(ALLOW)] if sockets is Sockets.LISTEN else refused
    if not may_exec:
        rules |= {"execve": refused, "execveat": refused}
    return rules


def _unix_stream_only() -> list[Instruction]:
    refused = _return(_refuse(errno.EAFNOSUPPORT))
    return [
        _argument(0),
        (JUMP_EQUAL, 1, 0, AF_UNIX),
        refused,
        _argument(1),
        (AND, 0, 0, SOCK_TYPE_MASK),
        (JUMP_EQUAL, 1, 0, SOCK_STREAM),
        refused,
        _return(ALLOW),
    ]


def _unless_null(index: int) -> list[Instruction]:
    """Refuses unless the pointer argument is null (both halves of the 64 bits)."""
    return [
        _argument(index),
        (JUMP_EQUAL, 0, 2, 0),
        (LOAD, 0, 0, 16 + 8 * index + 4),
        (JUMP_EQUAL, 1, 0, 0),
        _return(_refuse(errno.EPERM)),
        _return(ALLOW),
    ]


def _on(number: int, body: Sequence[Instruction]) -> list[Instruction]:
    # Every body ends in a return, so the loaded call number survives for the next comparison.
    return [(JUMP_EQUAL, 0, len(body), number), *body]


def _argument(index: int) -> Instruction:
    """Loads the lower half of an argument of `struct seccomp_data` (little-endian machines only)."""
    return (LOAD, 0, 0, 16 + 8 * index)


def _return(action: int) -> Instruction:
    return (RETURN, 0, 0, action)


def _refuse(number: int) -> int:
    return 0x00050000 | number  # SECCOMP_RET_ERRNO


def _present(table: dict[str, Numbers], column: int) -> list[int]:
    return [number for numbers in table.values() if (number := numbers[column]) is not None]
