"""The aggregated chat API: its 26 operations, as contracts/chat.yaml names them."""

from collections.abc import Awaitable, Callable
from zoneinfo import ZoneInfo

import msgspec

from config.settings import ChatSettings
from gateway.chat_auth import AccessTokens, Signatures
from gateway.chat_callbacks import Callbacks
from gateway.chat_commands import Commands
from gateway.chat_envelope import refuse, succeed
from gateway.chat_facts import idempotency_key, signed_id
from gateway.chat_lookups import Lookups
from gateway.chat_queries import Queries
from gateway.chat_settings import AccountSettings
from gateway.chat_tokens import TokenDesk
from gateway.system import Call, Operation, Reply, System
from gateway.tokens import Tokens
from schemas import chat
from stores.mongo import Database

PREFIX = "/message/chat/"
# A signature over the body is no scheme that OpenAPI knows; docs/chat.md explains it.
SECURITY_SCHEMES = {
    "accessToken": {"type": "apiKey", "in": "query", "name": "accessToken"},
    "bearer": {"type": "http", "scheme": "bearer"},
}

Handle = Callable[[Call], Awaitable[Reply]]
Body = type[msgspec.Struct]


def chat_system(settings: ChatSettings, database: Database) -> System:
    zone = ZoneInfo(settings.timezone)
    callbacks, commands = Callbacks(zone), Commands(database, settings.qr_url)
    queries, lookups = Queries(database, zone), Lookups(database)
    accounts, tokens = AccountSettings(database), TokenDesk(settings)
    by_signature = Signatures(settings.secrets, settings.clock_tolerance_seconds).require
    by_token = AccessTokens(Tokens(settings.access_tokens)).require

    def fact(operation_id: str, path: str, handle: Handle, body: Body) -> Operation:
        """A signed call that is published: sent again, it is answered as before."""

        def request_id(call: Call) -> str:
            return signed_id(operation_id, call.body)

        return Operation(operation_id, "POST", PREFIX + path, handle, by_signature, body, request_id)

    def signed(operation_id: str, path: str, handle: Handle, body: Body) -> Operation:
        """A signed question."""
        return Operation(operation_id, "POST", PREFIX + path, handle, by_signature, body)

    def command(operation_id: str, path: str, handle: Handle, body: Body) -> Operation:
        """A call that is published; sent again under the same `Idempotency-Key`, it is answered as before."""

        def request_id(call: Call) -> str | None:
            key = idempotency_key(call)
            return None if key is None else f"{operation_id}/{key}"

        return Operation(
            operation_id,
            "POST",
            PREFIX + path,
            handle,
            by_token,
            body,
            request_id,
            security=("accessToken", "bearer"),
        )

    def plain(operation_id: str, path: str, handle: Handle, body: Body | None = None) -> Operation:
        """A question, or a setting."""
        return Operation(
            operation_id, "POST", PREFIX + path, handle, by_token, body, security=("accessToken", "bearer")
        )

    operations = (
        plain("getUsers", "getUsers", queries.get_users, chat.AccountQuery),
        plain("getSonUsers", "getSonUsers", queries.get_son_users),
        plain("getSonUsersByClass", "getSonUsersByClass", queries.get_son_users_by_class),
        plain("bindSubAccounts", "binding", accounts.bind_sub_accounts, chat.SubAccountBinding),
        plain("getPanel", "getPanel", queries.get_panel),
        plain("updateUser", "update", accounts.update_user, chat.UserUpdate),
        plain("deleteUser", "delete", accounts.delete_user, chat.UserUpdate),
        plain("importUser", "importUser", accounts.import_user, chat.SubAccountBinding),
        command("goOnline", "online", commands.go_online, chat.OnOffLineRequest),
        command("goOffline", "offline", commands.go_offline, chat.OnOffLineRequest),
        plain("getLoginLog", "getLoginLog", queries.get_login_log, chat.AccountQuery),
        command("getQrCode", "getQrCode", commands.get_qr_code, chat.UserUpdate),
        plain("getLoginStatus", "getLoginStatus", commands.get_login_status, chat.UserUpdate),
        command("loginCode", "loginCode", commands.login_code, chat.LoginCodeRequest),
        fact("loginCallBack", "loginCallBack", callbacks.login_call_back, chat.LoginCallback),
        fact("syncUserInfo", "syncUserInfo", callbacks.sync_user_info, chat.AccountBanSync),
        fact("detectionNotice", "detection/notice", callbacks.detection_notice, chat.DetectionNotice),
        signed("qryTransferCount", "qryTransferCount", lookups.qry_transfer_count, chat.TransferCountQuery),
        signed("findUserByPhone", "findUserByPhone", lookups.find_user_by_phone, chat.SeatLookup),
        signed("findCustomerByName", "findCustomerByName", lookups.find_customer_by_name, chat.CustomerLookup),
        signed("reofferKeyword", "reoffer/keyword", lookups.reoffer_keyword, chat.SignedRequest),
        plain("getSocketUrl", "getSocketUrl", tokens.get_socket_url),
        plain("getChatToken", "getChatToken", tokens.get_chat_token),
        plain("getChatSeat", "getChatSeat", lookups.get_chat_seat, chat.ChatCustomerQuery),
        plain("userInfo", "userInfo", queries.user_info, chat.ChatUserInfoRequest),
        command("syncLinker", "syncLinker", commands.sync_linker, chat.SyncLinkerRequest),
    )
    return System(
        name="chat",
        operations=operations,
        succeed=succeed,
        refuse=refuse,
        prefix=PREFIX,
        contract="chat.yaml",
        security_schemes=SECURITY_SCHEMES,
    )
