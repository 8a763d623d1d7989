"""An hour's messages of an app: the job that makes files of them, and the messages in their order."""

from collections.abc import AsyncGenerator
from datetime import datetime
from typing import Any

import msgspec

from handlers.im.conversations import MESSAGES
from schemas.im.history_files import Hour
from schemas.im.ids import key_of
from stores.jobs import Job, Jobs
from stores.mongo import Database, Document, translated

KIND = "im_history"


class MadeFile(msgspec.Struct, frozen=True):
    """A file of an hour, as the job's result has it; sizes in bytes, MD5 in hex."""

    id: str
    messages: int
    size: int
    md5: str
    gzip_size: int
    gzip_md5: str


class Filed(msgspec.Struct, frozen=True):
    """A message for a file; (`order`, `id`) is its place in the hour."""

    id: str
    order: str
    sender: str
    receiver: str
    key: str
    body: list[dict[str, Any]]


def job_id_of(app: str, hour: Hour) -> str:
    return f"{KIND}/{key_of(app, str(hour))}"


async def start_history(jobs: Jobs, app: str, hour: Hour, now: datetime) -> Job:
    """The job of this hour: begun if it is not there. Raises StoreAway."""
    args = {"app": app, "hour": str(hour)}
    return await jobs.start(job_id_of(app, hour), kind=KIND, owner=f"im/{app}", args=args, now=now)


def files_of(job: Job) -> list[MadeFile]:
    """Of a job that is done."""
    return msgspec.convert((job.result or {}).get("files", []), list[MadeFile])


async def messages_of_hour(
    database: Database, app: str, hour: Hour, after: tuple[str, str] | None, limit: int
) -> AsyncGenerator[Filed, None]:
    """At most `limit` of the hour's messages, in the order of their time, from behind a place. Raises StoreAway."""
    first = f"{int(hour.start.timestamp()):010d}" if after is None else after[0]
    which: Document = {"app": app, "order": {"$gte": first, "$lt": f"{int(hour.end.timestamp()):010d}"}}
    left = limit
    with translated():
        async for row in database[MESSAGES].find(which, _FIELDS).sort([("order", 1), ("_id", 1)]):
            # Of one place in time there may be several, of different conversations: the id tells where to go on.
            if after is not None and (row["order"], row["_id"]) <= after:
                continue
            yield Filed(row["_id"], row["order"], row["sender"], row["receiver"], row["key"], row["body"])
            left -= 1
            if not left:
                return


_FIELDS = dict.fromkeys(("order", "sender", "receiver", "key", "body"), 1)
