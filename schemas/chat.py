"""Bodies and answers of the aggregated chat API, by the names of its contract (contracts/chat.yaml).

Left-out, null and empty say the same in a request: generated clients send all
three. An answer leaves out what is not known, for the contract allows no null.
"""

from typing import Annotated, Any, Generic, Literal, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from schemas.numbers import Count, Int32, Int64, Key, LongText, Text, check_free_form

DEFAULT_PAGE_ROWS = 20
MAX_PAGE_ROWS = 500

Texts = Annotated[tuple[Text, ...], msgspec.Meta(max_length=10_000)]


class Body(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A request; fields that the contract does not name are ignored."""


class Answered(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """(Part of) an answer; what is UNSET is left out."""


# ---- requests -------------------------------------------------------------------------------------------------------


class SignedRequest(Body, frozen=True, kw_only=True):
    """The five fields of a signed call; all of them are needed."""

    timestamp: Int64
    nonce: Int32
    secret_id: Key
    signature: Text
    request_seq: Key


class LoginCallback(SignedRequest, frozen=True, kw_only=True):
    user_id: Key
    on_offline: Literal[0, 1]
    """0 login, 1 logout."""
    login_type: Int64 | None = None
    request_id: Text | None = None
    corp_id: Text | None = None
    corp_name: Text | None = None
    email: Text | None = None
    head_url: Text | None = None
    mobile: Text | None = None
    name: Text | None = None
    qr_code: Text | None = None
    real_name: Text | None = None
    seat_no: Text | None = None
    user_name: Text | None = None


class AccountBanSync(SignedRequest, frozen=True, kw_only=True):
    user_id: Key
    status: Literal[1, 2]
    """1 in order, 2 banned."""
    channel: Text | None = None
    lock_start_time: Text | None = None
    unlock_time: Text | None = None
    transfer_status: Int32 | None = None
    code: Text | None = None
    task_trigger: bool | None = None
    threshold_code: Text | None = None


class InspectionTaskRecord(Body, frozen=True, kw_only=True):
    user_id: Key
    check_status: Literal["", "0", "1"] | None = None
    """1 the check succeeded; otherwise inspectionStatus says nothing."""
    inspection_status: Literal["", "1", "2"] | None = None
    """1 in order, 2 banned."""
    jid: Int64 | None = None
    lock_start_time: Text | None = None
    un_lock_time: Text | None = None
    create_date: Text | None = None
    code: Text | None = None
    content: Text | None = None
    user_name: Text | None = None
    seat_no: Text | None = None
    channel: Text | None = None
    transfer_status: Int32 | None = None
    name: Text | None = None
    alias: Text | None = None


class DetectionNotice(SignedRequest, frozen=True, kw_only=True):
    type: Literal["", "1", "2", "3"] | None = None
    """1 automatic, 2 manual, 3 repeated."""
    task_code_name: Text | None = None
    total: Int32 | None = None
    interdiction_count: Int32 | None = None
    normal_count: Int32 | None = None
    valid_total: Int32 | None = None
    code: Text | None = None
    create_date: Text | None = None
    name: Text | None = None
    complete: Text | None = None
    channel: Text | None = None
    user_name: Text | None = None
    transfer_status: Int32 | None = None
    mode: Text | None = None
    receive_email: Text | None = None
    receive_user_id: Annotated[str, msgspec.Meta(max_length=256, pattern="^[^\0]*$")] | None = None
    title: Text | None = None
    content: LongText | None = None
    params: dict[str, Any] | None = None
    record_list: Annotated[tuple[InspectionTaskRecord, ...], msgspec.Meta(max_length=5_000)] | None = None
    action: Text | None = None
    details: Annotated[tuple[Text, ...], msgspec.Meta(max_length=1_000)] | None = None

    def __post_init__(self) -> None:
        check_free_form(self.params, "params")


class TransferCountQuery(SignedRequest, frozen=True, kw_only=True):
    user_id: Key


class SeatLookup(SignedRequest, frozen=True, kw_only=True):
    phone: Text | None = None
    name: Text | None = None


class CustomerLookup(SignedRequest, frozen=True, kw_only=True):
    avatar: Text | None = None
    name: Text | None = None


class AccountQuery(Body, frozen=True, kw_only=True):
    name: Text | None = None
    user_ids: Texts | None = None
    page_no: Count | None = None
    page_size: Annotated[int, msgspec.Meta(ge=0, le=MAX_PAGE_ROWS)] | None = None
    main_user_id: Text | None = None
    ascription: Text | None = None
    unlock_status: Literal[0, 1, 2] | None = None
    """1 in order, 2 banned; 0, which the contract does not have, is what clients send for no filter."""
    status: Int32 | None = None
    begin_unlock_time: Text | None = None
    end_unlock_time: Text | None = None
    account_attribute: Int32 | None = None
    classify_ids: Annotated[tuple[Int64, ...], msgspec.Meta(max_length=10_000)] | None = None


class OnOffLineRequest(Body, frozen=True, kw_only=True):
    user_id: Key
    login_type: Text | None = None
    automatic_logon: bool | None = None


class UserUpdate(Body, frozen=True, kw_only=True):
    """Also the body of delete, getQrCode and getLoginStatus, which look at `userId` alone."""

    user_id: Key
    id: Int32 | None = None
    status: Literal[-1, 0, 1] | None = None
    sale_no: Text | None = None
    administrators: Text | None = None
    min_second: Count | None = None
    max_second: Count | None = None
    upper_limit: Count | None = None
    account_attribute: Int32 | None = None


class SubAccountRef(Body, frozen=True, kw_only=True):
    user_id: Key
    id: Int64 | None = None
    status: Literal[0, 1] | None = None
    """0 valid, 1 deleted."""


class SubAccountBinding(Body, frozen=True, kw_only=True):
    """Also the body of importUser."""

    id: Int64 | None = None
    main_user_id: Annotated[str, msgspec.Meta(max_length=256, pattern="^[^\0]*$")] | None = None
    corp_id: Text | None = None
    user_id: Annotated[str, msgspec.Meta(max_length=256, pattern="^[^\0]*$")] | None = None
    short_name: Text | None = None
    status: Literal[0, 1] | None = None
    """0 invalid, 1 valid; the contract's other reading, offline and online, belongs to the login calls."""
    create_by: Text | None = None
    create_time_stamp: Text | None = None
    update_time_stamp: Text | None = None
    son_users: Annotated[tuple[SubAccountRef, ...], msgspec.Meta(max_length=1_000)] | None = None
    min_second: Count | None = None
    max_second: Count | None = None
    upper_limit: Count | None = None
    ascription: Text | None = None
    account_attribute: Int32 | None = None


class ChatCustomerQuery(Body, frozen=True, kw_only=True):
    customer_id: Text | None = None
    external_user_id: Text | None = None


class LoginCodeRequest(Body, frozen=True, kw_only=True):
    user_id: Key
    code: Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern="^[^\0]*$")]
    qr_code_key: Text | None = None
    request_id: Text | None = None


