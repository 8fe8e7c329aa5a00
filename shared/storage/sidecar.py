"""What the directory store knows of an object besides its bytes: a small JSON file in a tree beside the objects.

A sidecar holds a record for the current file and, since the two cannot change in one instant, one for the file before
it. A record counts only for the file whose size and modification time it names; so a reader never needs a lock, a crash
between the two leaves the older object whole, and a file that somebody changed by hand loses its record by itself.
"""

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path

_LONGEST_NAME_BYTES = 250


@dataclass(frozen=True)
class Record:
    """What was known of a file when it was written. `modified_ns` is its modification time."""

    size: int
    modified_ns: int
    sha256: str
    media_type: str
    metadata: Mapping[str, str] = field(default_factory=dict)

    def describes(self, status: os.stat_result) -> bool:
        """Whether this is the file of that record."""
        return self.size == status.st_size and self.modified_ns == status.st_mtime_ns


def sidecar_path(root: Path, key: str) -> Path:
    """Where the records of a key are. A name too long to take the suffix is replaced by its hash."""
    folder, _, name = key.rpartition("/")
    if len(name.encode()) > _LONGEST_NAME_BYTES:
        name = sha256(name.encode()).hexdigest()
    return root / folder / f"{name}.json"


def read_record(path: Path, status: os.stat_result) -> Record | None:
    """The record of the file with this status; None where the file was not written by the store."""
    try:
        content = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    records = (Record(**fields) for fields in content["records"])
    return next((record for record in records if record.describes(status)), None)


def encode_records(records: Iterable[Record]) -> bytes:
    """The content of a sidecar, the newest record first."""
    return json.dumps({"records": [asdict(record) for record in records]}).encode()
