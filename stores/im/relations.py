"""Relations: friends, blacklists and friend groups, written in the call and read at once.

Two collections. `im_relations`: one document for what one user has noted of another,
`{_id: APP/BY/OF, version, app, by, of, friend, blocked, told}`, an *edge*. `im_relation_heads`:
one small document a user, `{_id: APP/USER, head, work}`, with counts, sequences and groups.
`handlers.im.relations` says what stands in them.

**One user's change is whole or not at all**, though it concerns the head and up to some hundred edges. It is
decided from the head and the edges as read, and written into the head first, if the head has still the
version that was read: the new counts, and as `work` the edges as they are to be. That single write is the
change. The edges are written from `work`, then `work` is taken away. Whoever comes upon a head with `work`
(the one who wrote it is gone) does this first. So of two calls at the same moment one decides anew, limits are
never passed, and counts and sequences are those of the edges.

An edge has the version of the change that it came with and is never set to an older one: a writer that wakes
up late does no harm. For that an edge that says nothing any more stays for a day, without `by` and `of`.

**Two users' changes are two.** A call that changes both sides writes the other's side first and the
caller's own last, where its own side says what was to be done (a friend is there, or not there); a repeat of
a call that was cut off finds one side done and does the other. Where two calls cross, each looks
again after its write: who blocks looks for the friend to take off the other's list, who has
added a friend looks whether the other has blocked meanwhile. One of the two comes later and sees it.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import datetime
from typing import Any, Generic, TypeVar
from weakref import WeakValueDictionary

import msgspec
from pymongo import ReplaceOne, UpdateOne
from pymongo.errors import BulkWriteError

from handlers.im.relations import NOTHING, Change, Edge, Head, Relations
from schemas.im.ids import key_of
from stores.collections import IM_RELATION_HEADS, IM_RELATIONS
from stores.mongo import IDS_PER_FIND, Database, Document, duplicates_in, translated

PATIENCE_SECONDS = 5.0
"""How long a change waits for its turn, and is tried again that others were faster than. A caller waits longer."""
_LONGEST_PAUSE_SECONDS = 0.1

_turns: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()
"""Within a process those who change one user's relations take turns: not for safety, but overtaking each
other all the time 200 of them would not come to an end."""

T = TypeVar("T")


class Wish(msgspec.Struct, Generic[T], frozen=True):
    """What is to happen to one user's relations; at most a hundred others are named.

    `decide` is called anew each time that the relations are read anew. What it returns is the result.
    """

    others: Sequence[str]
    decide: Callable[[Relations], T]


class Done(msgspec.Struct, Generic[T], frozen=True):
    """The edges of the others named, as they are now; by user id."""

    result: T
    head: Head
    edges: Mapping[str, Edge]
    groups_changed: bool
    """Whether there are other groups than before."""


async def change(
    database: Database, app: str, wishes: Mapping[str, Wish[T]], at: datetime, call: str | None = None
) -> dict[str, Done[T]]:
    """Change the relations of these users, each of them whole or not at all; a hundred at most.

    A user whose relations others went on changing faster is not in the answer. `call` names the
    call that changes them, where others are to be told of it.
    """
    async with AsyncExitStack() as turns:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                # In one order, so that nobody waits for somebody who waits.
                for key in sorted(key_of(app, user) for user in wishes):
                    await turns.enter_async_context(_turns.setdefault((database.name, key), asyncio.Lock()))
        except TimeoutError:
            return {}
        return await _change(database, app, wishes, at, call)


async def _change(
    database: Database, app: str, wishes: Mapping[str, Wish[T]], at: datetime, call: str | None
) -> dict[str, Done[T]]:
    done: dict[str, Done[T]] = {}
    waiting = dict(wishes)
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    pause = 0.002
    while waiting:
        opened = await _open(database, app, waiting)
        decided = {user: _decided(waiting[user], *opened[user], at, call) for user in waiting}
        changes = {user: change for user, (_, change) in decided.items() if change is not None}
        lost = await _commit(database, app, changes, at)
        done |= {user: result for user, (result, _) in decided.items() if user not in lost}
        waiting = {user: waiting[user] for user in lost}
        if waiting:
            if time.monotonic() > give_up_at:
                break
            # Two that cross should not cross again.
            await asyncio.sleep(random.uniform(0, pause))  # noqa: S311
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
    return done


async def change_one(
    database: Database, app: str, user: str, wish: Wish[T], at: datetime, call: str | None = None
) -> Done[T] | None:
    """The same for one user; None where others went on changing faster."""
    return (await change(database, app, {user: wish}, at, call)).get(user)


async def consider(database: Database, app: str, user: str, wish: Wish[T], at: datetime) -> T:
    """What would result, as things stand. Nothing is written."""
    opened = await _open(database, app, {user: wish})
    return wish.decide(Relations(*opened[user], at, None))


async def head_of(database: Database, app: str, user: str) -> Head:
    """A user's head, after every change that it counts has reached the edges."""
    (head,) = (await _heads(database, app, [user])).values()
    return head


def _decided(
    wish: Wish[T], head: Head, edges: Mapping[str, Edge], at: datetime, call: str | None
) -> tuple[Done[T], Change | None]:
    relations = Relations(head, edges, at, call)
    result = wish.decide(relations)
    change = relations.close()
    if change is None:
        return Done(result, head, edges, groups_changed=False), None
    groups_changed = [group.name for group in head.groups] != [group.name for group in change.head.groups]
    return Done(result, change.head, {**edges, **change.edges}, groups_changed), change


