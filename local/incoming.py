"""The watched folder: files dropped into `DATA_DIR/incoming` are announced like uploads to a bucket.

It looks every two seconds instead of asking the kernel to be told: measured, that costs a fifth of the processor time
and a fortieth of the wake-ups of the usual watching library, and it works on network shares too. Taking the file over
is ingest's work, which knows what it has seen; so announcing a file twice is harmless, and after a restart all are.
"""

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from shared.errors import DocuElevateError, InvalidKey
from shared.events import Event, ObjectCreated, new_event
from shared.sources import is_being_written, is_finished_name
from shared.storage.keys import INCOMING
from shared.storage.port import ObjectStore

logger = logging.getLogger(__name__)

SOURCE = "/docuelevate/local"
LOOK_SECONDS = 2.0
LARGEST_SHARE = 0.05
"""Of the time, at most so much is spent looking: a folder with very many files is looked at less often."""

FIRST_REPEAT_SECONDS = 600.0
LONGEST_REPEAT_SECONDS = 24 * 3600.0
EMPTY_FILE_PATIENCE = 10
"""An empty file is mostly one whose writer has not begun; it has to be quiet that many times longer."""


@dataclass(frozen=True)
class Signature:
    """What changes when a file does."""

    size: int
    modified_ns: int
    inode: int


@dataclass
class _Sighting:
    signature: Signature
    unchanged_since: float
    due: float
    repeat_seconds: float = FIRST_REPEAT_SECONDS


class Sightings:
    """Decides which of the files seen are to be announced now. Times are seconds of one monotonic clock."""

    def __init__(self, quiet_seconds: float) -> None:
        self._quiet_seconds = quiet_seconds
        self._files: dict[str, _Sighting] = {}

    def due(self, files: Mapping[str, Signature], now: float) -> list[str]:
        """Take note of what is there now; the keys that have been quiet long enough and are due, in order."""
        self._files = {key: self._seen(key, signature, now) for key, signature in files.items()}
        return sorted(key for key, file in self._files.items() if file.due <= now)

    def announced(self, key: str, now: float) -> None:
        """It was announced; as long as it stays it is announced again, less and less often."""
        file = self._files[key]
        file.due = now + file.repeat_seconds
        file.repeat_seconds = min(file.repeat_seconds * 2, LONGEST_REPEAT_SECONDS)

    def postpone(self, key: str, now: float) -> None:
        """It could not be announced; the quiet time starts again."""
        self._files[key].due = now + self._quiet_seconds

    def _seen(self, key: str, signature: Signature, now: float) -> _Sighting:
        known = self._files.get(key)
        if known is not None and known.signature == signature:
            return known
        patience = self._quiet_seconds * (EMPTY_FILE_PATIENCE if signature.size == 0 else 1)
        return _Sighting(signature, now, now + patience)


class IncomingFolder:
    """Watches the folder of a directory store, for as long as `run` is awaited."""

    def __init__(
        self,
        directory: Path,
        store: ObjectStore,
        publish: Callable[[Event], Awaitable[None]],
        quiet_seconds: float,
    ) -> None:
        self._directory = directory
        self._store = store
        self._publish = publish
        self._sightings = Sightings(quiet_seconds)
        self._complained: set[str] = set()

    async def run(self) -> None:
        """Look and announce until cancelled."""
        while True:
            began = time.monotonic()
            files = await asyncio.to_thread(lambda: dict(look(self._directory)))
            looked_seconds = time.monotonic() - began
            self._complained &= files.keys()
            for key in self._sightings.due(files, time.monotonic()):
                await self._announce(key)
            await asyncio.sleep(max(LOOK_SECONDS, looked_seconds / LARGEST_SHARE))

    async def _announce(self, key: str) -> None:
        try:
            event = await asyncio.to_thread(self._event, key)
            if event is not None:
                await self._publish(event)
                self._sightings.announced(key, time.monotonic())
                return
        except (OSError, DocuElevateError) as error:
            self._complain(key, error)
        self._sightings.postpone(key, time.monotonic())

    def _event(self, key: str) -> Event | None:
        """The announcement; None while somebody writes the file, or when it is gone."""
        if is_being_written(self._directory / key.removeprefix(INCOMING)):
            return None
        head = self._store.head(key)
        if head is None:
            return None
        created = ObjectCreated(
            bucket=self._store.bucket, key=key, size=head.size, etag=head.etag, version_id=head.version_id
        )
        return new_event(created, source=SOURCE, subject=quote(key))

    def _complain(self, key: str, error: Exception) -> None:
        if key not in self._complained:
            self._complained.add(key)
            reason = "its name cannot be used" if isinstance(error, InvalidKey) else str(error)
            logger.warning("%r cannot be taken in: %s", key, reason)


def look(directory: Path) -> Iterator[tuple[str, Signature]]:
    """Every finished file below the directory with its key; links and what cannot be read are left out."""
    folders = [(directory, INCOMING)]
    while folders:
        folder, prefix = folders.pop()
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if not is_finished_name(entry.name):
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        folders.append((folder / entry.name, f"{prefix}{entry.name}/"))
                    elif entry.is_file(follow_symlinks=False):
                        status = entry.stat(follow_symlinks=False)
                        yield f"{prefix}{entry.name}", Signature(status.st_size, status.st_mtime_ns, status.st_ino)
        except OSError as error:
            logger.debug("%s cannot be read: %s", folder, error)
