"""sns: the facts about relations. `account` is whose list has changed, the key, APP/USER; the others are user ids."""

import msgspec

from schemas.catalogue import EventType
from schemas.im.ids import key_of
from schemas.numbers import Int64, Key, Text

FRIEND_ADDED = "im.friend.added"
FRIEND_DELETED = "im.friend.deleted"
FRIEND_REQUESTED = "im.friend.requested"
BLACKLIST_ADDED = "im.blacklist.added"
BLACKLIST_DELETED = "im.blacklist.deleted"
GROUPS_CHANGED = "im.friend-group.changed"


def fact_id(kind: str, app: str, by: str, of: str, version: int) -> str:
    """Of what has become of a user on the list of another: the same whoever tells of that version, and how often."""
    return f"{kind}/{key_of(app, by, of)}/{version}"


class FriendAdded(msgspec.Struct, frozen=True, kw_only=True):
    """One direction: `friend` was put on the list of `account`. A friendship of both sides is two facts."""

    account: Key
    friend: Text
    initiator: Text
    """Who asked for the friendship."""
    admin: Text
    """The admin who called."""
    forced: bool


class FriendDeleted(msgspec.Struct, frozen=True, kw_only=True):
    """One direction: `friend` was taken off the list of `account`."""

    account: Key
    friend: Text


class FriendRequested(msgspec.Struct, frozen=True, kw_only=True):
    """`requester` would like to be friends with `account`, who has to confirm."""

    account: Key
    requester: Text


class BlacklistAdded(msgspec.Struct, frozen=True, kw_only=True):
    """`blocked` was put on the blacklist of `account`."""

    account: Key
    blocked: Text


class BlacklistDeleted(msgspec.Struct, frozen=True, kw_only=True):
    """`blocked` was taken off the blacklist of `account`."""

    account: Key
    blocked: Text


class FriendGroupsChanged(msgspec.Struct, frozen=True, kw_only=True):
    """The groups that `account` sorts friends into are these now."""

    account: Key
    groups: tuple[Text, ...]
    sequence: Int64


EVENT_TYPES = (
    EventType(FRIEND_ADDED, FriendAdded, "An IM account has a new friend", "account", internal=True),
    EventType(FRIEND_DELETED, FriendDeleted, "An IM account has a friend less", "account", internal=True),
    EventType(FRIEND_REQUESTED, FriendRequested, "An IM account is asked for friendship", "account", internal=True),
    EventType(BLACKLIST_ADDED, BlacklistAdded, "An IM account blocked another", "account", internal=True),
    EventType(BLACKLIST_DELETED, BlacklistDeleted, "An IM account unblocked another", "account", internal=True),
    EventType(
        GROUPS_CHANGED, FriendGroupsChanged, "The friend groups of an IM account changed", "account", internal=True
    ),
)
