"""Leases on units of work: at most one worker spends money or minutes on the same thing at a time.

A lease is an object `lease-<unit>-<n>.json`, created create-only and rewritten while its holder lives; its age by the
store's clock tells whether it expired. Taking over the expired lease n means creating n + 1. This guards against
spending twice, not against two writers: results are create-only by themselves.
"""

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shared.documents import Frozen
from shared.errors import GivenUp, LeaseHeld, ObjectExists, ObjectNotFound, Throttled, Unavailable
from shared.storage.port import ObjectInfo, ObjectStore

LIFE_SECONDS = 60.0
RENEWAL_SECONDS = 15.0
MAX_LOST = 5
"""After so many holders that vanished while their supervisor lived, the unit is taken to be what stops them."""

_log = logging.getLogger(__name__)


class Holder(Frozen):
    """Who holds a lease, so that a worker on the same machine can see that the holder is dead without waiting.

    `machine` names boot and process namespace; where it differs nothing is known but the age. Processes are named by
    pid and start time.
    """

    machine: str
    process: str
    supervisor: str

    @classmethod
    def me(cls) -> "Holder":
        """This process."""
        return cls(machine=_machine(), process=_process(os.getpid()), supervisor=_process(os.getppid()))

    @property
    def is_dead(self) -> bool:
        """Whether the process is known to be gone."""
        return self.machine == _machine() and not _alive(self.process)

    @property
    def was_stopped_from_outside(self) -> bool:
        """Whether its supervisor is gone too: then the work itself is not suspected of having stopped it."""
        return self.machine == _machine() and not _alive(self.supervisor)


class LeaseRecord(Frozen):
    """What stands in a lease object."""

    holder: Holder
    released: bool = False


@contextmanager
def lease(store: ObjectStore, prefix: str, unit: str) -> Iterator[None]:
    """Hold the unit under `prefix` for the length of the block.

    Raises LeaseHeld while somebody else does, GivenUp once five holders were lost on it.
    """
    key = _acquire(store, f"{prefix}lease-{unit}-")
    stop = threading.Event()
    renewal = threading.Thread(target=_renew, args=(store, key, stop), name="lease", daemon=True)
    renewal.start()
    try:
        yield
    finally:
        stop.set()
        renewal.join()
        _write(store, key, released=True)


def held_units(store: ObjectStore, prefix: str) -> list[str]:
    """The leases below `prefix`, by their keys without number, that somebody holds now."""
    newest: dict[str, ObjectInfo] = {}
    for info in store.list(prefix):
        if is_lease(info.key):
            unit = info.key.rpartition("-")[0]
            newest[unit] = max(newest.get(unit, info), info, key=lambda each: _number(each.key))
    return [unit for unit, info in newest.items() if not _is_free(store, info)]


def is_lease(key: str) -> bool:
    """Whether the object under the key is a lease."""
    name = key.rpartition("/")[2]
    return name.startswith("lease-") and name.endswith(".json") and name[6:-5].rpartition("-")[2].isdecimal()


def _acquire(store: ObjectStore, prefix: str) -> str:
    taken = sorted(store.list(prefix), key=lambda info: _number(info.key))
    if taken and not _is_free(store, taken[-1]):
        raise LeaseHeld("this is being worked on")
    if len(taken) >= MAX_LOST and sum(_was_lost(store, info) for info in taken) >= MAX_LOST:
        raise GivenUp
    number = _number(taken[-1].key) + 1 if taken else 1
    key = f"{prefix}{number}.json"
    try:
        store.put(key, _body(released=False), media_type="application/json", create_only=True)
    except ObjectExists as error:
        raise LeaseHeld("this has just been taken up") from error
    return key


def _is_free(store: ObjectStore, info: ObjectInfo) -> bool:
    if info.age_seconds > LIFE_SECONDS:
        return True
    record = _read(store, info.key)
    return record is None or record.released or record.holder.is_dead


def _was_lost(store: ObjectStore, info: ObjectInfo) -> bool:
    record = _read(store, info.key)
    return record is not None and not record.released and not record.holder.was_stopped_from_outside


def _read(store: ObjectStore, key: str) -> LeaseRecord | None:
    try:
        return LeaseRecord.model_validate_json(store.get(key))
    except ObjectNotFound:
        return None


def _renew(store: ObjectStore, key: str, stop: threading.Event) -> None:
    while not stop.wait(RENEWAL_SECONDS):
        _write(store, key, released=False)


def _write(store: ObjectStore, key: str, *, released: bool) -> None:
    try:
        store.put(key, _body(released=released), media_type="application/json")
    except (Unavailable, Throttled) as error:
        # The lease then runs out by itself; the result stays create-only all the same.
        _log.warning("lease %s could not be written: %s", key, error)


def _body(*, released: bool) -> bytes:
    return LeaseRecord(holder=Holder.me(), released=released).model_dump_json().encode()


def _number(key: str) -> int:
    return int(key.removesuffix(".json").rpartition("-")[2])


def _machine() -> str:
    # "unknown" must never equal another "unknown": without /proc nothing is known of other processes.
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return f"unknown-{os.getpid()}"


def _process(pid: int) -> str:
    return f"{pid}@{_start_time(pid)}"


def _alive(process: str) -> bool:
    pid, _, started = process.partition("@")
    return started == _start_time(int(pid))


def _start_time(pid: int) -> str:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return "gone"
    fields = stat.rpartition(")")[2].split()
    # A killed process that nobody has waited for yet still has a stat file.
    return "gone" if fields[0] in ("Z", "X") else fields[19]
