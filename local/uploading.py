"""`docuelevate upload`: finds the files, sends several at once, and waits for their documents if asked to."""

import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from local.client import ApiClient, ServerError

POLL_SECONDS = 1.0


@dataclass(frozen=True)
class Outcome:
    """What became of one file. `status` is the document's; `code` and `message` say why it is not as hoped."""

    path: str
    ok: bool
    id: str | None = None
    status: str | None = None
    duplicate: bool = False
    code: str | None = None
    message: str | None = None

    @property
    def word(self) -> str:
        """One word for people."""
        if self.id is None:
            return "failed"
        if self.duplicate:
            return "duplicate"
        return self.status if self.status in ("ready", "attention") else "uploaded"


def files_under(paths: Iterable[Path]) -> list[Path]:
    """The files named, and all in the directories named; hidden ones in directories are left out."""
    found: dict[Path, None] = {}
    for path in paths:
        for file in _walk(path) if path.is_dir() else [path]:
            found.setdefault(file)
    return list(found)


def send_all(
    client: ApiClient,
    files: Sequence[Path],
    fields: Mapping[str, Any],
    *,
    at_once: int,
    on_outcome: Callable[[Outcome], None],
) -> list[Outcome]:
    """Upload the files, so many at once; outcomes come as they happen and are returned in the files' order."""
    outcomes: dict[Path, Outcome] = {}
    with _progress(files) as on_bytes, ThreadPoolExecutor(at_once) as pool:
        futures = {pool.submit(_send, client, file, fields, on_bytes): file for file in files}
        try:
            for future in as_completed(futures):
                outcome = future.result()
                outcomes[futures[future]] = outcome
                on_outcome(outcome)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return [outcomes[file] for file in files]


def wait_for_all(
    client: ApiClient, outcomes: Sequence[Outcome], *, timeout_seconds: float, on_outcome: Callable[[Outcome], None]
) -> list[Outcome]:
    """Wait until every document stands still; a file is ok when its document is ready."""
    pending = {outcome.id for outcome in outcomes if outcome.id is not None}
    settled: dict[str | None, Outcome] = {}
    until = time.monotonic() + timeout_seconds
    while pending and time.monotonic() < until:
        still = _processing(client) & pending
        for document_id in sorted(str(each) for each in pending - still):
            settled[document_id] = _settled(client, document_id)
            on_outcome(settled[document_id])
        pending = still
        if pending:
            time.sleep(POLL_SECONDS)
    return [_waited(outcome, settled.get(outcome.id)) for outcome in outcomes]


def _walk(directory: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(directory):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            file = Path(folder, name)
            if not name.startswith(".") and file.is_file():
                yield file


def _send(client: ApiClient, path: Path, fields: Mapping[str, Any], on_bytes: Callable[[int], None]) -> Outcome:
    try:
        document = client.upload(path, fields, on_bytes)["documents"][0]
    except ServerError as error:
        return Outcome(str(path), ok=False, code=error.code or None, message=error.message)
    duplicate = document["duplicate_of"] is not None
    return Outcome(str(path), True, document["id"], document["status"], duplicate, None, document["message"])


def _processing(client: ApiClient) -> set[str]:
    found: set[str] = set()
    page = client.get("/api/documents", status="processing", page_size=200)
    while True:
        found |= {document["id"] for document in page["results"]}
        if page["next"] is None:
            return found
        page = client.get(page["next"])


def _settled(client: ApiClient, document_id: str) -> Outcome:
    document = client.get(f"/api/documents/{document_id}")
    ready = document["status"] == "ready"
    return Outcome(
        document["filename"], ready, document_id, document["status"], False, document["code"], document["message"]
    )


def _waited(sent: Outcome, settled: Outcome | None) -> Outcome:
    if sent.id is None:
        return sent
    if settled is None:
        return Outcome(sent.path, False, sent.id, "processing", sent.duplicate, "timeout", "Not done in time.")
    return Outcome(sent.path, settled.ok, sent.id, settled.status, sent.duplicate, settled.code, settled.message)


@contextmanager
def _progress(files: Sequence[Path]) -> Iterator[Callable[[int], None]]:
    """A bar on stderr, where that is a terminal; uploads in other threads move it."""
    total = sum(file.stat().st_size for file in files if file.is_file())
    lock = threading.Lock()
    hidden = not sys.stderr.isatty()
    with click.progressbar(length=max(total, 1), label="Uploading", file=sys.stderr, hidden=hidden) as bar:

        def move(count: int) -> None:
            with lock:
                bar.update(count)

        yield move
