"""Has the figures of IM apps counted, day by day: a duty of the clock."""

from collections.abc import Collection
from datetime import datetime

from schemas.im.figures import Day, day_of, last_days
from stores.im.figures import start_figures
from stores.jobs import Jobs


class FigureDays:
    """Starts the job of each day that getappinfo tells of: all of them with the first tick, then each new day."""

    def __init__(self, jobs: Jobs, apps: Collection[str]) -> None:
        self._jobs = jobs
        self._apps = apps
        self._started: Day | None = None

    async def tick(self, now: datetime) -> None:
        """Raises StoreAway; then some are started, and the rest are at the next tick."""
        today = day_of(now)
        if today == self._started:
            return
        days = [today] if self._started is not None else list(last_days(now))
        for app in self._apps:
            for day in days:
                await start_figures(self._jobs, app, day, now)
        self._started = today
