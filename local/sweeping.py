"""Sweeps every minute, as the cluster's CronJob does every few."""

import asyncio
import logging

import anyio.to_thread

from shared.database.settings import DatabaseSettings, database
from shared.errors import Throttled, Unavailable
from shared.publisher import HttpEventPublisher
from shared.search.settings import SearchSettings, search_reader
from shared.storage.settings import ObjectStoreSettings, object_store
from web.sweep import Sweep

PAUSE_SECONDS = 60.0

_log = logging.getLogger(__name__)


async def keep_sweeping(broker_url: str) -> None:
    """Sweep until cancelled; what is out of reach now is tried again the next time."""
    search_settings = SearchSettings()
    search = search_reader(search_settings) if search_settings.enable_search else None
    sweep = Sweep(
        database(DatabaseSettings()),
        object_store(ObjectStoreSettings()),
        HttpEventPublisher(broker_url),
        search_enabled=search is not None,
        generation=(lambda: search.generation) if search else None,
    )
    while True:
        await asyncio.sleep(PAUSE_SECONDS)
        try:
            await anyio.to_thread.run_sync(sweep.run)
        except (Throttled, Unavailable) as error:
            _log.warning("the sweep was cut short: %s", error)
