"""open_msg_svc/get_history: an hour's messages as gzip files, made by a job and fetched by links."""

from collections.abc import Sequence
from datetime import datetime

from gateway.file_links import Links
from gateway.im.frame import Caller, Command
from gateway.im.services import HISTORY
from gateway.system import Reply
from schemas.im.codes import Failed
from schemas.im.history_files import ZONE, GetHistory, HistoryFile, HistoryFiles, parse_hour
from stores.files import Files
from stores.im.history_files import MadeFile, files_of, start_history
from stores.jobs import Jobs, State
from stores.mongo import Database

MALFORMED, SYSTEM_ERROR, NOTHING_YET, EXPIRED = 1001, 1003, 1004, 1005
CALLS_PER_SECOND = 10


class HistoryOfHours:
    def __init__(self, database: Database, links: Links) -> None:
        self._jobs = Jobs(database)
        self._files = Files(database)
        self._links = links

    async def get(self, caller: Caller, body: GetHistory) -> Reply:
        hour = parse_hour(body.msg_time)
        if hour is None:
            raise Failed(MALFORMED, "MsgTime is no hour: yyyymmddHH")
        if caller.at >= hour.expires_at:
            raise Failed(EXPIRED)
        if caller.at < hour.ready_at or body.chat_type == "Group":
            raise Failed(NOTHING_YET)
        job = await start_history(self._jobs, caller.app.id, hour, caller.at)
        if job.state in (State.FAILED, State.CANCELLED):
            raise Failed(SYSTEM_ERROR, "The files of this hour could not be made")
        if job.state != State.DONE or not (made := files_of(job)):
            raise Failed(NOTHING_YET)
        return Reply(HistoryFiles(file=tuple([await self._linked(file, caller.at) for file in made])))

    async def _linked(self, made: MadeFile, now: datetime) -> HistoryFile:
        file = await self._files.find(made.id, now)
        if file is None:
            raise Failed(EXPIRED)
        link = self._links.make(file, now)
        return HistoryFile(
            url=link.url,
            expire_time=f"{link.expires_at.astimezone(ZONE):%Y-%m-%d %H:%M:%S}",
            file_size=made.size,
            file_md5=made.md5,
            gzip_size=made.gzip_size,
            gzip_md5=made.gzip_md5,
        )


def history_file_commands(database: Database, links: Links) -> Sequence[Command]:
    return (
        Command(
            operation_id="imGetHistory",
            service=HISTORY,
            name="get_history",
            body=GetHistory,
            handle=HistoryOfHours(database, links).get,
            calls_per_second=CALLS_PER_SECOND,
        ),
    )
