"""Relations as they are asked for: pages of lists, who is in a group, how two stand to each other."""

from collections.abc import Iterable

import msgspec

from handlers.im.relations import Edge
from schemas.im.apps import App
from stores.collections import IM_RELATIONS
from stores.im.relations import edge_in, edges_of
from stores.mongo import Database, Document, translated


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How one who sends and one who receives stand to each other."""

    blocking: bool
    """The sender has the receiver on the blacklist."""
    blocked: bool
    """The receiver has the sender on the blacklist."""
    has_friend: bool
    """The receiver is on the sender's list."""
    is_friend: bool
    """The sender is on the receiver's list."""


async def may_send(database: Database, app: App, from_: str, to: str) -> Standing:
    """The facts that decide whether one may write to another; what follows from them is the caller's to say.

    One query. A change whose call was cut off shows here once one of the two is next read or
    changed; its caller has had no answer.
    """
    edges = await edges_of(database, app.id, {from_: (to,)} if from_ == to else {from_: (to,), to: (from_,)})
    own, other = edges[from_][to], edges[to][from_]
    return Standing(
        blocking=own.blocked is not None,
        blocked=other.blocked is not None,
        has_friend=own.friend is not None,
        is_friend=other.friend is not None,
    )


async def edges_between(database: Database, app: str, user: str, others: Iterable[str]) -> dict[str, tuple[Edge, Edge]]:
    """What a user has noted of each of the others, and each of them of the user."""
    named = dict.fromkeys(others)
    edges = await edges_of(database, app, {user: list(named), **{other: (user,) for other in named if other != user}})
    return {other: (edges[user][other], edges[other][user]) for other in named}


async def friends_of(database: Database, app: str, user: str, start: int, limit: int) -> list[tuple[str, Edge]]:
    """A part of the list, in the order in which they were added."""
    return await _listed(database, app, user, "friend", start, limit)


async def blocked_by(database: Database, app: str, user: str, start: int, limit: int) -> list[tuple[str, Edge]]:
    """A part of the blacklist, in the order in which they were added."""
    return await _listed(database, app, user, "blocked", start, limit)


async def _listed(database: Database, app: str, user: str, what: str, start: int, limit: int) -> list[tuple[str, Edge]]:
    mine: Document = {"app": app, "by": user, f"{what}.place": {"$gt": 0}}
    with translated():
        cursor = database[IM_RELATIONS].find(mine).sort(f"{what}.place", 1).skip(start).limit(limit)
        return [(row["of"], edge_in(row)) for row in await cursor.to_list()]


async def friends_in_group(database: Database, app: str, user: str, group: str, limit: int = 0) -> list[str]:
    """User ids, in the order in which they were added to the list; all of them where there is no limit."""
    mine: Document = {"app": app, "by": user, "friend.place": {"$gt": 0}, "friend.groups": group}
    with translated():
        cursor = database[IM_RELATIONS].find(mine, {"of": 1}).sort("friend.place", 1).limit(limit)
        return [row["of"] for row in await cursor.to_list()]


async def noting(database: Database, app: str, user: str, limit: int) -> list[str]:
    """Some of those who have noted something of a user."""
    with translated():
        rows = await database[IM_RELATIONS].find({"app": app, "of": user}, {"by": 1}).limit(limit).to_list()
    return [row["by"] for row in rows]


async def noted(database: Database, app: str, user: str, limit: int) -> list[str]:
    """Some of those of whom a user has noted something."""
    with translated():
        rows = await database[IM_RELATIONS].find({"app": app, "by": user}, {"of": 1}).limit(limit).to_list()
    return [row["of"] for row in rows]
