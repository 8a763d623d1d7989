"""all_member_push: the body of im_push. contracts/im-semantics.md, section 11."""

from typing import Any

from schemas.im.bodies import Fields, Request
from schemas.im.message import UInt32
from schemas.im.message_bodies import OfflinePushInfo

MAX_TAGS = 10
"""Of each list of a condition."""


class Condition(Request, frozen=True, kw_only=True):
    attrs_or: Any = None
    """Objects of name and value; checked where the code for a bad one is."""
    attrs_and: Any = None
    tags_or: tuple[str, ...] | None = None
    tags_and: tuple[str, ...] | None = None


class ImPush(Request, frozen=True, kw_only=True):
    condition: Condition | None = None
    from_account: str | None = None
    msg_random: UInt32
    msg_body: Any
    msg_life_time: int = 0
    offline_push_info: OfflinePushInfo | None = None


class Pushed(Fields, frozen=True, kw_only=True):
    task_id: str
