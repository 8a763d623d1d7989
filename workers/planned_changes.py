"""Planned changes of prices and products, executed when it is time for them.

Prices hold from their time on by themselves: to execute them is to mark them. What was
left half written by a gateway that died is finished here too.
"""

from datetime import datetime, timedelta

import structlog

from stores.mongo import Database
from stores.mt.schedule import due_tasks, execute, settle_abandoned
from workers import clock_metrics as metrics

log = structlog.get_logger()

EVERY = timedelta(seconds=10)
"""How often half written tasks are looked for: there is hardly ever one."""


class PlannedChanges:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._looked_at: datetime | None = None

    async def tick(self, now: datetime) -> None:
        """Execute what is due. Only while this process leads; two at once would do no harm. Raises StoreAway."""
        for number in await due_tasks(self._database, now):
            if await execute(self._database, number, now):
                metrics.PLANNED.inc()
                log.info("planned_change_executed", task=number)
        if self._looked_at is None or now - self._looked_at >= EVERY:
            self._looked_at = now
            if settled := await settle_abandoned(self._database, now):
                log.warning("planned_changes_settled", count=settled)
