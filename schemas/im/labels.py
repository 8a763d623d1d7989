"""all_member_push: the bodies of the calls about users' attributes and tags.

contracts/im-semantics.md, section 11. An app has ten places for attributes, 0 to 9, and
names for them; a user has values in those places, and tags.
"""

from collections.abc import Mapping
from typing import Annotated

import msgspec

from schemas.im.bodies import Fields, Request
from schemas.numbers import NO_NUL

MAX_USERS = 500
"""Of one call."""
MAX_TAGS_AT_ONCE = 10
MAX_TAGS = 100
"""Of one user."""
MAX_BYTES = 50
"""Of a tag, an attribute's name, an attribute's value; as UTF-8."""
PLACES = frozenset("0123456789")

Label = Annotated[str, msgspec.Meta(pattern=NO_NUL)]


def is_short(text: str) -> bool:
    return len(text.encode()) <= MAX_BYTES


class AttrNames(Fields, frozen=True, kw_only=True):
    """Names by place."""

    attr_names: Mapping[str, str]


class SetAttrName(Request, frozen=True, kw_only=True):
    attr_names: dict[str, Label]


class ValuesOfUser(Request, frozen=True, kw_only=True):
    to_account: str
    attrs: dict[str, Label]


class SetAttr(Request, frozen=True, kw_only=True):
    user_attrs: tuple[ValuesOfUser, ...]


class NamesOfUser(Request, frozen=True, kw_only=True):
    to_account: str
    attrs: tuple[str, ...]


class RemoveAttr(Request, frozen=True, kw_only=True):
    user_attrs: tuple[NamesOfUser, ...]


class TagsOfUser(Request, frozen=True, kw_only=True):
    to_account: str
    tags: tuple[Label, ...]


class ChangeTags(Request, frozen=True, kw_only=True):
    """To be added, or to be removed."""

    user_tags: tuple[TagsOfUser, ...]


class OfUsers(Request, frozen=True, kw_only=True):
    """Whose attributes or tags are asked for, or are all to go."""

    to_account: tuple[str, ...]


class UserAttrs(Fields, frozen=True, kw_only=True):
    to_account: str
    attrs: Mapping[str, str]


class AttrsOfUsers(Fields, frozen=True, kw_only=True):
    user_attrs: tuple[UserAttrs, ...]


class UserTags(Fields, frozen=True, kw_only=True):
    to_account: str
    tags: tuple[str, ...]


class TagsOfUsers(Fields, frozen=True, kw_only=True):
    user_tags: tuple[UserTags, ...]