async def _open(
    database: Database, app: str, wishes: Mapping[str, Wish[Any]]
) -> dict[str, tuple[Head, Mapping[str, Edge]]]:
    # Heads first: an edge that is newer than the head costs a repeat, one that is older would cost a change.
    heads = await _heads(database, app, wishes)
    edges = await edges_of(database, app, {user: wish.others for user, wish in wishes.items()})
    return {user: (heads[user], edges[user]) for user in wishes}


async def _heads(database: Database, app: str, users: Iterable[str]) -> dict[str, Head]:
    keys = {key_of(app, user): user for user in users}
    documents = [document async for document in found(database, IM_RELATION_HEADS, list(keys))]
    await _finish(database, [document for document in documents if "work" in document])
    heads = {keys[document["_id"]]: msgspec.convert(document["head"], Head) for document in documents}
    return {user: heads.get(user, Head()) for user in keys.values()}


async def edges_of(database: Database, app: str, wanted: Mapping[str, Iterable[str]]) -> dict[str, dict[str, Edge]]:
    """What each of these users has noted of the others named; asks the store once per hundred edges."""
    keys = {key_of(app, user, other): (user, other) for user, others in wanted.items() for other in others}
    edges: dict[str, dict[str, Edge]] = {user: {} for user in wanted}
    for user, other in keys.values():
        edges[user][other] = NOTHING
    async for document in found(database, IM_RELATIONS, list(keys)):
        user, other = keys[document["_id"]]
        edges[user][other] = edge_in(document)
    return edges


def edge_in(document: Document) -> Edge:
    return msgspec.convert({name: document[name] for name in Edge.__struct_fields__ if name in document}, Edge)


async def _commit(database: Database, app: str, changes: Mapping[str, Change], at: datetime) -> set[str]:
    """Write the changes; returns the users whose head was another's already."""
    users = list(changes)
    documents = {user: _head_document(app, user, changes[user], at) for user in users}
    lost = {users[index] for index in await _bulk(database, IM_RELATION_HEADS, [_swap(documents[u]) for u in users])}
    await _finish(database, [documents[user] for user in users if user not in lost and "work" in documents[user]])
    return lost


def _swap(document: Document) -> UpdateOne:
    """Set a head, if it has still the version before. Where it has not, the upsert meets a duplicate key."""
    before = document["head"]["version"] - 1
    fields = {name: value for name, value in document.items() if name != "_id"}
    matching = {"_id": document["_id"], "head.version": before or {"$exists": False}}
    return UpdateOne(matching, {"$set": fields}, upsert=True)


async def _finish(database: Database, documents: Sequence[Document]) -> None:
    """Bring the work of these heads to the edges. May be done twice, and by two at once."""
    work = [edge for document in documents for edge in document["work"]]
    late = await _bulk(database, IM_RELATIONS, [_replace(edge, upsert=True) for edge in work])
    # Another's insert came between: if that one was the older, it is there to be replaced now.
    await _bulk(database, IM_RELATIONS, [_replace(work[index], upsert=False) for index in late])
    ended = [{"_id": document["_id"], "head.version": document["head"]["version"]} for document in documents]
    await _bulk(database, IM_RELATION_HEADS, [UpdateOne(matching, {"$unset": {"work": ""}}) for matching in ended])


def _replace(edge: Document, *, upsert: bool) -> ReplaceOne[Document]:
    older = {"_id": edge["_id"], "version": {"$not": {"$gte": edge["version"]}}}
    return ReplaceOne(older, edge, upsert=upsert)


async def _bulk(database: Database, collection: str, writes: Sequence[UpdateOne | ReplaceOne[Document]]) -> list[int]:
    """Unordered; the indexes that met a duplicate key."""
    if not writes:
        return []
    try:
        with translated():
            await database[collection].bulk_write(writes, ordered=False)
    except BulkWriteError as error:
        return duplicates_in(collection, error)
    return []


def _head_document(app: str, user: str, change: Change, at: datetime) -> Document:
    version = change.head.version
    work = [_edge_document(app, user, other, edge, version, at) for other, edge in change.edges.items()]
    document: Document = {"_id": key_of(app, user), "head": _builtins(change.head)}
    return {**document, "work": work} if work else document


def _edge_document(app: str, user: str, other: str, edge: Edge, version: int, at: datetime) -> Document:
    document = {"_id": key_of(app, user, other), "version": version, **_builtins(edge)}
    if edge.gone:
        return {**document, "gone_at": at}
    return {**document, "app": app, "by": user, "of": other}


def _builtins(value: msgspec.Struct) -> Document:
    return msgspec.to_builtins(value, builtin_types=(datetime,))  # type: ignore[no-any-return]


async def found(database: Database, collection: str, keys: Sequence[str]) -> AsyncIterator[Document]:
    """The documents that are there."""
    for start in range(0, len(keys), IDS_PER_FIND):
        with translated():
            rows = await database[collection].find({"_id": {"$in": list(keys[start : start + IDS_PER_FIND])}}).to_list()
        for row in rows:
            yield row
