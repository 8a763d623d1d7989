"""What statements need at a time, as duties of the clock: to be made, mailed, and settled to the end.

All of it is safe to repeat, and for two clocks at once: jobs and pushes are known by their
ids, what was left in the middle is finished once.
"""

import time
from collections.abc import Callable
from datetime import date, datetime, timedelta
from functools import partial

import structlog

from handlers.payments import credits_of
from handlers.statements.mails import Came, asked_for, outcome, with_outcome
from handlers.statements.statement import SendState, Statement
from schemas.mt.common import Zone
from stores.jobs import Jobs
from stores.mongo import Database
from stores.mt.invoices import Invoices
from stores.mt.payments import Payments
from stores.mt.statement_mails import came_of
from stores.mt.statements import CLOCK, Statements
from workers import clock_metrics as metrics
from workers.fold_batch import Publishes
from workers.statement_jobs import start_correcting, start_making

log = structlog.get_logger()

AT_ONCE = 200
REPEAT_SECONDS = 60.0
"""How long the router is given to take up a push before it is asked for again."""
SETTLE_SECONDS = 10.0


class MonthEnd:
    """Has last month's statements made on the first of a month, and those not confirmed corrected every day."""

    def __init__(self, jobs: Jobs, zone: Zone, after: timedelta) -> None:
        self._jobs = jobs
        self._zone = zone
        self._after = after
        self._done: date | None = None

    async def tick(self, now: datetime) -> None:
        """Raises StoreAway; then it is done at the next tick."""
        today = self._zone.today(now - self._after)
        if today == self._done:
            return
        # Also on other days of the month: a clock that was away on the first makes up for it.
        last_month = today.replace(day=1) - timedelta(days=1)
        await start_making(self._jobs, f"{last_month:%Y-%m}", now)
        await start_correcting(self._jobs, today, f"{last_month:%Y-%m}", now)
        self._done = today


class StatementMails:
    """Asks for the mails of statements, and keeps what came of them."""

    def __init__(
        self, database: Database, publisher: Publishes, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._database = database
        self._statements = Statements(database)
        self._publisher = publisher
        self._monotonic = monotonic
        self._asked: dict[str, float] = {}

    async def tick(self, now: datetime) -> None:
        """Raises Transient; then it is done at the next tick."""
        oldest = self._monotonic() - REPEAT_SECONDS
        self._asked = {push: at for push, at in self._asked.items() if at > oldest}
        for statement in await self._statements.with_mail_under_way(AT_ONCE):
            await self._follow(statement, now)

    async def _follow(self, statement: Statement, now: datetime) -> None:
        for send in statement.sends:
            if send.state != SendState.SENDING:
                continue
            pushes = asked_for(statement, send)
            came = await came_of(self._database, pushes)
            missing = [
                push
                for push, each in zip(pushes, came, strict=True)
                if each is Came.UNKNOWN and push.identity not in self._asked
            ]
            if missing:
                await self._publisher.publish(missing)
                self._asked.update((push.identity, self._monotonic()) for push in missing)
                metrics.STATEMENT_MAILS.inc(len(missing))
            state = outcome(came)
            if state != SendState.SENDING:
                await self._statements.change(
                    statement.statement_no,
                    "mail " + state.name.lower(),
                    CLOCK,
                    now,
                    partial(with_outcome, no=send.no, state=state),
                )
                log.info("statement_mailed", statement=statement.statement_no, outcome=state.name.lower())


class Settling:
    """Tells wallets of payments, and finishes invoices and payments that were left in the middle."""

    def __init__(
        self, database: Database, publisher: Publishes, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._invoices = Invoices(database)
        self._payments = Payments(database)
        self._publisher = publisher
        self._monotonic = monotonic
        self._next = float("-inf")

    async def tick(self, now: datetime) -> None:
        """Raises Transient; then it is done at the next tick."""
        for payment in await self._payments.uncredited(AT_ONCE):
            await self._publisher.publish(credits_of(payment.payment_no, await self._payments.credits(payment), now))
            await self._payments.credited(payment)
        if self._monotonic() >= self._next:
            if count := await self._invoices.settle_abandoned(now):
                log.warning("invoices_settled", count=count)
            self._next = self._monotonic() + SETTLE_SECONDS
