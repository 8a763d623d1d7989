"""Callbacks of the IM server: what is read of their bodies, and the facts that they become.

contracts/im-callbacks.yaml; contracts/im-semantics.md, sections 13 and 15. Later versions
of that API add commands and fields: what is not read here is kept as it was sent.
"""

import hashlib
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from schemas.catalogue import EventType
from schemas.im.bodies import Fields, Request
from schemas.im.message import UInt32, User
from schemas.numbers import NO_NUL, Int64, Key, Text
from schemas.times import LATEST

BEFORE_SEND = "C2C.CallbackBeforeSendMsg"
AFTER_SEND = "C2C.CallbackAfterSendMsg"
AFTER_READ = "C2C.CallbackAfterMsgReport"
AFTER_WITHDRAW = "C2C.CallbackAfterMsgWithDraw"
STATE_CHANGE = "State.StateChange"
PORTRAIT_SET = "Profile.CallbackPortraitSet"
PREV_FRIEND_ADD = "Sns.CallbackPrevFriendAdd"
PREV_FRIEND_RESPONSE = "Sns.CallbackPrevFriendResponse"
FRIEND_ADD = "Sns.CallbackFriendAdd"
FRIEND_DELETE = "Sns.CallbackFriendDelete"

DECIDED = frozenset(
    {
        BEFORE_SEND,
        PREV_FRIEND_ADD,
        PREV_FRIEND_RESPONSE,
        "Group.CallbackBeforeCreateGroup",
        "Group.CallbackBeforeCreateTopic",
        # Not in the contract, but in the API that it describes (semantics, section 17).
        "Group.CallbackBeforeSendMsg",
    }
)
"""Before-callbacks that rules may be for."""
CALLED_BACK = frozenset({BEFORE_SEND, AFTER_SEND, AFTER_READ, AFTER_WITHDRAW, PORTRAIT_SET, FRIEND_ADD, FRIEND_DELETE})
"""Those that are made to apps."""

COMMAND = "^[A-Za-z0-9]{1,32}[.][A-Za-z0-9]{1,64}$"
"""How commands are spelled, those too that the contract does not name."""

LATEST_MS = int(LATEST.timestamp() * 1000)
Milliseconds = Annotated[int, msgspec.Meta(ge=0, lt=LATEST_MS)]
"""Unix time. `EventTime` is in milliseconds, other times of this API in seconds (semantics, section 13)."""


def is_before(command: str) -> bool:
    """Whether the action waits for the answer, which decides it."""
    return command.partition(".")[2].startswith(("CallbackBefore", "CallbackPrev"))


def sign(token: str, request_time: str) -> str:
    """`Sign` in the query of later versions (semantics, section 15); `request_time` is as it stands there."""
    return hashlib.sha256((token + request_time).encode("utf-8", "surrogatepass")).hexdigest()


# ---- bodies ----------------------------------------------------------------------------------------------------------


class Info(Request, frozen=True, kw_only=True):
    action: Literal["Login", "Logout", "Disconnect"]
    to_account: Key
    reason: Text = ""


class Kicked(Request, frozen=True, kw_only=True):
    platform: Text


class StateChange(Request, frozen=True, kw_only=True):
    event_time: Milliseconds
    info: Info
    kicked_device: tuple[Kicked, ...] = ()


class Changed(Request, frozen=True, kw_only=True):
    """A field of a profile."""

    tag: str
    value: Any = None


class PortraitChange(Request, frozen=True, kw_only=True):
    from_account: Key
    profile_item: tuple[Changed, ...]
    event_time: Milliseconds | None = None


class Pair(Request, frozen=True, kw_only=True):
    """`to_account` was put into, or taken from, the friend list of `from_account`."""

    from_account: Key
    to_account: Key
    initiator_account: Text = ""


class FriendPairs(Request, frozen=True, kw_only=True):
    pair_list: tuple[Pair, ...]
    admin_account: Text = ""
    force_flag: int = 0


class MessageTold(Request, frozen=True, kw_only=True):
    """C2C.CallbackAfterSendMsg. Of a message that failed `SendMsgResult` is the code."""

    from_account: User
    to_account: User
    msg_seq: UInt32
    msg_random: UInt32
    msg_time: UInt32
    msg_body: tuple[dict[str, Any], ...]
    cloud_custom_data: str | None = None
    online_only_flag: int = 0
    send_msg_result: int = 0


class MessageReported(Request, frozen=True, kw_only=True):
    """C2C.CallbackAfterMsgReport: `report_account` has read what `peer_account` sent."""

    report_account: User
    peer_account: User
    last_read_time: UInt32


class MessageUndone(Request, frozen=True, kw_only=True):
    """C2C.CallbackAfterMsgWithDraw."""

    from_account: User
    to_account: User
    msg_key: str


# ---- answers ---------------------------------------------------------------------------------------------------------


class FriendDecision(Fields, frozen=True, kw_only=True):
    to_account: str
    result_code: int = 0
    result_info: str = ""


class CallbackAnswer(Fields, frozen=True, kw_only=True):
    """To a callback; all that stands beside the first three is for a before-callback."""

    action_status: Literal["OK", "FAIL"] = "OK"
    error_info: str = ""
    error_code: int = 0
    msg_body: Any = UNSET
    """Replaces the message's."""
    cloud_custom_data: str | UnsetType = UNSET
    result_item: tuple[FriendDecision, ...] | UnsetType = UNSET


# ---- facts -----------------------------------------------------------------------------------------------------------


class StateChanged(msgspec.Struct, frozen=True, kw_only=True):
    """An account was logged in or out on a platform, or its connection was lost."""

    account: Key
    """APP/USER."""
    action: Literal["Login", "Logout", "Disconnect"]
    reason: Text = ""
    platform: Text
    """As `schemas.im.online.platform_of` names it; `RESTAPI` where a call of the API did it."""
    kicked: tuple[Text, ...] = ()
    """Platforms on which a device was thrown out by this login."""


Json = Annotated[str, msgspec.Meta(max_length=2_000_000, pattern=NO_NUL)]


class CallbackReceived(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A callback that is kept as it came; of profiles and friends also with what the app's settings say of it."""

    about: Key
    """APP and the group or account that it is about."""
    app: Key
    command: Key
    body: Json
    """As sent. Text, for it may hold what no document can."""
    answer: Json | None = None
    """Of a before-callback: what was decided."""
    profile: dict[Text, Text | Int64] | None = None
    """Of a changed profile: the fields that may stand in one of this app's."""
    admins: tuple[Key, ...] = ()
    """Of friends: who among them is an account because the settings say so."""
    client_ip: Text | None = None
    platform: Text | None = None


ACCOUNT_EVENT_TYPES = (
    EventType(
        "im.state.changed",
        StateChanged,
        "An IM account logged in or out, or was disconnected",
        "account",
        internal=True,
    ),
)
EVENT_TYPES = (
    EventType(
        "im.callback.received", CallbackReceived, "A callback of the IM server was taken in", "about", internal=True
    ),
)
