"""The fields of a friend as the API names them: set from tags and values, and read as such."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from msgspec.structs import replace

from handlers.im.relations import Friend
from schemas.im.sns import Value
from schemas.im.sns_codes import BAD_FIELD, UNKNOWN_TAG, Trouble
from schemas.im.sns_fields import (
    ADD_TIME,
    GROUP,
    MAX_REMARK_BYTES,
    MAX_WORDING_BYTES,
    REMARK,
    SOURCE,
    STANDARD,
    WORDING,
    is_custom_value,
    is_group_name,
    is_source,
    is_text,
)

UPDATABLE = frozenset({REMARK, GROUP})
"""Of the standard fields; the rest is set when a friend is added."""


def with_fields(
    friend: Friend,
    fields: Iterable[tuple[str, Value]],
    custom_tags: frozenset[str],
    standard: frozenset[str] = STANDARD,
) -> Friend | Trouble:
    """The friend with these fields set, all of them or none; of a field that comes twice the last counts."""
    for tag, value in fields:
        if tag not in standard and tag not in custom_tags:
            return UNKNOWN_TAG
        changed = _with_field(friend, tag, value)
        if changed is None:
            return BAD_FIELD
        friend = changed
    return friend


def _with_field(friend: Friend, tag: str, value: Value) -> Friend | None:
    """None where the value does not fit."""
    match tag, value:
        case "Tag_SNS_IM_Remark", str() if is_text(value, MAX_REMARK_BYTES):
            return replace(friend, remark=value)
        case "Tag_SNS_IM_Group", tuple() if all(map(is_group_name, value)):
            return replace(friend, groups=tuple(dict.fromkeys(value)))
        case "Tag_SNS_IM_AddSource", str() if is_source(value):
            return replace(friend, source=value)
        case "Tag_SNS_IM_AddWording", str() if is_text(value, MAX_WORDING_BYTES):
            return replace(friend, wording=value)
        case "Tag_SNS_IM_AddTime", int():
            return replace(friend, added_at=datetime.fromtimestamp(value, UTC))
        case _, str() | int() if tag not in STANDARD and is_custom_value(value):
            return replace(friend, custom={**friend.custom, tag: value})
    return None


def standard_of(friend: Friend) -> Iterator[tuple[str, Value]]:
    """The standard fields that have a value."""
    yield SOURCE, friend.source
    if friend.remark:
        yield REMARK, friend.remark
    if friend.groups:
        yield GROUP, friend.groups
    yield ADD_TIME, int(friend.added_at.timestamp())
    if friend.wording:
        yield WORDING, friend.wording


def custom_of(friend: Friend) -> Iterator[tuple[str, Value]]:
    yield from friend.custom.items()
