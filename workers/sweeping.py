"""Clears away files whose time is over: the clock's second duty, once in a while."""

import time
from collections.abc import Callable
from datetime import datetime

import structlog

from stores.files import Files
from workers import clock_metrics as metrics

log = structlog.get_logger()

SWEEP_SECONDS = 60.0


class Sweeper:
    """Sweeps when it is time to. Everything may raise StoreAway; what is left is for the next time."""

    def __init__(self, files: Files, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._files = files
        self._monotonic = monotonic
        self._next = float("-inf")

    async def tick(self, now: datetime) -> None:
        if self._monotonic() < self._next:
            return
        gone = await self._files.sweep(now)
        self._next = self._monotonic() + SWEEP_SECONDS
        if gone:
            metrics.FILES_EXPIRED.inc(gone)
            log.info("files_expired", count=gone)
