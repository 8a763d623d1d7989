"""A store that was just filled is not one that has been full for a while."""

import asyncio

from bench.gateway import cpu_seconds

REST_SECONDS = 1800.0
WATCHED_SECONDS = 5.0
IDLE_SHARE = 0.1
"""Of one core: the store does nothing to speak of."""


async def at_rest(store: int) -> None:
    """Return when the process is done with what it makes of many new documents afterwards: minutes, after a million."""
    async with asyncio.timeout(REST_SECONDS):
        busy = True
        while busy:
            before = cpu_seconds(store)
            await asyncio.sleep(WATCHED_SECONDS)
            busy = cpu_seconds(store) - before > IDLE_SHARE * WATCHED_SECONDS
