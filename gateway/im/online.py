"""openim/query_online_status: who is online, and where."""

from collections.abc import Sequence

from msgspec import UNSET

from gateway.im.frame import Caller, Command
from gateway.im.services import OPENIM
from gateway.system import Reply
from schemas.im.codes import Failed
from schemas.im.online import (
    MAX_QUERIED,
    AccountError,
    OnlineStatuses,
    PlatformStatus,
    QueryOnlineStatus,
    UserStatus,
)
from stores.im.accounts import existing
from stores.im.presence import Platforms, overall, platforms_of
from stores.mongo import Database

UNKNOWN, TOO_MANY, BAD_ACCOUNTS = 70107, 90011, 90003


class Online:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def query(self, caller: Caller, body: QueryOnlineStatus) -> Reply:
        if len(body.to_account) > MAX_QUERIED:
            raise Failed(TOO_MANY)
        users = tuple(dict.fromkeys(body.to_account))
        known = await existing(self._database, caller.app, users)
        platforms = await platforms_of(self._database, caller.app.id, known, caller.at)
        found = tuple(_status(user, platforms[user], body.is_need_detail) for user in users if user in known)
        errors = tuple(AccountError(to_account=user, error_code=UNKNOWN) for user in users if user not in known)
        return Reply(OnlineStatuses(query_result=found, error_list=errors or UNSET))


def online_commands(database: Database) -> Sequence[Command]:
    return (
        Command(
            operation_id="imQueryOnlineStatus",
            service=OPENIM,
            name="query_online_status",
            body=QueryOnlineStatus,
            handle=Online(database).query,
            field_codes={"To_Account": BAD_ACCOUNTS},
        ),
    )


def _status(user: str, platforms: Platforms, detailed: int) -> UserStatus:
    """The platforms only when asked for, and while there are any."""
    detail = tuple(PlatformStatus(platform=name, status=status) for name, status in platforms.items())
    return UserStatus(to_account=user, status=overall(platforms), detail=detail if detailed and detail else UNSET)
