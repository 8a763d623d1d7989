"""Pushes to all or many: how often an app may, what is being pushed, and to whom, in the order of their slots.

`im_push_quotas`: `{_id: APP, day, count, last_at, task}`: one change of one document lets a push pass or not,
whichever gateway is called. `im_pushes`: one document a push, its `_id` the TaskId; gone after thirty days.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone

import msgspec
from pymongo.errors import DuplicateKeyError

from handlers.im.labels import Selection
from handlers.im.pushes import Push
from schemas.im.apps import App
from stores.collections import IM_ACCOUNTS, IM_PUSH_QUOTAS, IM_PUSHES
from stores.im.accounts import existing
from stores.im.labels import LABELS
from stores.im.slots import SLOTS
from stores.jobs import Job, Jobs
from stores.mongo import Database, Document, translated

KIND = "im_push"
DAYS = timezone(timedelta(hours=8))
"""Days of the API begin in China."""


class Refusal(msgspec.Struct, frozen=True):
    """Why a push is not let in."""

    day_is_full: bool
    """Else it comes too soon after the last."""


async def admit(database: Database, app: App, task: str, now: datetime) -> Refusal | None:
    """Let a push pass and count it, or say why not. The same task again passes and is not counted."""
    today = now.astimezone(DAYS).date().isoformat()
    quotas = database[IM_PUSH_QUOTAS]
    after_the_last: Document = {"_id": app.id, "last_at": {"$lte": now - app.between_pushes}}
    passed = {"last_at": now, "task": task}
    with translated():
        going_on = await quotas.update_one(
            {**after_the_last, "day": today, "count": {"$lt": app.pushes_per_day}},
            {"$set": passed, "$inc": {"count": 1}},
        )
        if going_on.matched_count:
            return None
        # A day earlier, not another one: a gateway whose clock is late does not begin a day that is over.
        first = {"$set": {**passed, "day": today, "count": 1}}
        if (await quotas.update_one({**after_the_last, "day": {"$lt": today}}, first)).matched_count:
            return None
        try:
            await quotas.insert_one({"_id": app.id, **passed, "day": today, "count": 1})
        except DuplicateKeyError:
            there = await quotas.find_one({"_id": app.id})
        else:
            return None
    if there is not None and there["task"] == task:
        return None
    return Refusal(there is not None and there["day"] >= today and there["count"] >= app.pushes_per_day)


async def start_push(database: Database, push: Push, now: datetime) -> Job:
    """Keep what is pushed, and begin the job that does it. A repeat finds both."""
    document: Document = {**msgspec.to_builtins(push), "_id": push.task, "recorded_at": now}
    try:
        with translated():
            await database[IM_PUSHES].insert_one(document)
    except DuplicateKeyError:
        pass
    return await Jobs(database).start(
        f"{KIND}/{push.task}", kind=KIND, owner=f"im/{push.app}", args={"task": push.task}, now=now
    )


async def find_push(database: Database, task: str) -> Push | None:
    with translated():
        document = await database[IM_PUSHES].find_one({"_id": task})
    return None if document is None else msgspec.convert(document, Push)


class Span(msgspec.Struct, frozen=True):
    """Slots from `first` on, before `behind`."""

    first: int
    behind: int


class Audience:
    """Whom a push is for, in the order of their slots: all accounts, or who has one of the tokens `by`.

    `by` are tokens of which every chosen user has one; an index gives those who have it.
    """

    def __init__(self, database: Database, app: App, selection: Selection | None, by: Sequence[str] = ()) -> None:
        self._database = database
        self._app = app
        self._selection = selection
        self._by = tuple(by)

    async def users(self, span: Span) -> tuple[int, list[str]]:
        """How many were looked at, and the chosen ones among them that are accounts now, each once."""
        slots = {"$gte": span.first, "$lt": span.behind}
        if self._selection is None:
            rows = await self._rows(IM_ACCOUNTS, {"app": self._app.id, "slot": slots}, "gone_at")
            return len(rows), [row["user"] for row in rows if "gone_at" not in row]
        looked_at, chosen = 0, dict[str, None]()
        for token in self._by:
            rows = await self._rows(LABELS, {"tokens": token, "slot": slots}, "tokens")
            looked_at += len(rows)
            chosen |= {row["user"]: None for row in rows if self._selection.takes(row["tokens"])}
        there = await existing(self._database, self._app, chosen)
        return looked_at, [user for user in chosen if user in there]

    async def _rows(self, collection: str, which: Document, field: str) -> list[Document]:
        with translated():
            return await self._database[collection].find(which, {"user": 1, field: 1}).to_list()


async def tokens_to_walk(database: Database, selection: Selection | None) -> list[str]:
    """The `by` of an audience; of several that all must be had the one that, by a sample, fewest have."""
    if selection is None or not selection.all_of:
        return sorted(selection.any_of) if selection is not None else []
    tokens = sorted(selection.all_of)
    counts = []
    for token in tokens:
        with translated():
            counts.append(await database[LABELS].count_documents({"tokens": token, "slot": _SAMPLE}))
    return [tokens[counts.index(min(counts))]]


_SAMPLE = {"$gte": 0, "$lt": SLOTS // 64}
