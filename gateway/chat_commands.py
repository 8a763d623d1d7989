"""Commands: what is asked of an account, made known as a fact for whoever carries it out.

An account nobody has heard of is accepted: the facts about it may be on their way.
"""

from datetime import datetime
from urllib.parse import quote

from gateway.chat_facts import command_fact, command_key
from gateway.system import Call, Reply
from schemas.account import AccountStatus, CodeSubmitted, LinkersRequested, QrRequested, SessionChanged
from schemas.chat import LoginCodeRequest, OnOffLineRequest, SyncLinkerRequest, UserUpdate
from schemas.errors import Refused
from stores.accounts import Account, find_account, find_by_chat_user_id, latest_qr_request
from stores.mongo import Database


class Commands:
    def __init__(self, database: Database, qr_url: str) -> None:
        self._database = database
        self._qr_url = qr_url

    async def go_online(self, call: Call) -> Reply:
        body: OnOffLineRequest = call.body
        account = await find_account(self._database, body.user_id)
        require_enabled(account)
        require_not_banned(account, call.received_at)
        return _session(call, "goOnline", online=True)

    async def go_offline(self, call: Call) -> Reply:
        """Always accepted: nothing about an account makes it wrong to take it off."""
        return _session(call, "goOffline", online=False)

    async def get_qr_code(self, call: Call) -> Reply:
        body: UserUpdate = call.body
        require_enabled(await find_account(self._database, body.user_id))
        request_id = command_key(call)
        url = filled(self._qr_url, user_id=body.user_id, request_id=request_id)
        requested = QrRequested(user_id=body.user_id, request_id=request_id)
        fact = command_fact(call, "getQrCode", request_id, "account.qr.requested", body.user_id, requested)
        return Reply(url, (fact,))

    async def get_login_status(self, call: Call) -> Reply:
        """True once the account went online by the newest request for a code, or after it."""
        body: UserUpdate = call.body
        account = await find_account(self._database, body.user_id)
        if account is None or not account.online or account.online_at is None:
            return Reply(False)
        request = await latest_qr_request(self._database, body.user_id)
        if request is None:
            return Reply(True)
        request_id, requested_at = request
        return Reply(account.login_request_id == request_id or account.online_at >= requested_at)

    async def login_code(self, call: Call) -> Reply:
        """Answers the request id of the login that the code is for."""
        body: LoginCodeRequest = call.body
        require_enabled(await find_account(self._database, body.user_id))
        submitted = CodeSubmitted(
            user_id=body.user_id,
            code=body.code,
            request_id=body.request_id or None,
            qr_code_key=body.qr_code_key or None,
        )
        fact = command_fact(call, "loginCode", command_key(call), "account.code.submitted", body.user_id, submitted)
        return Reply(body.request_id or "", (fact,))

    async def sync_linker(self, call: Call) -> Reply:
        body: SyncLinkerRequest = call.body
        require_enabled(await find_by_chat_user_id(self._database, body.chat_user_id))
        requested = LinkersRequested(
            chat_user_id=body.chat_user_id, kind="external" if body.link_type == "0" else "internal"
        )
        fact = command_fact(
            call, "syncLinker", command_key(call), "account.linkers.requested", body.chat_user_id, requested
        )
        return Reply(True, (fact,))


def _session(call: Call, operation_id: str, *, online: bool) -> Reply:
    body: OnOffLineRequest = call.body
    changed = SessionChanged(
        user_id=body.user_id,
        online=online,
        cause="command",
        login_type=body.login_type or None,
        automatic_logon=body.automatic_logon,
    )
    fact = command_fact(call, operation_id, command_key(call), "account.session.changed", body.user_id, changed)
    return Reply(True, (fact,))


def filled(url: str, **values: str) -> str:
    """A URL with each {name} replaced by its value, quoted."""
    for name, value in values.items():
        url = url.replace(f"{{{name}}}", quote(value, safe=""))
    return url


def require_enabled(account: Account | None) -> None:
    if account is not None and account.status != AccountStatus.ENABLED:
        raise Refused("conflict", f"the account is {account.status.name.lower()}")


def require_not_banned(account: Account | None, now: datetime) -> None:
    if account is not None and account.banned(now):
        raise Refused("conflict", "the account is banned")
