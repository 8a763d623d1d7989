"""Jobs: long pieces of work, done in steps that are written down one after another.

A job's id is made from what was asked for, so that asking again finds the job that is
there. A worker takes a job by one conditional change, for the length of a lease that it
renews while it works. Every change that it makes names its claim: once another worker, or
an operator, has taken the job from it, it changes nothing any more. The lease compares
clocks of different machines; one that is fast takes a job early, which costs a step done
twice and nothing else.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec
from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from schemas.errors import StoreAway
from stores.collections import JOBS
from stores.mongo import Database, Document, translated

RACES = 5
"""So often another job is looked for when one was taken by somebody else first."""


class State(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Progress(msgspec.Struct, frozen=True):
    """How far it is, in units of the kind's own; `total` None where that is not known."""

    done: int = 0
    total: int | None = None


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One job whole. `due_at` is when it may be taken next; None once it has ended."""

    id: str
    kind: str
    owner: str
    """For whom, and so what is served in turn: `im/1400000001`, `customer/12`."""
    state: State
    args: dict[str, Any]
    """What was asked for; never changed."""
    progress: Progress = Progress()
    cursor: dict[str, Any] = msgspec.field(default_factory=dict)
    """What the next step starts from; empty before the first."""
    result: dict[str, Any] | None = None
    error: str | None = None
    """Why it failed, or why its last attempt at a step did."""
    failures: int = 0
    """In a row, of the step it is at."""
    not_before: datetime | None = None
    due_at: datetime | None = None
    claimed_by: str | None = None
    """One claim of one worker."""
    claimed_until: datetime | None = None
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    revision: int = 0


class Jobs:
    """The collection as those see it who start jobs and who do them. Everything may raise StoreAway."""

    def __init__(self, database: Database) -> None:
        self._jobs = database[JOBS]

    async def start(
        self,
        job_id: str,
        *,
        kind: str,
        owner: str,
        args: Mapping[str, Any],
        now: datetime,
        not_before: datetime | None = None,
    ) -> Job:
        """The job of this id: made if it is not there, else as it is, whatever has become of it. Safe to repeat."""
        document: Document = {
            "_id": job_id,
            "kind": kind,
            "owner": owner,
            "state": State.QUEUED.value,
            "args": dict(args),
            "progress": {"done": 0, "total": None},
            "cursor": {},
            "failures": 0,
            "not_before": not_before,
            "due_at": not_before or now,
            "open": True,
            "created_at": now,
            "revision": 0,
        }
        try:
            with translated():
                await self._jobs.insert_one(document)
        except DuplicateKeyError:
            if (job := await self.find(job_id)) is None:
                raise StoreAway("a job of this id has just expired") from None
            return job
        return to_job(document)

    async def find(self, job_id: str) -> Job | None:
        with translated():
            document = await self._jobs.find_one({"_id": job_id})
        return None if document is None else to_job(document)

    async def claim(
        self,
        kinds: Collection[str],
        *,
        behind: str,
        now: datetime,
        claim: str,
        until: datetime,
        but: Collection[str] = (),
    ) -> Job | None:
        """Take the job that has been due longest of the first owner behind this one (by name) that has any due.

        One whose claim has run out is due too; that counts as a failure of its step. `but` are jobs to leave
        alone. None where nothing is due.
        """
        due: Document = {"open": True, "owner": {"$gt": behind}, "due_at": {"$lte": now}, "kind": {"$in": list(kinds)}}
        if but:
            due["_id"] = {"$nin": list(but)}
        for _ in range(RACES):
            with translated():
                # Two steps: to find and change in one, the embedded store walks the collection.
                found = await self._jobs.find_one(due, sort=[("owner", 1), ("due_at", 1)])
            if found is None:
                return None
            change: Document = {
                "state": State.RUNNING.value,
                "claimed_by": claim,
                "claimed_until": until,
                "due_at": until,
                "started_at": found.get("started_at") or now,
            }
            if found.get("claimed_by") is not None:
                change |= {"failures": found["failures"] + 1, "error": "a worker ended in the middle of the step"}
            taken = await self._change({"_id": found["_id"], "revision": found["revision"]}, {"$set": change})
            if taken is not None:
                return taken
        return None

    async def renew(self, job: Job, until: datetime) -> bool:
        """Keep the claim; False where it is not ours any more."""
        return await self._ours(job, {"$set": {"claimed_until": until, "due_at": until}})

    async def advance(self, job: Job, cursor: Mapping[str, Any], progress: Progress, due_at: datetime) -> bool:
        """A step is done, and the next may be taken at `due_at`, by anybody. False where the claim was lost."""
        made = {"cursor": dict(cursor), "progress": msgspec.to_builtins(progress), "failures": 0, "due_at": due_at}
        return await self._ours(job, {"$set": made, "$unset": {**_CLAIM, "error": ""}})

    async def finish(
        self, job: Job, cursor: Mapping[str, Any], progress: Progress, result: Mapping[str, Any] | None, now: datetime
    ) -> bool:
        """The last step is done. False where the claim was lost."""
        made = {"cursor": dict(cursor), "progress": msgspec.to_builtins(progress), "failures": 0}
        ended = {"state": State.DONE.value, "result": None if result is None else dict(result), "finished_at": now}
        return await self._ours(job, {"$set": made | ended, "$unset": {**_OPEN, "error": ""}})

    async def postpone(self, job: Job, due_at: datetime, failures: int, error: str) -> bool:
        """The step is to be tried again from `due_at`. False where the claim was lost."""
        return await self._ours(
            job, {"$set": {"due_at": due_at, "failures": failures, "error": error}, "$unset": _CLAIM}
        )

    async def fail(self, job: Job, failures: int, error: str, now: datetime) -> bool:
        """Given up, until an operator retries it. False where the claim was lost."""
        ended = {"state": State.FAILED.value, "failures": failures, "error": error, "finished_at": now}
        return await self._ours(job, {"$set": ended, "$unset": _OPEN})

    async def _ours(self, job: Job, change: Document) -> bool:
        return await self._change({"_id": job.id, "claimed_by": job.claimed_by}, change) is not None

    async def _change(self, which: Document, change: Document) -> Job | None:
        with translated():
            document = await self._jobs.find_one_and_update(
                which, {**change, "$inc": {"revision": 1}}, return_document=ReturnDocument.AFTER
            )
        return None if document is None else to_job(document)


_CLAIM = {"claimed_by": "", "claimed_until": ""}
_OPEN = {**_CLAIM, "due_at": "", "open": ""}
"""What is taken off a job that has ended."""


def to_job(document: Document) -> Job:
    return msgspec.convert({**document, "id": document["_id"]}, Job)
