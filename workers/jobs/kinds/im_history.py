"""An hour's messages of an IM app as gzip files, one file a step."""

import hashlib
import zlib
from collections.abc import AsyncIterator
from contextlib import aclosing

import msgspec

from handlers.im.history_files import BETWEEN, LAST_LINE, first_line, message_line
from schemas.im.history_files import parse_hour
from stores.im.history_files import KIND as NAME
from stores.im.history_files import Filed, MadeFile, messages_of_hour
from stores.jobs import Job
from workers.jobs.kind import Hopeless, Step, Tools, part_id

MESSAGES_IN_FILE = 20_000
"""A step takes seconds, and a file some megabytes."""
GZIP = 31
"""zlib's word for gzip with the largest window; no time in the header, so that a repeat makes the same file."""
CONTENT_TYPE = "application/gzip"


class ImHistory:
    name = NAME

    def __init__(self, messages_in_file: int = MESSAGES_IN_FILE) -> None:
        self._most = messages_in_file

    async def step(self, job: Job, tools: Tools) -> Step:
        """The next file. An hour without a message has none."""
        app, hour = str(job.args["app"]), parse_hour(str(job.args["hour"]))
        if hour is None:
            raise Hopeless("the hour is none")
        if tools.now() >= hour.expires_at:
            raise Hopeless("the hour's files would have expired already")
        made = msgspec.convert(job.cursor.get("files", []), list[MadeFile])
        after = (job.cursor["order"], job.cursor["id"]) if made else None
        # One more than fit: it tells whether this file is the last.
        async with aclosing(messages_of_hour(tools.database, app, hour, after, self._most + 1)) as messages:
            part = _Part(first_line(app, str(hour)), messages, self._most)
            if await part.begins():
                file_id = part_id(job, len(made) + 1)
                name = f"{app}-{hour}-{len(made) + 1}.json.gz"
                file = await tools.files.write(
                    file_id,
                    part.gzipped(),
                    name=name,
                    content_type=CONTENT_TYPE,
                    now=tools.now(),
                    expires_at=hour.expires_at,
                )
                made.append(part.made(file_id, file.size))
        files = msgspec.to_builtins(made)
        done = sum(file.messages for file in made)
        if part.more and part.last is not None:
            cursor = {"files": files, "order": part.last.order, "id": part.last.id}
            return Step(cursor=cursor, done=done)
        return Step(cursor={"files": files}, done=done, total=done, finished=True, result={"files": files})


class _Part:
    """One file on its way: its bytes before and after they are gzipped, and which message was the last in it."""

    def __init__(self, head: bytes, messages: AsyncIterator[Filed], most: int) -> None:
        self._head = head
        self._messages = messages
        self._most = most
        self._first: Filed | None = None
        self.last: Filed | None = None
        self.more = False
        """Whether there are messages behind it."""
        self._count = 0
        self._size = 0
        self._plain, self._packed = hashlib.md5(usedforsecurity=False), hashlib.md5(usedforsecurity=False)

    async def begins(self) -> bool:
        """Whether there is a message at all."""
        self._first = await anext(self._messages, None)
        return self._first is not None

    async def gzipped(self) -> AsyncIterator[bytes]:
        packing = zlib.compressobj(wbits=GZIP)
        async for line in self._lines():
            self._plain.update(line)
            self._size += len(line)
            if packed := packing.compress(line):
                self._packed.update(packed)
                yield packed
        rest = packing.flush()
        self._packed.update(rest)
        yield rest

    async def _lines(self) -> AsyncIterator[bytes]:
        yield self._head
        message = self._first
        while message is not None:
            if self._count == self._most:
                self.more = True
                break
            line = message_line(message.sender, message.receiver, message.key, message.body)
            yield BETWEEN + line if self._count else line
            self._count += 1
            self.last = message
            message = await anext(self._messages, None)
        yield LAST_LINE

    def made(self, file_id: str, gzip_size: int) -> MadeFile:
        return MadeFile(file_id, self._count, self._size, self._plain.hexdigest(), gzip_size, self._packed.hexdigest())


KIND = ImHistory()
