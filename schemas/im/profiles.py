"""Profiles: their fields, what may stand in each, and the bodies of the calls.

contracts/im-semantics.md, section 9; limits of single fields that it does not name are
general knowledge of the same API.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from schemas.im.bodies import Fields, Request

MAX_VALUE_BYTES = 500
MAX_UINT32 = 2**32 - 1
MAX_INTEGER = 2**63 - 1
"""Of a field of the app's own: what the store can keep."""
CUSTOM = "Tag_Profile_Custom_"
NICK, IMAGE = "Tag_Profile_IM_Nick", "Tag_Profile_IM_Image"

UNKNOWN_TAG, TOO_LONG, BAD_VALUE, WRONG_TYPE = 40009, 40601, 40605, 40610


class Text(msgspec.Struct, frozen=True):
    """A field that holds text: any, or one of these."""

    one_of: frozenset[str] | None = None
    max_bytes: int = MAX_VALUE_BYTES


class Number(msgspec.Struct, frozen=True):
    """A field that holds an unsigned 32-bit integer."""


STANDARD: Mapping[str, Text | Number] = {
    NICK: Text(),
    "Tag_Profile_IM_Gender": Text(frozenset({"Gender_Type_Unknown", "Gender_Type_Male", "Gender_Type_Female"})),
    "Tag_Profile_IM_BirthDay": Number(),
    "Tag_Profile_IM_Location": Text(max_bytes=16),
    "Tag_Profile_IM_SelfSignature": Text(),
    "Tag_Profile_IM_AllowType": Text(
        frozenset({"AllowType_Type_AllowAny", "AllowType_Type_NeedConfirm", "AllowType_Type_DenyAny"})
    ),
    "Tag_Profile_IM_Language": Number(),
    IMAGE: Text(),
    "Tag_Profile_IM_MsgSettings": Number(),
    "Tag_Profile_IM_AdminForbidType": Text(frozenset({"AdminForbid_Type_None", "AdminForbid_Type_SendOut"})),
    "Tag_Profile_IM_Level": Number(),
    "Tag_Profile_IM_Role": Number(),
}


def trouble_of(tag: str, value: Any, custom_tags: frozenset[str]) -> int:
    """The code for what is wrong with a field's value; 0 where nothing is."""
    if not is_tag(tag, custom_tags):
        return UNKNOWN_TAG
    if isinstance(value, bool) or not isinstance(value, str | int):
        return WRONG_TYPE
    if isinstance(value, str) and len(value.encode()) > MAX_VALUE_BYTES:
        return TOO_LONG
    match STANDARD.get(tag):
        case Text(one_of=one_of, max_bytes=max_bytes):
            if not isinstance(value, str):
                return WRONG_TYPE
            fits = len(value.encode()) <= max_bytes and (one_of is None or value in one_of)
            return 0 if fits else BAD_VALUE
        case Number():
            if not isinstance(value, int):
                return WRONG_TYPE
            return 0 if 0 <= value <= MAX_UINT32 else BAD_VALUE
    if isinstance(value, int) and not 0 <= value <= MAX_INTEGER:
        return WRONG_TYPE if value < 0 else BAD_VALUE
    return 0


def is_tag(tag: str, custom_tags: frozenset[str]) -> bool:
    return tag in STANDARD or tag in custom_tags


class PortraitGet(Request, frozen=True, kw_only=True):
    to_account: tuple[str, ...]
    tag_list: tuple[str, ...]


class ProfileItem(Request, frozen=True, kw_only=True):
    tag: str
    value: Any


class PortraitSet(Request, frozen=True, kw_only=True):
    from_account: str
    profile_item: tuple[ProfileItem, ...]


class TagValue(Fields, frozen=True, kw_only=True):
    tag: str
    value: str | int


class UserProfile(Fields, frozen=True, kw_only=True):
    """One user's fields, or why there are none."""

    to_account: str
    profile_item: tuple[TagValue, ...] | UnsetType = UNSET
    result_code: int = 0
    result_info: str = ""


class Portraits(Fields, frozen=True, kw_only=True):
    user_profile_item: tuple[UserProfile, ...]
    fail_account: tuple[str, ...] | UnsetType = UNSET
