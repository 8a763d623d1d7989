"""Calls without a price, all of them or some customers': the requests that have them rated again."""

from collections.abc import Iterator, Mapping
from typing import Any

from gateway.mt.operations.records import USAGE_RERATE
from stores.jobs import Job
from stores.mongo import IDS_PER_FIND
from stores.usage.unrated import accounts_waiting, requests, waiting_calls
from workers.fold_batch import publishable
from workers.jobs.kind import Step, Tools

CALLS_A_STEP = 50_000
"""Once a step has so many, it takes no further account: each step reads through what is unrated."""


class UsageRerate:
    name = USAGE_RERATE

    async def step(self, job: Job, tools: Tools) -> Step:
        """At first which accounts have such calls; then some accounts' calls, each account's whole and in order.

        A repeated step asks again, under other ids: what has a price by then stays as it is, and
        what was mended in between is not taken for asked already.
        """
        shares: list[list[int]] | None = job.cursor.get("shares")
        if shares is None:
            waiting = await accounts_waiting(tools.database, job.args["merchants"])
            shares = list(shares_of(waiting, CALLS_A_STEP))
            return _step(shares, asked=0, total=sum(waiting.values()))
        calls = await waiting_calls(tools.database, {"dept_id": {"$in": shares[0]}}) if shares else []
        for some in publishable(list(requests(calls, tools.now(), job.args["by"]))):
            await tools.publisher.publish(some)
        asked: dict[str, Any] = job.cursor
        return _step(shares[1:], asked=asked["asked"] + len(calls), total=asked["total"])


def _step(shares: list[list[int]], *, asked: int, total: int) -> Step:
    cursor = {"shares": shares, "asked": asked, "total": total}
    return Step(cursor=cursor, done=asked, total=total, finished=not shares, result={"asked": asked})


def shares_of(waiting: Mapping[int, int], calls: int) -> Iterator[list[int]]:
    """The accounts in parts of so many calls or a little more, by how many each has."""
    share: list[int] = []
    held = 0
    for dept_id in sorted(waiting):
        share.append(dept_id)
        held += waiting[dept_id]
        if held >= calls or len(share) == IDS_PER_FIND:
            yield share
            share, held = [], 0
    if share:
        yield share


KIND = UsageRerate()
