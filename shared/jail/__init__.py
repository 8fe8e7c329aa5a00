"""The jail for untrusted parsers: child processes without network, secrets, or files of others, within limits.

`JailedWorker` and `JailedPool` run Python functions in it, `spawn_jailed` a foreign program. What the kernel enforces
is in `confinement` (resource limits, capabilities, Landlock) and `seccomp`.
"""

from shared.jail.policy import Limits, Sockets
from shared.jail.process import JailedProcess, new_scratch, protect_this_process, remove_scratch, spawn_jailed
from shared.jail.serving import JsonValue
from shared.jail.worker import JailCrashed, JailedPool, JailedWorker, JailTimeout

__all__ = [
    "JailCrashed",
    "JailTimeout",
    "JailedPool",
    "JailedProcess",
    "JailedWorker",
    "JsonValue",
    "Limits",
    "Sockets",
    "new_scratch",
    "protect_this_process",
    "remove_scratch",
    "spawn_jailed",
]
