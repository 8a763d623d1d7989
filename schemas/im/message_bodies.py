"""openim: the bodies of the calls that send, change and read messages."""

from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import UNSET, UnsetType

from schemas.im.bodies import Fields, Request
from schemas.im.message import UInt32

MAX_LIFE_SECONDS = 604_800
MAX_RECEIVERS = 500
MAX_PEERS = 10

SYNCED: Final = 1
"""Into the sender's history as well; 2 does not."""
LIVE: Final = 5
"""Imported as unread; 2 as history."""

Title = Annotated[str, msgspec.Meta(max_length=4_096)]


class AndroidInfo(msgspec.Struct, frozen=True, kw_only=True, rename="pascal", omit_defaults=True):
    sound: str | None = None
    huawei_channel: str | None = msgspec.field(name="HuaWeiChannelID", default=None)
    xiaomi_channel: str | None = msgspec.field(name="XiaoMiChannelID", default=None)
    oppo_channel: str | None = msgspec.field(name="OPPOChannelID", default=None)
    google_channel: str | None = msgspec.field(name="GoogleChannelID", default=None)
    vivo_classification: Literal[0, 1] | None = msgspec.field(name="VIVOClassification", default=None)
    huawei_importance: Literal["LOW", "NORMAL"] | None = msgspec.field(name="HuaWeiImportance", default=None)
    ext_as_huawei_intent_param: Literal[0, 1] | None = None


class ApnsInfo(msgspec.Struct, frozen=True, kw_only=True, rename="pascal", omit_defaults=True):
    sound: str | None = None
    badge_mode: Literal[0, 1] | None = None
    title: Title | None = None
    sub_title: str | None = None
    image: str | None = None
    mutable_content: Literal[0, 1] | None = None


class OfflinePushInfo(msgspec.Struct, frozen=True, kw_only=True, rename="pascal", omit_defaults=True):
    push_flag: Literal[0, 1] = 0
    """1: no offline push."""
    title: Title | None = None
    desc: Annotated[str, msgspec.Meta(max_length=262_144)] | None = None
    ext: str | None = None
    android_info: AndroidInfo | None = None
    apns_info: ApnsInfo | None = None


Control = Literal["NoUnread", "NoLastMsg", "WithMuteNotifications"]
Forbidden = Literal["ForbidBeforeSendMsgCallback", "ForbidAfterSendMsgCallback"]


class Message(Request, frozen=True, kw_only=True):
    """What is said."""

    msg_body: Any
    """A list of elements; checked where the codes for what is wrong with it are."""
    cloud_custom_data: str | None = None
    msg_seq: UInt32 | None = None
    msg_random: UInt32


class Sending(Message, frozen=True, kw_only=True):
    from_account: str | None = None
    sync_other_machine: Literal[1, 2] = SYNCED
    msg_life_time: int = MAX_LIFE_SECONDS
    send_msg_control: tuple[Control, ...] = ()
    offline_push_info: OfflinePushInfo | None = None
    is_need_read_receipt: Literal[0, 1] = 0
    support_message_extension: Literal[0, 1] = 0


class SendMsg(Sending, frozen=True, kw_only=True):
    to_account: str
    forbid_callback_control: tuple[Forbidden, ...] = ()


class BatchSendMsg(Sending, frozen=True, kw_only=True):
    to_account: tuple[str, ...]


class ImportMsg(Message, frozen=True, kw_only=True):
    sync_from_old_system: Literal[5, 2]
    from_account: str
    to_account: str
    msg_time_stamp: UInt32


class Sent(Fields, frozen=True, kw_only=True):
    msg_time: int
    msg_key: str


class ReceiverError(Fields, frozen=True, kw_only=True):
    to_account: str
    error_code: int


class BatchSent(Fields, frozen=True, kw_only=True):
    msg_key: str
    error_list: tuple[ReceiverError, ...] | UnsetType = UNSET


class NamedMessage(Request, frozen=True, kw_only=True):
    """A message by its direction and key."""

    from_account: str
    to_account: str
    msg_key: str


class ModifyMsg(NamedMessage, frozen=True, kw_only=True):
    msg_body: Any = None
    cloud_custom_data: str | None = None


class SetMsgRead(Request, frozen=True, kw_only=True):
    report_account: str
    peer_account: str
    msg_read_time: UInt32 | Annotated[str, msgspec.Meta(pattern="^[0-9]{1,10}$")] | None = None


class GetUnreadNum(Request, frozen=True, kw_only=True):
    to_account: str
    peer_account: tuple[str, ...] | None = None


class PeerUnread(Fields, frozen=True, kw_only=True):
    peer_account: str
    number: int = msgspec.field(name="C2CUnreadMsgNum")


class PeerError(Fields, frozen=True, kw_only=True):
    peer_account: str
    error_code: int


class TotalUnread(Fields, frozen=True, kw_only=True):
    total: int = msgspec.field(name="AllC2CUnreadMsgNum")


class UnreadOfPeers(Fields, frozen=True, kw_only=True):
    numbers: tuple[PeerUnread, ...] = msgspec.field(name="C2CUnreadMsgNumList")
    error_list: tuple[PeerError, ...] | UnsetType = UNSET


class GetRoamMsg(Request, frozen=True, kw_only=True):
    operator_account: str
    peer_account: str
    max_cnt: Annotated[int, msgspec.Meta(ge=1)]
    min_time: int
    max_time: int
    last_msg_key: str | None = None


class RoamMsg(Fields, frozen=True, kw_only=True):
    from_account: str
    to_account: str
    msg_seq: int
    msg_random: int
    msg_time_stamp: int
    msg_flag_bits: int
    is_peer_read: int
    msg_key: str
    msg_body: list[Any]
    cloud_custom_data: str | UnsetType = UNSET


class RoamMsgs(Fields, frozen=True, kw_only=True):
    complete: int
    msg_cnt: int
    last_msg_time: int | UnsetType = UNSET
    last_msg_key: str | UnsetType = UNSET
    msg_list: tuple[msgspec.Raw, ...]
    """Each a RoamMsg, written already: a page is cut by its size."""
