"""Builds a sweep from the environment, for the server, the timer of one machine, and the cluster's CronJob."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from sqlalchemy import Engine

from shared.database.settings import DatabaseSettings, database
from shared.publisher import EventPublisher, HttpEventPublisher
from shared.search.port import SearchReader
from shared.search.settings import SearchSettings, search_reader
from shared.sources import is_being_written, is_finished_name
from shared.storage.port import ObjectInfo, ObjectStore
from shared.storage.settings import ObjectStoreSettings, object_store
from web.sweep.publishing import NoBroker
from web.sweep.settings import SweepSettings
from web.sweep.sweep import Sweep


def configured_sweep(broker_url: str | None) -> Sweep:
    """A sweep with clients of its own. Raises ValidationError where a variable is wrong."""
    search_settings, store_settings = SearchSettings(), ObjectStoreSettings()
    search = search_reader(search_settings) if search_settings.enable_search else None
    publisher = HttpEventPublisher(broker_url) if broker_url else None
    return sweep_with(database(DatabaseSettings()), object_store(store_settings), publisher, search)


def sweep_with(
    engine: Engine, store: ObjectStore, publisher: EventPublisher | None, search: SearchReader | None
) -> Sweep:
    """A sweep with these clients; without a publisher whatever needs one is told to be out of reach."""
    store_settings, settings = ObjectStoreSettings(), SweepSettings()
    return Sweep(
        engine,
        store,
        publisher or NoBroker(),
        search_enabled=search is not None,
        generation=(lambda: search.generation) if search else None,
        is_settled=_settled_in(store_settings.data_dir) if store_settings.kind == "directory" else lambda _info: True,
        event_retention_days=settings.event_retention_days,
        patience=timedelta(seconds=settings.sweep_patience_seconds),
        offers_vocabulary=True,
    )


def _settled_in(root: Path) -> Callable[[ObjectInfo], bool]:
    """In a folder files can be seen while they are written, as they cannot in a bucket."""

    def is_settled(info: ObjectInfo) -> bool:
        names = info.key.split("/")[1:]
        try:
            return all(map(is_finished_name, names)) and not is_being_written(root / info.key)
        except OSError:
            return False

    return is_settled
