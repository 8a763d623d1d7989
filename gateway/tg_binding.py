"""The Telegram binding API: its four operations, as contracts/tg-binding.yaml names them.

The logged-in customer is whom the bearer token stands for. Links, unbinding and
questions are settings: they work on the store in the call itself.
"""

import secrets
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from hashlib import sha256

import msgspec
from msgspec import UNSET
from pydantic import SecretStr

from config.settings import Settings
from gateway.system import Call, Operation, Reply, System
from gateway.tg_envelope import BizEnvelope, header
from gateway.tokens import bearer_token
from schemas.errors import Refused
from schemas.tg import (
    DEFAULT_PAGE_ROWS,
    Nothing,
    PageOfTgAccount,
    PageQuery,
    TgAccount,
    UnbindTgRequest,
    language_of,
)
from stores.mongo import Database
from stores.tg import BoundChat, Customer, create_link, list_chats, page_of_chats, unbind_chat

PREFIX = "/global/"
SERVICE = f"{PREFIX}message.app.CustomerTgBindApiService."
TOKEN_BYTES = 32
"""43 characters of Telegram's alphabet for start parameters (A-Z a-z 0-9 _ -), which may have 64."""


class Customers:
    """Who is logged in, by token."""

    def __init__(self, tokens: Mapping[SecretStr, Customer]) -> None:
        # By hash: how long a look-up takes then tells nothing about the tokens that are known.
        self._known = {_hashed(token.get_secret_value()): customer for token, customer in tokens.items()}

    def of(self, call: Call) -> Customer:
        """Refuses a caller who is not logged in, or speaks for another company."""
        if not self._known:
            raise Refused("not_configured", "FANFOLD_TG_BINDING__TOKENS is not set")
        customer = self._known.get(_hashed(bearer_token(call.headers) or ""))
        if customer is None:
            raise Refused("unauthenticated", "send a known token as Authorization: Bearer")
        company = header(call.headers, "companyId")
        if company and company != customer.company:
            raise Refused("forbidden", "companyId is not the company of the one who is logged in")
        return customer

    def require(self, call: Call) -> None:
        self.of(call)


class Bindings:
    """The four operations. `bot_name` is in the links, which are good for `link_lifetime`."""

    def __init__(
        self, database: Database, customers: Customers, bot_name: str | None, link_lifetime: timedelta
    ) -> None:
        self._database = database
        self._customers = customers
        self._bot_name = bot_name
        self._link_lifetime = link_lifetime

    async def create_tg_qr_code(self, call: Call) -> Reply:
        """A new link each time; those from before stay good."""
        if not self._bot_name:
            raise Refused("not_configured", "FANFOLD_TELEGRAM__BOT_NAME is not set")
        token = secrets.token_urlsafe(TOKEN_BYTES)
        await create_link(
            self._database,
            token,
            self._customers.of(call),
            language_of(call.headers.get("lang")),
            call.received_at + self._link_lifetime,
        )
        return Reply(f"https://t.me/{self._bot_name}?start={token}")

    async def unbind_tg(self, call: Call) -> Reply:
        """False where the chat is not bound to this customer; true again when it is repeated."""
        body: UnbindTgRequest = call.body
        fact = await unbind_chat(self._database, body.chat_id, self._customers.of(call), call.received_at)
        if fact is None:
            return Reply(False)
        return Reply(True, (msgspec.structs.replace(fact, traceparent=call.traceparent),))

    async def query_customer_tg_bind_list(self, call: Call) -> Reply:
        chats = await list_chats(self._database, self._customers.of(call))
        return Reply(tuple(map(account_of, chats)))

    async def query_customer_tg_bind_list_by_page(self, call: Call) -> Reply:
        body: PageQuery = call.body
        current, size = body.current or 1, body.size or DEFAULT_PAGE_ROWS
        total, chats = await page_of_chats(
            self._database, self._customers.of(call), skip=(current - 1) * size, limit=size
        )
        records = tuple(map(account_of, chats))
        return Reply(PageOfTgAccount(total=total, size=size, current=current, records=records))


def account_of(chat: BoundChat) -> TgAccount:
    return TgAccount(
        chat_id=chat.chat_id,
        first_name=UNSET if chat.first_name is None else chat.first_name,
        last_name=UNSET if chat.last_name is None else chat.last_name,
    )


def tg_binding_system(settings: Settings, database: Database) -> System:
    customers = Customers(
        {token: Customer(who.customer, who.company) for token, who in settings.tg_binding.tokens.items()}
    )
    bindings = Bindings(
        database, customers, settings.telegram.bot_name, timedelta(seconds=settings.tg_binding.link_seconds)
    )

    def operation(
        operation_id: str, method: str, handle: Callable[[Call], Awaitable[Reply]], body: type[msgspec.Struct]
    ) -> Operation:
        return Operation(operation_id, "POST", SERVICE + method, handle, customers.require, body, security=("bearer",))

    return System(
        name="tg-binding",
        operations=(
            operation("createTgQrCode", "createTgQrCode", bindings.create_tg_qr_code, Nothing),
            operation("unbindTg", "unbindTg", bindings.unbind_tg, UnbindTgRequest),
            operation("queryTgBindList", "queryCustomerTgBindList", bindings.query_customer_tg_bind_list, Nothing),
            operation(
                "queryTgBindListByPage",
                "queryCustomerTgBindListByPage",
                bindings.query_customer_tg_bind_list_by_page,
                PageQuery,
            ),
        ),
        succeed=lambda data, status: BizEnvelope({}, "").succeed(data, status),
        refuse=lambda refused: BizEnvelope({}, "").refuse(refused),
        envelope=BizEnvelope,
        prefix=PREFIX,
        contract="tg-binding.yaml",
        security_schemes={"bearer": {"type": "http", "scheme": "bearer"}},
    )


def _hashed(token: str) -> bytes:
    return sha256(token.encode("utf-8", "surrogatepass")).digest()
