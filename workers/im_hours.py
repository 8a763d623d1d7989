"""Has the files of get_history made when their hour has settled: a duty of the clock."""

from collections.abc import Collection
from datetime import datetime

from schemas.im.history_files import Hour, last_ready
from stores.im.history_files import start_history
from stores.jobs import Jobs


class HistoryHours:
    """Starts the job of the last hour for each app. An hour in which no clock ran is made when somebody asks for it."""

    def __init__(self, jobs: Jobs, apps: Collection[str]) -> None:
        self._jobs = jobs
        self._apps = apps
        self._started: Hour | None = None

    async def tick(self, now: datetime) -> None:
        """Raises StoreAway; then some are started, and the rest are at the next tick."""
        hour = last_ready(now)
        if hour == self._started:
            return
        for app in self._apps:
            await start_history(self._jobs, app, hour, now)
        self._started = hour
