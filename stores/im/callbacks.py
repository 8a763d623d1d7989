"""What callbacks say of profiles and friends, brought to where calls write them too.

Done again, as after a crash, each changes nothing more. `heard.TAG` of an account is when it was last
said what the field is, by a callback or a call: a callback that comes late does not put an older value back.
Those about friends have no time of their own: they count in the order in which they came, and
behind what calls have changed since.
"""

import hashlib
from collections.abc import AsyncIterator, Iterable, Mapping
from functools import partial

import msgspec
from pymongo import UpdateOne

from handlers.im.callbacks import HearFriends, HearProfile
from handlers.im.relations import Edge, Friend, Relations
from schemas.errors import StoreAway
from schemas.events import Event
from schemas.im.callbacks import Pair
from schemas.im.ids import key_of
from schemas.im.message import SOURCE
from schemas.im.sns_facts import FRIEND_ADDED, FRIEND_DELETED, FriendAdded, FriendDeleted, fact_id
from stores.collections import IM_ACCOUNTS
from stores.im.accounts import existing_among
from stores.im.relations import Done, Wish, change
from stores.mongo import Database, translated

PAIRS_AT_ONCE = 100
"""The most that `change` takes."""


async def hear_profile(database: Database, heard: HearProfile) -> None:
    """Set these fields, as far as nothing newer was said of them. Of a user that is no account nothing is kept."""
    key = key_of(heard.app, heard.user)
    writes = [
        UpdateOne(
            {"_id": key, "gone_at": {"$exists": False}, f"heard.{tag}": {"$not": {"$gt": heard.at}}},
            {"$set": {f"profile.{tag}": value, f"heard.{tag}": heard.at}},
        )
        for tag, value in heard.profile.items()
    ]
    if writes:
        with translated():
            await database[IM_ACCOUNTS].bulk_write(writes, ordered=False)


async def hear_friends(database: Database, heard: HearFriends) -> AsyncIterator[list[Event]]:
    """Only between accounts. Gives the facts of what has changed, a portion after the other.

    They are to be published before the next is asked for: a later change of the same friends takes
    away what says that they are to be told. Raises StoreAway.
    """
    named = {(pair.from_account, pair.to_account): pair for pair in reversed(heard.pairs)}
    users = {user for pair in named for user in pair}
    known = await existing_among(database, heard.app, heard.admins, users)
    good = [pair for names, pair in reversed(named.items()) if names[0] != names[1] and known.issuperset(names)]
    call = hashlib.sha256(heard.cause.encode()).hexdigest()[:24]
    for start in range(0, len(good), PAIRS_AT_ONCE):
        some = good[start : start + PAIRS_AT_ONCE]
        lists: dict[str, list[str]] = {}
        for pair in some:
            lists.setdefault(pair.from_account, []).append(pair.to_account)
        wishes = {user: Wish(others, partial(_decide, heard, others)) for user, others in lists.items()}
        done = await change(database, heard.app, wishes, heard.at, call)
        if done.keys() != wishes.keys():
            raise StoreAway("others went on changing the same lists")
        if events := list(_facts(heard, call, some, done)):
            yield events


def _decide(heard: HearFriends, others: Iterable[str], relations: Relations) -> None:
    """Who is a friend already stays one as noted; who is blocked here becomes none."""
    for other in others:
        told = relations.edge(other).told
        if told is not None and told.at > heard.at:
            continue
        if heard.made:
            relations.befriend(other, Friend(added_at=heard.at, source=""))
        else:
            relations.unfriend(other)


def _facts(heard: HearFriends, call: str, pairs: Iterable[Pair], done: Mapping[str, Done[None]]) -> Iterable[Event]:
    """Of what this callback has changed, now or in an earlier pass."""
    kind = FRIEND_ADDED if heard.made else FRIEND_DELETED
    for pair in pairs:
        edge: Edge = done[pair.from_account].edges[pair.to_account]
        if edge.told is None or edge.told.call != call or kind not in edge.told.types:
            continue
        account = key_of(heard.app, pair.from_account)
        yield Event(
            id=fact_id(kind, heard.app, pair.from_account, pair.to_account, edge.told.version),
            source=SOURCE,
            type=kind,
            subject=account,
            time=edge.told.at,
            data=msgspec.json.encode(_payload(heard, account, pair)),
            traceparent=heard.traceparent,
        )


def _payload(heard: HearFriends, account: str, pair: Pair) -> FriendAdded | FriendDeleted:
    if not heard.made:
        return FriendDeleted(account=account, friend=pair.to_account)
    return FriendAdded(
        account=account,
        friend=pair.to_account,
        initiator=pair.initiator_account,
        admin=heard.admin,
        forced=heard.forced,
    )
