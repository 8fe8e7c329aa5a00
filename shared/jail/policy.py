"""What a jailed process may do: resource limits, sockets, readable paths. Only values; `confinement` enforces them."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

MEBIBYTE = 1024 * 1024

SYSTEM_READABLE = (
    "/usr",
    "/bin",
    "/lib",
    "/lib32",
    "/lib64",
    "/etc/fonts",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/localtime",
    "/etc/mime.types",
    "/var/cache/fontconfig",
    "/sys/devices/system/cpu",
)
"""What programs need to start and to find fonts. Nothing here tells of this machine's users, secrets or documents."""


@dataclass(frozen=True)
class Limits:
    """Resource limits of one jailed process.

    `memory_bytes` bounds private writable memory (RLIMIT_DATA); address space (RLIMIT_AS) gets
    `MAPPING_ALLOWANCE_BYTES` more, since libraries and thread stacks are mapped generously and touched little.
    `cpu_seconds` are per call of a worker, or for the whole life of a program. `file_size_bytes` bounds each file
    written.
    """

    memory_bytes: int = 1024 * MEBIBYTE
    cpu_seconds: int = 300
    file_size_bytes: int = 2048 * MEBIBYTE
    open_files: int = 256

    MAPPING_ALLOWANCE_BYTES = 1536 * MEBIBYTE

    @property
    def address_space_bytes(self) -> int:
        return self.memory_bytes + self.MAPPING_ALLOWANCE_BYTES


class Sockets(StrEnum):
    """Which sockets a jailed process may open. Internet, netlink and packet sockets are never among them."""

    NONE = "none"
    LISTEN = "listen"
    """Unix stream sockets that others connect to."""
    CONNECT = "connect"
    """Unix stream sockets that connect to others."""


@dataclass(frozen=True)
class Policy:
    """Everything the launcher must know to confine itself before it runs what it was started for."""

    limits: Limits
    scratch: str
    readable: tuple[str, ...]
    sockets: Sockets = Sockets.NONE
    socket_directory: str | None = None
    """Where a listening program may make its sockets, when it insists on another place than its scratch directory."""
    may_exec: bool = False

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Policy":
        values = json.loads(text)
        return cls(
            limits=Limits(**values["limits"]),
            scratch=values["scratch"],
            readable=tuple(values["readable"]),
            sockets=Sockets(values["sockets"]),
            socket_directory=values["socket_directory"],
            may_exec=values["may_exec"],
        )


def readable_paths(extra: Sequence[Path]) -> tuple[str, ...]:
    """System paths plus `extra`, resolved, only those that exist."""
    paths = [Path(path) for path in SYSTEM_READABLE] + list(extra)
    return tuple(dict.fromkeys(str(path.resolve()) for path in paths if path.exists()))
