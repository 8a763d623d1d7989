"""Telegram binding: the API's bodies, Telegram's updates as far as they are read, and the facts about chats.

The API's names are those of contracts/tg-binding.yaml, the updates' those of the Bot API
(core.telegram.org/bots/api#update). All facts of one chat are keyed by its id.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from schemas.catalogue import EventType
from schemas.numbers import Key, Text
from schemas.push import Language

DEFAULT_PAGE_ROWS = 20
MAX_PAGE_ROWS = 500
CHANNEL = "telegram"


def language_of(code: str | None) -> Language | None:
    """`zh` or `en` of a language code, whatever its region and spelling (zh-CN, zh_CN, EN-us); None for others."""
    match (code or "").strip().lower().replace("_", "-").partition("-")[0]:
        case "zh":
            return "zh"
        case "en":
            return "en"
    return None


# ---- the API --------------------------------------------------------------------------------------------------------


class Body(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A request; fields that the contract does not name are ignored."""


class Nothing(Body, frozen=True, kw_only=True):
    """The contract's empty object."""


class UnbindTgRequest(Body, frozen=True, kw_only=True):
    chat_id: Key


class PageQuery(Body, frozen=True, kw_only=True):
    size: Annotated[int, msgspec.Meta(ge=1, le=MAX_PAGE_ROWS)] | None = None
    """Rows per page, 20 where left out."""
    current: Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)] | None = None
    """Page number, the first where left out."""


class TgAccount(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A bound chat; a name that is not known is left out, for the contract allows no null."""

    chat_id: str
    first_name: str | UnsetType = UNSET
    last_name: str | UnsetType = UNSET


class PageOfTgAccount(msgspec.Struct, frozen=True, kw_only=True):
    total: int
    size: int
    current: int
    records: tuple[TgAccount, ...]


class BizResult(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Around every answer. `tm` is in milliseconds."""

    biz_code: str
    code: str
    msg: str
    tm: int
    trace: str
    msg_params: str
    ok: bool
    fail: bool
    data: Any


# ---- Telegram's updates ---------------------------------------------------------------------------------------------

ChatNumber = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
UpdateId = Annotated[int, msgspec.Meta(ge=0, le=2**61)]
UnixSeconds = Annotated[int, msgspec.Meta(ge=0, le=2**37)]


class User(msgspec.Struct, frozen=True, kw_only=True):
    first_name: Text | None = None
    last_name: Text | None = None
    username: Text | None = None
    language_code: Text | None = None


class Chat(msgspec.Struct, frozen=True, kw_only=True):
    id: ChatNumber
    type: str
    """`private`, `group`, `supergroup` or `channel`."""


class Message(msgspec.Struct, frozen=True, kw_only=True, rename={"sender": "from"}):
    chat: Chat
    date: UnixSeconds
    sender: User = User()
    text: str | None = None


class ChatMember(msgspec.Struct, frozen=True, kw_only=True):
    status: str


class ChatMemberUpdated(msgspec.Struct, frozen=True, kw_only=True, rename={"sender": "from"}):
    chat: Chat
    date: UnixSeconds
    new_chat_member: ChatMember
    sender: User = User()


class Update(msgspec.Struct, frozen=True, kw_only=True):
    """What Telegram posts to a webhook; the kinds that are not named here are of no interest."""

    update_id: UpdateId
    message: Message | None = None
    my_chat_member: ChatMemberUpdated | None = None


# ---- facts ----------------------------------------------------------------------------------------------------------

Seq = Annotated[int, msgspec.Meta(ge=0, le=2**62)]
"""Orders what happened to a chat within one second: Telegram tells no time more exact.

Twice the update's id, for Telegram numbers its updates in order; odd for what follows
right after one of them.
"""

LinkTrouble = Literal["missing", "unknown", "expired", "used"]
"""Why a `/start` did not bind: it came without a token, or with one that is not good."""

UnboundReason = Literal["stopped", "blocked", "unbound"]
"""The chat said /stop, blocked the bot (which Telegram tells, or a push finds out), or was unbound by the API."""


class TelegramBound(msgspec.Struct, frozen=True, kw_only=True):
    """A chat opened a customer's link: from now on it is that customer's."""

    chat_id: Key
    customer: Key
    company: Key
    seq: Seq
    language: Language = "en"
    first_name: Text | None = None
    last_name: Text | None = None
    username: Text | None = None


class TelegramUnbound(msgspec.Struct, frozen=True, kw_only=True):
    """A chat is nobody's any more. `customer` is who unbound it, where the API did."""

    chat_id: Key
    reason: UnboundReason
    seq: Seq
    customer: Key | None = None
    language: Language = "en"


class TelegramLinkRefused(msgspec.Struct, frozen=True, kw_only=True):
    """A chat sent /start, and it bound nothing."""

    chat_id: Key
    reason: LinkTrouble
    language: Language = "en"


EVENT_TYPES = (
    EventType("telegram.bound", TelegramBound, "A Telegram chat was bound to a customer", key="chat_id", internal=True),
    EventType("telegram.unbound", TelegramUnbound, "A Telegram chat was unbound", key="chat_id", internal=True),
    EventType("telegram.link-refused", TelegramLinkRefused, "A /start bound nothing", key="chat_id", internal=True),
)
