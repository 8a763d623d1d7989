"""Queries about accounts and their logins, answered from the documents at the moment of the call."""

from zoneinfo import ZoneInfo

import msgspec
from msgspec import UNSET

from gateway.chat_rows import chat_user_id, log_row, user_row
from gateway.system import Call, Reply
from schemas.account import AccountStatus, BanStatus
from schemas.api_time import parse_api_time
from schemas.chat import (
    DEFAULT_PAGE_ROWS,
    AccountQuery,
    ChatUserInfo,
    ChatUserInfoRequest,
    LoginLog,
    Page,
    SeatPanel,
    WeComUser,
    WeComUserGroup,
)
from schemas.errors import Refused
from stores.accounts import (
    AccountFilter,
    count_accounts,
    find_by_chat_user_id,
    ids_of_accounts,
    list_accounts,
    page_of_accounts,
)
from stores.directory import affiliation_name, count_seats
from stores.login_log import LogFilter, page_of_log
from stores.mongo import Database


class Queries:
    """`zone` is that of the API's times."""

    def __init__(self, database: Database, zone: ZoneInfo) -> None:
        self._database = database
        self._zone = zone

    async def get_users(self, call: Call) -> Reply:
        body: AccountQuery = call.body
        number, rows = paging(body)
        wanted = msgspec.structs.replace(
            self._of_accounts(body), name=body.name, user_ids=body.user_ids or (), status=_status(body.status)
        )
        total, accounts = await page_of_accounts(
            self._database, wanted, call.received_at, skip=(number - 1) * rows, limit=rows
        )
        users = tuple(user_row(account, call.received_at, self._zone) for account in accounts)
        return Reply(Page[WeComUser](page_size=rows, total=total, page_no=number, list=users))

    async def get_son_users(self, call: Call) -> Reply:
        """The sub-accounts of the caller (`userid`), or of every main account where no caller is named."""
        return Reply(await self._sons(call, None))

    async def get_son_users_by_class(self, call: Call) -> Reply:
        """The same, of the caller's affiliation (`qwUser.ascription`) where one is named."""
        ascription = call.query.get("qwUser.ascription")
        name = await affiliation_name(self._database, ascription) if ascription else None
        return Reply(
            WeComUserGroup(
                ascription=ascription or UNSET, ascription_name=name or UNSET, list=await self._sons(call, ascription)
            )
        )

    async def get_login_log(self, call: Call) -> Reply:
        """`status` is the entry's here, 0 login, 1 offline; the other conditions are the account's."""
        body: AccountQuery = call.body
        if body.status not in (None, 0, 1):
            raise Refused("bad_field", "status: 0 login or 1 offline")
        number, rows = paging(body)
        wanted = LogFilter(
            user_ids=await self._ids_for_log(call, body),
            name=body.name,
            online=None if body.status is None else body.status == 0,
        )
        total, entries = await page_of_log(self._database, wanted, skip=(number - 1) * rows, limit=rows)
        log = tuple(log_row(entry, self._zone) for entry in entries)
        return Reply(Page[LoginLog](page_size=rows, total=total, page_no=number, list=log))

    async def get_panel(self, call: Call) -> Reply:
        seats, seats_online = await count_seats(self._database)
        accounts = await count_accounts(self._database, call.received_at)
        return Reply(
            SeatPanel(
                all_user_count=seats,
                online_count=seats_online,
                total_account_count=accounts.total,
                online_account_count=accounts.online,
                offline_account_count=accounts.total - accounts.online,
                normal_account_count=accounts.total - accounts.banned,
                forbid_account_count=accounts.banned,
            )
        )

    async def user_info(self, call: Call) -> Reply:
        body: ChatUserInfoRequest = call.body
        account = await find_by_chat_user_id(self._database, body.chat_user_id)
        if account is None or account.status == AccountStatus.DELETED:
            raise Refused("not_found", "chatUserId: no account of that chat user")
        return Reply(
            ChatUserInfo(
                user_name=account.user_id,
                chat_user_id=chat_user_id(account),
                auto_login=bool(account.profile.get("automatic_logon", False)),
            )
        )

    async def _sons(self, call: Call, ascription: str | None) -> tuple[WeComUser, ...]:
        main = call.query.get("userid") or call.query.get("qwUser.userId")
        wanted = AccountFilter(main_user_id=main, bound=True, ascription=ascription)
        accounts = await list_accounts(self._database, wanted, call.received_at)
        return tuple(user_row(account, call.received_at, self._zone) for account in accounts)

    async def _ids_for_log(self, call: Call, body: AccountQuery) -> list[str] | None:
        """Whose entries are asked for; None: everybody's, also accounts that are deleted since."""
        wanted = self._of_accounts(body)
        if wanted == AccountFilter():
            return list(body.user_ids) if body.user_ids else None
        wanted = msgspec.structs.replace(wanted, user_ids=body.user_ids or ())
        return await ids_of_accounts(self._database, wanted, call.received_at)

    def _of_accounts(self, body: AccountQuery) -> AccountFilter:
        """The conditions that both lists understand alike."""
        return AccountFilter(
            main_user_id=body.main_user_id or None,
            ascription=body.ascription or None,
            banned=BanStatus(body.unlock_status) == BanStatus.BANNED if body.unlock_status else None,
            unlock_from=parse_api_time(body.begin_unlock_time, self._zone, "beginUnlockTime"),
            unlock_to=parse_api_time(body.end_unlock_time, self._zone, "endUnlockTime"),
            account_attribute=body.account_attribute,
            classify_ids=body.classify_ids or (),
        )


def paging(body: AccountQuery) -> tuple[int, int]:
    """Page number from 1, and rows per page; 0 and nothing are the first page and the usual size."""
    return body.page_no or 1, body.page_size or DEFAULT_PAGE_ROWS


def _status(code: int | None) -> AccountStatus | None:
    try:
        return None if code is None else AccountStatus(code)
    except ValueError:
        raise Refused("bad_field", "status: -1 deleted, 0 disabled or 1 enabled") from None
