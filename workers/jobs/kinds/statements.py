"""Makes the statements of a month, or corrects those that are not confirmed: some accounts a step.

An account that is billed twice is billed once: what is billed is the difference between its
usage and what its statements cover. So a step may be done again, and a job started again.
"""

from typing import Any

import msgspec

from stores.jobs import Job
from stores.mt.billing import Billing
from stores.mt.statements import Actor
from workers.jobs.kind import Step, Tools
from workers.statement_jobs import KIND as NAME

ACCOUNTS = 50
"""In a step: a second or two."""


class Args(msgspec.Struct, frozen=True):
    month: str
    make: bool
    """Else nothing is made, and statements that are there are corrected."""
    by: str
    """Who has asked for it."""


class Place(msgspec.Struct, frozen=True):
    """`account`: the last that was billed. `changed`: statements made or corrected so far."""

    account: int | None = None
    done: int = 0
    changed: int = 0
    total: int | None = None


class Statements:
    name = NAME

    async def step(self, job: Job, tools: Tools) -> Step:
        """Bill the next accounts."""
        args = msgspec.convert(job.args, Args)
        place = msgspec.convert(job.cursor, Place)
        billing = Billing(tools.database)
        total = await billing.accounts_count() if place.total is None else place.total
        accounts = await billing.accounts_after(place.account, ACCOUNTS)
        changed = place.changed
        for dept_id in accounts:
            changed += len(await billing.bill(dept_id, args.month, Actor(args.by), tools.now(), make=args.make))
        done = place.done + len(accounts)
        finished = len(accounts) < ACCOUNTS
        cursor: dict[str, Any] = msgspec.to_builtins(
            Place(accounts[-1] if accounts else place.account, done, changed, total)
        )
        return Step(
            cursor=cursor,
            done=done,
            total=done if finished else max(done, total),
            finished=finished,
            result={"accounts": done, "statements": changed} if finished else None,
        )


KIND = Statements()
