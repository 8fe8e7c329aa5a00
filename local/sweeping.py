"""Sweeps every minute, as the cluster's CronJob does every few."""

import asyncio

import anyio.to_thread

from web.sweep.configured import configured_sweep

PAUSE_SECONDS = 60.0


async def keep_sweeping(broker_url: str) -> None:
    """Sweep until cancelled; what is out of reach now is tried again the next time."""
    sweep = configured_sweep(broker_url)
    while True:
        await asyncio.sleep(PAUSE_SECONDS)
        await anyio.to_thread.run_sync(sweep.run)
