"""sns: the bodies of the calls about friends, blacklists and friend groups.

contracts/im.yaml; contracts/im-sns.yaml for the calls that it leaves out.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, UnsetType

from schemas.im.bodies import Fields, Request

MAX_ACCOUNTS = 1000
"""Of one call."""
MAX_GROUPS = 32
"""Of one user, so of one call too."""

Accounts = Annotated[tuple[str, ...], msgspec.Meta(min_length=1, max_length=MAX_ACCOUNTS)]
GroupNames = Annotated[tuple[str, ...], msgspec.Meta(min_length=1, max_length=MAX_GROUPS)]
Index = Annotated[int, msgspec.Meta(ge=0, le=2**31)]
Sequence = Annotated[int, msgspec.Meta(ge=0)]
UnixSeconds = Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)]
Value = str | int | tuple[str, ...]

AddType = Literal["Add_Type_Single", "Add_Type_Both"]
DeleteType = Literal["Delete_Type_Single", "Delete_Type_Both"]


class SnsItem(Request, frozen=True, kw_only=True):
    tag: str
    value: Value


# ---- friends ---------------------------------------------------------------------------------------------------------


class AddFriendItem(Request, frozen=True, kw_only=True):
    to_account: str
    add_source: str
    remark: str = ""
    group_name: str = ""
    """Empty is none; only one may be given here."""
    add_wording: str = ""


class FriendAdd(Request, frozen=True, kw_only=True):
    from_account: str
    add_friend_item: Annotated[tuple[AddFriendItem, ...], msgspec.Meta(min_length=1, max_length=MAX_ACCOUNTS)]
    add_type: AddType = "Add_Type_Both"
    force_add_flags: Literal[0, 1] = 0


class ImportFriendItem(Request, frozen=True, kw_only=True):
    """What is left out stays as it is where the two are friends already."""

    to_account: str
    add_source: str
    remark: str | None = None
    group_name: tuple[str, ...] | None = None
    add_wording: str | None = None
    add_time: UnixSeconds | None = None
    custom_item: tuple[SnsItem, ...] = ()


class FriendImport(Request, frozen=True, kw_only=True):
    from_account: str
    add_friend_item: Annotated[tuple[ImportFriendItem, ...], msgspec.Meta(min_length=1, max_length=MAX_ACCOUNTS)]


class UpdateItem(Request, frozen=True, kw_only=True):
    to_account: str
    sns_item: Annotated[tuple[SnsItem, ...], msgspec.Meta(min_length=1)]


class FriendUpdate(Request, frozen=True, kw_only=True):
    from_account: str
    update_item: Annotated[tuple[UpdateItem, ...], msgspec.Meta(min_length=1, max_length=MAX_ACCOUNTS)]


class FriendDelete(Request, frozen=True, kw_only=True):
    from_account: str
    to_account: Accounts
    delete_type: DeleteType = "Delete_Type_Single"


class FriendDeleteAll(Request, frozen=True, kw_only=True):
    from_account: str
    delete_type: DeleteType = "Delete_Type_Single"


class FriendCheck(Request, frozen=True, kw_only=True):
    from_account: str
    to_account: Accounts
    check_type: Literal["CheckResult_Type_Single", "CheckResult_Type_Both"]


class FriendGet(Request, frozen=True, kw_only=True):
    from_account: str
    start_index: Index
    standard_sequence: Sequence = 0
    custom_sequence: Sequence = 0


class FriendGetList(Request, frozen=True, kw_only=True):
    from_account: str
    to_account: Accounts
    tag_list: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]


class ResultItem(Fields, frozen=True, kw_only=True):
    to_account: str
    result_code: int = 0
    result_info: str = ""


class Results(Fields, frozen=True, kw_only=True):
    result_item: tuple[ResultItem, ...]
    fail_account: tuple[str, ...] | UnsetType = UNSET


class Relation(Fields, frozen=True, kw_only=True):
    to_account: str
    relation: str
    result_code: int = 0
    result_info: str = ""


class FriendRelations(Fields, frozen=True, kw_only=True):
    info_item: tuple[Relation, ...]
    fail_account: tuple[str, ...] | UnsetType = UNSET


class TagValue(Fields, frozen=True, kw_only=True):
    tag: str
    value: Value


class UserData(Fields, frozen=True, kw_only=True):
    to_account: str
    value_item: tuple[TagValue, ...]


class FriendPage(Fields, frozen=True, kw_only=True):
    user_data_item: tuple[UserData, ...]
    standard_sequence: int
    custom_sequence: int
    friend_num: int
    complete_flag: int
    next_start_index: int


class FriendInfo(Fields, frozen=True, kw_only=True):
    to_account: str
    sns_profile_item: tuple[TagValue, ...] | UnsetType = UNSET
    result_code: int = 0
    result_info: str = ""


class FriendInfos(Fields, frozen=True, kw_only=True):
    info_item: tuple[FriendInfo, ...]
    fail_account: tuple[str, ...] | UnsetType = UNSET


# ---- blacklists ------------------------------------------------------------------------------------------------------


class BlackListed(Request, frozen=True, kw_only=True):
    """Accounts to be put on a blacklist, or taken off it."""

    from_account: str
    to_account: Accounts


class BlackListGet(Request, frozen=True, kw_only=True):
    from_account: str
    start_index: Index = 0
    max_limited: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 1000
    last_sequence: Sequence = 0


class BlackListCheck(Request, frozen=True, kw_only=True):
    from_account: str
    to_account: Accounts
    check_type: Literal["BlackCheckResult_Type_Single", "BlackCheckResult_Type_Both"]


class BlackListItem(Fields, frozen=True, kw_only=True):
    to_account: str
    add_black_time_stamp: int
    """Unix seconds."""


class BlackListPage(Fields, frozen=True, kw_only=True):
    """The API spells it CurruentSequence."""

    black_list_item: tuple[BlackListItem, ...]
    start_index: int
    """Of the next page; 0 when this was the last."""
    curruent_sequence: int


class BlackListRelations(Fields, frozen=True, kw_only=True):
    black_list_check_item: tuple[Relation, ...]
    fail_account: tuple[str, ...] | UnsetType = UNSET


# ---- friend groups ---------------------------------------------------------------------------------------------------


class GroupAdd(Request, frozen=True, kw_only=True):
    from_account: str
    group_name: GroupNames
    to_account: Annotated[tuple[str, ...], msgspec.Meta(max_length=MAX_ACCOUNTS)] = ()


class GroupDelete(Request, frozen=True, kw_only=True):
    from_account: str
    group_name: GroupNames


class GroupGet(Request, frozen=True, kw_only=True):
    from_account: str
    need_friend: Literal["Need_Friend_Type_Yes", "Need_Friend_Type_No"] = "Need_Friend_Type_No"
    group_name: GroupNames | None = None


class GroupAdded(Fields, frozen=True, kw_only=True):
    result_item: tuple[ResultItem, ...] | UnsetType = UNSET
    fail_account: tuple[str, ...] | UnsetType = UNSET
    current_sequence: int


class GroupSequence(Fields, frozen=True, kw_only=True):
    current_sequence: int


class GroupItem(Fields, frozen=True, kw_only=True):
    group_name: str
    friend_number: int
    to_account: tuple[str, ...] | UnsetType = UNSET


class Groups(Fields, frozen=True, kw_only=True):
    result_item: tuple[GroupItem, ...]
    current_sequence: int
