"""Online state: what is kept of it, and the bodies of query_online_status."""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, UnsetType

from schemas.im.bodies import Fields, Request

MAX_QUERIED = 500

Status = Literal["Online", "PushOnline", "Offline"]
"""Connected; not connected, and reachable by push; logged out (semantics, section 13)."""

_PLATFORMS = {
    "ios": "iPhone",
    "android": "Android",
    "web": "Web",
    "windows": "PC",
    "ipad": "iPad",
    "mac": "Mac",
    "linux": "Linux",
}


def platform_of(name: str) -> str:
    """A platform as query_online_status calls it, from what callbacks call it: `IOS` and `iOS` are `iPhone`.

    One of a few names, fit for a document's field; those that nobody knows are `Unknown`.
    """
    return _PLATFORMS.get(name.lower(), "Unknown")


class QueryOnlineStatus(Request, frozen=True, kw_only=True):
    to_account: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
    is_need_detail: Literal[0, 1] = 0


class PlatformStatus(Fields, frozen=True, kw_only=True):
    platform: str
    status: Status


class UserStatus(Fields, frozen=True, kw_only=True):
    to_account: str
    status: Status
    detail: tuple[PlatformStatus, ...] | UnsetType = UNSET


class AccountError(Fields, frozen=True, kw_only=True):
    """An account of a list that a call could do nothing with."""

    to_account: str
    error_code: int


class OnlineStatuses(Fields, frozen=True, kw_only=True):
    query_result: tuple[UserStatus, ...]
    error_list: tuple[AccountError, ...] | UnsetType = UNSET
