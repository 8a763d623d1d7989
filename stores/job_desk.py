"""Jobs as people look at them and decide about them: listed newest first, cancelled, tried again."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from pymongo import ReturnDocument

from stores.collections import JOBS
from stores.cursors import Cursor
from stores.jobs import Job, Progress, State, to_job
from stores.mongo import Database, Document, translated

MAX_PAGE = 500
OPEN = (State.QUEUED, State.RUNNING)
GIVEN_UP = (State.FAILED, State.CANCELLED)


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """A job in a list: without what it was given, holds and has made."""

    id: str
    kind: str
    owner: str
    state: State
    progress: Progress
    error: str | None = None
    failures: int = 0
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None


class Which(msgspec.Struct, frozen=True, kw_only=True):
    """A choice of jobs; None chooses all."""

    state: State | None = None
    kind: str | None = None
    owner: str | None = None

    @property
    def filter(self) -> Document:
        return {name: str(value) for name, value in msgspec.structs.asdict(self).items() if value is not None}


class JobDesk:
    """The collection. Everything may raise StoreAway."""

    def __init__(self, database: Database) -> None:
        self._jobs = database[JOBS]

    async def page(self, which: Which, *, after: Cursor | None = None, limit: int = 50) -> list[Summary]:
        """At most `limit` jobs, newest first by (created_at, id), from behind `after`."""
        limit = min(limit, MAX_PAGE)
        if after is None:
            return await self._newest(which.filter, limit)
        # Two questions in place of an $or, which is answered by no index.
        same = await self._newest({**which.filter, "created_at": after.at, "_id": {"$lt": after.id}}, limit)
        if len(same) == limit:
            return same
        return same + await self._newest({**which.filter, "created_at": {"$lt": after.at}}, limit - len(same))

    async def _newest(self, which: Document, limit: int) -> list[Summary]:
        with translated():
            found = self._jobs.find(which, _SUMMARY).sort([("created_at", -1), ("_id", -1)]).limit(limit)
            return [msgspec.convert({**document, "id": document["_id"]}, Summary) async for document in found]

    async def find(self, job_id: str) -> Job | None:
        with translated():
            document = await self._jobs.find_one({"_id": job_id})
        return None if document is None else to_job(document)

    async def cancel(self, job_id: str, now: datetime) -> Job | None:
        """No further step is taken; the one under way can write nothing down. None where it is not open, or unknown."""
        return await self._change(
            {"_id": job_id, "open": True},
            {
                "$set": {"state": State.CANCELLED.value, "finished_at": now},
                "$unset": {"open": "", "due_at": "", "claimed_by": "", "claimed_until": ""},
            },
        )

    async def retry(self, job_id: str, now: datetime) -> Job | None:
        """Goes on where it stood. None where it was not given up, or is unknown."""
        return await self._change(
            {"_id": job_id, "state": {"$in": [state.value for state in GIVEN_UP]}},
            {
                "$set": {"state": State.QUEUED.value, "open": True, "due_at": now, "failures": 0},
                "$unset": {"finished_at": "", "error": "", "not_before": ""},
            },
        )

    async def counts(self, states: tuple[State, ...]) -> Mapping[tuple[str, State], int]:
        """How many jobs are in each of these states, by kind."""
        counted: dict[tuple[str, State], int] = {}
        for state in states:
            stages: list[Document] = [
                {"$match": {"state": state.value}},
                {"$group": {"_id": "$kind", "n": {"$sum": 1}}},
            ]
            with translated():
                for row in await (await self._jobs.aggregate(stages)).to_list():
                    counted[row["_id"], state] = row["n"]
        return counted

    async def _change(self, which: Document, change: dict[str, Any]) -> Job | None:
        with translated():
            document = await self._jobs.find_one_and_update(
                which, {**change, "$inc": {"revision": 1}}, return_document=ReturnDocument.AFTER
            )
        return None if document is None else to_job(document)


_SUMMARY = dict.fromkeys(("kind", "owner", "state", "progress", "error", "failures"), 1) | dict.fromkeys(
    ("created_at", "started_at", "finished_at"), 1
)