class ChatUserInfoRequest(Body, frozen=True, kw_only=True):
    chat_user_id: Key


class SyncLinkerRequest(Body, frozen=True, kw_only=True):
    chat_user_id: Key
    link_type: Literal["0", "1"]
    """0 external, 1 internal."""


# ---- answers --------------------------------------------------------------------------------------------------------


class WeComUser(Answered, frozen=True, kw_only=True):
    user_id: str
    status: int
    unlock_status: int
    unlock_time: str | UnsetType = UNSET
    project_id: int | UnsetType = UNSET
    corp_id: str | UnsetType = UNSET
    crop_name: str | UnsetType = UNSET
    """The corporation's name; the spelling is the contract's."""
    name: str | UnsetType = UNSET
    gender: int | UnsetType = UNSET
    email: str | UnsetType = UNSET
    department: str | UnsetType = UNSET
    main_department: int | UnsetType = UNSET
    is_leader_in_dept: str | UnsetType = UNSET
    avatar: str | UnsetType = UNSET
    thumb_avatar: str | UnsetType = UNSET
    mobile: str | UnsetType = UNSET
    alias: str | UnsetType = UNSET
    open_userid: str | UnsetType = UNSET
    qr_code: str | UnsetType = UNSET
    creator: str | UnsetType = UNSET
    create_date: int | UnsetType = UNSET
    """Unix milliseconds."""
    update_date: str | UnsetType = UNSET
    role_ids: list[int] | UnsetType = UNSET
    sale_no: str | UnsetType = UNSET
    administrators: str | UnsetType = UNSET
    chat_user_id: str | UnsetType = UNSET
    min_second: int | UnsetType = UNSET
    max_second: int | UnsetType = UNSET
    upper_limit: int | UnsetType = UNSET
    short_name: str | UnsetType = UNSET
    ascription: str | UnsetType = UNSET
    login_type: str | UnsetType = UNSET
    automatic_logon: bool | UnsetType = UNSET
    support_automatic_login: bool | UnsetType = UNSET
    account_attribute: int | UnsetType = UNSET
    classify_id: int | UnsetType = UNSET


class WeComUserGroup(Answered, frozen=True, kw_only=True):
    list: tuple[WeComUser, ...]
    ascription: str | UnsetType = UNSET
    ascription_name: str | UnsetType = UNSET


class LoginLog(Answered, frozen=True, kw_only=True):
    id: int
    user_id: str
    status: int
    """0 login, 1 offline."""
    create_time_stamp: str
    update_time_stamp: str
    user_name: str | UnsetType = UNSET
    corp_id: str | UnsetType = UNSET


Row = TypeVar("Row")


class Page(Answered, Generic[Row], frozen=True, kw_only=True):
    page_size: int
    total: int
    page_no: int
    list: tuple[Row, ...]


class SeatPanel(Answered, frozen=True, kw_only=True):
    all_user_count: int
    online_count: int
    total_account_count: int
    online_account_count: int
    offline_account_count: int
    normal_account_count: int
    forbid_account_count: int


class ChatSeat(Answered, frozen=True, kw_only=True):
    user_id: str
    name: str | UnsetType = UNSET


class TransferCount(Answered, frozen=True, kw_only=True):
    transfer_count: int


class ChatUserInfo(Answered, frozen=True, kw_only=True):
    user_name: str
    """The WeCom user id."""
    chat_user_id: str
    auto_login: bool


class ChatToken(Answered, frozen=True, kw_only=True):
    """Answer of getChatToken; the contract leaves its keys open."""

    token: str
    expires_in: int
    """Seconds."""


class SocketAddress(ChatToken, frozen=True, kw_only=True):
    """Answer of getSocketUrl; the contract leaves its keys open."""

    url: str


class Envelope(msgspec.Struct, frozen=True):
    """ChatResult: around every answer."""

    code: int
    msg: str
    data: Any = None
