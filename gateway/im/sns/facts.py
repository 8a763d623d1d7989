"""The facts about what a call has changed.

They are made of the edges, which say by which change and call they became what they are. So a call that is
repeated, because Kafka was away after its write, tells again what its first try has done, under the same ids.
"""

import hashlib
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec

from gateway.im.frame import Caller
from gateway.im.messages_facts import fact
from handlers.im.relations import Edge, Head
from schemas.events import Event
from schemas.im.ids import key_of
from schemas.im.sns_facts import (
    BLACKLIST_ADDED,
    BLACKLIST_DELETED,
    FRIEND_ADDED,
    FRIEND_DELETED,
    FRIEND_REQUESTED,
    GROUPS_CHANGED,
    BlacklistAdded,
    BlacklistDeleted,
    FriendAdded,
    FriendDeleted,
    FriendGroupsChanged,
    FriendRequested,
    fact_id,
)
from schemas.times import unix_milliseconds
from stores.im.relations import Done

TOLD_AGAIN = timedelta(minutes=10)
"""How long after a change the same call is taken for a repeat of the one that made it."""

Pairs = Mapping[str, tuple[Edge, Edge]]
"""By user id: what the caller's user has noted of the other, and the other of the user."""


def call_of(caller: Caller) -> str:
    """The same for a call and its repeats: these calls have no id, so it is what they ask for."""
    call = caller.call
    return hashlib.sha256(f"{call.path}\n".encode() + call.raw_bytes).hexdigest()[:24]


def facts_of(caller: Caller, user: str, pairs: Pairs, *types: str, forced: bool = False) -> Iterator[Event]:
    """Facts of these types about what this call has changed between a user, who wanted it so, and the others."""
    call = call_of(caller)
    for other, (own, back) in pairs.items():
        for by, of, edge in ((user, other, own), (other, user, back)):
            if edge.told and edge.told.call == call and caller.at - edge.told.at < TOLD_AGAIN:
                for kind in edge.told.types:
                    if kind in types:
                        payload = _payload(caller, kind, by, of, user, forced)
                        event_id = fact_id(kind, caller.app.id, by, of, edge.told.version)
                        yield fact(caller, event_id, kind, key_of(caller.app.id, by), edge.told.at, payload)


def request_facts(caller: Caller, requester: str, waiting: Mapping[str, datetime]) -> Iterator[Event]:
    """`waiting`: who is asked, since when."""
    for asked, since in waiting.items():
        event_id = f"{FRIEND_REQUESTED}/{key_of(caller.app.id, asked, requester)}/{unix_milliseconds(since)}"
        account = key_of(caller.app.id, asked)
        payload = FriendRequested(account=account, requester=requester)
        yield fact(caller, event_id, FRIEND_REQUESTED, account, since, payload)


def groups_facts(caller: Caller, user: str, done: Done[Any] | None) -> Iterator[Event]:
    """Where a change has made other groups."""
    if done and done.groups_changed:
        yield groups_fact(caller, user, done.head)


def groups_fact(caller: Caller, user: str, head: Head) -> Event:
    """The groups as they are."""
    account = key_of(caller.app.id, user)
    payload = FriendGroupsChanged(
        account=account, groups=tuple(group.name for group in head.groups), sequence=head.group_sequence
    )
    return fact(
        caller, f"{GROUPS_CHANGED}/{account}/{head.group_sequence}", GROUPS_CHANGED, account, caller.at, payload
    )


def _payload(caller: Caller, kind: str, by: str, of: str, initiator: str, forced: bool) -> msgspec.Struct:
    account = key_of(caller.app.id, by)
    match kind:
        case _ if kind == FRIEND_ADDED:
            return FriendAdded(account=account, friend=of, initiator=initiator, admin=caller.admin, forced=forced)
        case _ if kind == FRIEND_DELETED:
            return FriendDeleted(account=account, friend=of)
        case _ if kind == BLACKLIST_ADDED:
            return BlacklistAdded(account=account, blocked=of)
        case _ if kind == BLACKLIST_DELETED:
            return BlacklistDeleted(account=account, blocked=of)
    raise ValueError(f"{kind} is no fact about an edge")
