"""A backup of the database meets a newer store, or the other way round (F60): both are put right, or told."""

import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from shared.storage import keys
from shared.storage.directory import DirectoryObjectStore
from tests.chaos.conftest import Tried
from tests.chaos.load import check_objects, letters
from tests.chaos.stand import sweep_in
from tests.servers.docuelevate import Instance, running, wait_for
from web.sweep import Kind, Swept

OLD_ENOUGH = timedelta(hours=1)
DATABASE = ("docuelevate.db", "docuelevate.db-wal", "docuelevate.db-shm")
STORE = ("documents", "tombstones", ".metadata")


def copy(source: Path, target: Path, names: tuple[str, ...]) -> None:
    """As a backup does; what is there already goes."""
    target.mkdir(exist_ok=True)
    for name in names:
        old, new = source / name, target / name
        if new.is_dir():
            shutil.rmtree(new)
        new.unlink(missing_ok=True)
        if old.is_dir():
            shutil.copytree(old, new)
        elif old.exists():
            shutil.copy2(old, new)


def restored(instance: Instance, backup: Path, names: tuple[str, ...]) -> None:
    """Stop, put the backup in place, start; the broker's queue and the index are of the day."""
    instance.stop()
    copy(backup, instance.data, names)
    instance.start()


def upload(instance: Instance, about: str, count: int) -> dict[str, tuple[str, bytes]]:
    """Ready documents by id, with file name and bytes."""
    files = letters(count, about)
    sent = {one["id"]: (one["filename"], files[one["filename"]]) for one in instance.upload(*files.items())}
    assert {one["status"] for one in instance.settled(*sent)} == {"ready"}
    return sent


def sweep(instance: Instance) -> Swept:
    url = f"sqlite:///{instance.data / 'docuelevate.db'}"
    return sweep_in(OLD_ENOUGH, url, DirectoryObjectStore(instance.data), instance.broker_url)


def backed_up(instance: Instance, backup: Path, names: tuple[str, ...]) -> None:
    instance.stop()
    copy(instance.data, backup, names)
    instance.start()


def swept_until(instance: Instance, condition: Callable[[], bool]) -> list[Swept]:
    """Sweep as often as it takes."""
    done: list[Swept] = []

    def swept() -> bool:
        done.append(sweep(instance))
        return condition()

    wait_for(swept, 60, f"not healed: {done[-1] if done else None}")
    return done


@pytest.mark.timeout(1800)
def test_a_database_older_than_the_store_gets_its_documents_back(tmp_path: Path, full: bool, tried: Tried) -> None:
    """F60; rules 1, 23: later uploads are adopted under their ids with their names; later purges stay purges."""
    count = 20 if full else 3
    with running(tmp_path / "data") as instance:
        kept, doomed = upload(instance, "kept", count), upload(instance, "doomed", 1)
        backed_up(instance, tmp_path / "backup", DATABASE)
        later = upload(instance, "later", count)
        [purged] = doomed
        instance.client.delete(f"/api/documents/{purged}", params={"purge": "true"}).raise_for_status()
        restored(instance, tmp_path / "backup", DATABASE)
        everything = kept | later
        swept_until(instance, lambda: {one["id"] for one in instance.documents()} == set(everything))
        for one in instance.settled(*everything):
            name, body = everything[one["id"]]
            assert (one["filename"], one["status"]) == (name, "ready"), one
            check_objects(DirectoryObjectStore(instance.data), one["id"], body)
        assert instance.client.get(f"/api/documents/{purged}").status_code == 404
        assert not list(DirectoryObjectStore(instance.data).list(keys.document_prefix(purged)))
        assert not set(upload(instance, "new", 2)) & (set(everything) | {purged})
    tried("database restored from an older backup")


@pytest.mark.timeout(1800)
@pytest.mark.full_form
def test_a_store_older_than_the_database_is_told_and_what_can_be_made_is_made(
    tmp_path: Path, full: bool, tried: Tried
) -> None:
    """F60, I11: originals that are gone are named, each; documents that are whole stay as they are."""
    count = 20 if full else 3
    with running(tmp_path / "data") as instance:
        kept = upload(instance, "kept", count)
        backed_up(instance, tmp_path / "backup", STORE)
        lost = upload(instance, "lost", count)
        restored(instance, tmp_path / "backup", STORE)
        swept_until(instance, lambda: set(missing(instance)) == set(lost))
        for document_id, (_, body) in kept.items():
            check_objects(DirectoryObjectStore(instance.data), document_id, body)
            assert instance.document(document_id)["status"] == "ready"
        for document_id in lost:
            told = instance.document(document_id)
            assert (told["status"], told["failure"]["code"]) == ("attention", "source_gone"), told
        assert len(instance.documents()) == 2 * count
    tried("object store restored from an older backup")


def missing(instance: Instance) -> list[Any]:
    """The documents whose originals the sweep says are missing."""
    told = instance.client.get("/api/sweep").json()
    return [one["document_id"] for one in told["findings"] if one["kind"] == Kind.ORIGINAL_MISSING]
