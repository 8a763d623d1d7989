"""sns/friend_*: friends are added, imported, updated and deleted."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from gateway.im.frame import Caller
from gateway.im.sns.adding import Adding, unfriending
from gateway.im.sns.calls import PORTION, insisted, known_profiles, portions, results
from gateway.im.sns.facts import call_of, facts_of, groups_facts
from gateway.system import Reply
from handlers.im.relations import Friend, Relations
from handlers.im.relations_fields import UPDATABLE, with_fields
from schemas.events import Event
from schemas.im.sns import (
    FriendAdd,
    FriendDelete,
    FriendDeleteAll,
    FriendImport,
    FriendUpdate,
    ImportFriendItem,
    SnsItem,
    UpdateItem,
    Value,
)
from schemas.im.sns_codes import (
    CONFLICT,
    NO_ACCOUNT,
    NO_FRIEND,
    NOT_FRIENDS,
    ON_OTHERS_BLACKLIST,
    ONESELF,
    UNKNOWN_TAG,
    Trouble,
)
from schemas.im.sns_facts import FRIEND_DELETED
from schemas.im.sns_fields import ADD_TIME, CUSTOM, GROUP, REMARK, SOURCE, WORDING
from stores.im.relations import Wish, change, change_one, head_of
from stores.im.relations_read import edges_between, friends_of
from stores.mongo import Database

BOTH = "Delete_Type_Both"


class Friends:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, caller: Caller, body: FriendAdd) -> Reply:
        """Of an account that comes twice the first item counts."""
        items = {item.to_account: item for item in reversed(body.add_friend_item)}
        profiles = await known_profiles(self._database, caller.app, body.from_account, items)
        adding = Adding(self._database, caller, body, profiles)
        for some in portions(reversed(items.values())):
            await adding.add(some)
        return Reply(results("FriendAdd", adding.outcomes), tuple(adding.facts))

    async def import_(self, caller: Caller, body: FriendImport) -> Reply:
        """One direction, nobody is asked and nobody is told. Who is a friend already gets what is given."""
        user = body.from_account
        items = {item.to_account: item for item in reversed(body.add_friend_item)}
        known = await known_profiles(self._database, caller.app, user, items)
        outcomes: dict[str, Trouble | None] = {}
        for some in portions(reversed(items.values())):
            outcomes |= {item.to_account: _stranger(user, item.to_account, known) for item in some}
            possible = {item.to_account: item for item in some if outcomes[item.to_account] is None}
            outcomes |= dict.fromkeys(await self._blocking(caller, user, possible), ON_OTHERS_BLACKLIST)
            good = {other: item for other, item in possible.items() if outcomes[other] is None}
            wish = Wish([*good], partial(_import_all, good, caller))
            done = await change_one(self._database, caller.app.id, user, wish, caller.at)
            outcomes |= done.result if done else dict.fromkeys(good, CONFLICT)
            # Again, for whoever has blocked the user meanwhile.
            outcomes |= dict.fromkeys(await self._blocking(caller, user, possible), ON_OTHERS_BLACKLIST)
        return Reply(results("FriendImport", outcomes))

    async def update(self, caller: Caller, body: FriendUpdate) -> Reply:
        """All fields of an item or none of them."""
        user = body.from_account
        known = await known_profiles(self._database, caller.app, user, [item.to_account for item in body.update_item])
        outcomes: dict[str, Trouble | None] = {}
        facts: list[Event] = []
        for some in portions(body.update_item):
            named = [*dict.fromkeys(item.to_account for item in some)]
            wish = Wish(named, partial(_update_all, some, caller.app.sns_tags))
            done = await change_one(self._database, caller.app.id, user, wish, caller.at)
            outcomes |= done.result if done else dict.fromkeys(named, CONFLICT)
            facts += groups_facts(caller, user, done)
        outcomes |= {other: NO_ACCOUNT for other, trouble in outcomes.items() if trouble and other not in known}
        return Reply(results("FriendUpdate", outcomes), tuple(facts))

    async def delete(self, caller: Caller, body: FriendDelete) -> Reply:
        user = body.from_account
        others = [*dict.fromkeys(body.to_account)]
        known = await known_profiles(self._database, caller.app, user, others)
        outcomes: dict[str, Trouble | None] = {}
        facts: list[Event] = []
        for some in portions(others):
            deleted, busy, told = await self._delete_some(caller, user, some, both=body.delete_type == BOTH)
            for other in some:
                trouble = NOT_FRIENDS if other in known else NO_ACCOUNT
                outcomes[other] = CONFLICT if other in busy else None if other in deleted else trouble
            facts += told
        return Reply(results("FriendDelete", outcomes), tuple(facts))

    async def delete_all(self, caller: Caller, body: FriendDeleteAll) -> Reply:
        """A portion of the list after the other: what is left of a call that was cut off is on it still."""
        user = body.from_account
        await known_profiles(self._database, caller.app, user)
        await head_of(self._database, caller.app.id, user)
        facts: list[Event] = []
        while friends := await friends_of(self._database, caller.app.id, user, 0, PORTION):
            others = [other for other, _ in friends]
            _, busy, told = await self._delete_some(caller, user, others, both=body.delete_type == BOTH)
            insisted(None if busy else True)
            facts += told
        return Reply(None, tuple(facts))

    async def _delete_some(
        self, caller: Caller, user: str, others: Sequence[str], *, both: bool
    ) -> tuple[set[str], set[str], Sequence[Event]]:
        """Those who were on a list, those whose list was too busy to be changed, and what is told of it."""
        app, call, deleted, busy = caller.app.id, call_of(caller), set[str](), set[str]()
        if both:
            theirs = await change(
                self._database, app, {other: unfriending([user]) for other in others}, caller.at, call
            )
            deleted |= {other for other, done in theirs.items() if done.result}
            busy |= set(others) - theirs.keys()
        own = await change_one(self._database, app, user, unfriending(others), caller.at, call)
        deleted |= set(own.result) if own else set()
        busy |= set() if own else set(others)
        pairs = await edges_between(self._database, app, user, others)
        return deleted, busy, tuple(facts_of(caller, user, pairs, FRIEND_DELETED))

    async def _blocking(self, caller: Caller, user: str, others: Mapping[str, object]) -> list[str]:
        """Those who have blocked the user, and are not blocked themselves. None of them stays on the user's list."""
        pairs = await edges_between(self._database, caller.app.id, user, others)
        friends = [other for other, (own, theirs) in pairs.items() if own.friend and theirs.blocked]
        if friends:
            await change_one(self._database, caller.app.id, user, unfriending(friends), caller.at)
        return [other for other, (own, theirs) in pairs.items() if theirs.blocked and not own.blocked]


def _stranger(user: str, other: str, known: Mapping[str, object]) -> Trouble | None:
    """Why somebody cannot be a friend of the user at all."""
    if other == user:
        return ONESELF
    return None if other in known else NO_ACCOUNT


def _import_all(
    items: Mapping[str, ImportFriendItem], caller: Caller, relations: Relations
) -> dict[str, Trouble | None]:
    return {other: _import(item, caller, relations) for other, item in items.items()}


def _import(item: ImportFriendItem, caller: Caller, relations: Relations) -> Trouble | None:
    if not all(custom.tag.startswith(CUSTOM) for custom in item.custom_item):
        return UNKNOWN_TAG
    before = relations.edge(item.to_account).friend
    friend = with_fields(before or Friend(added_at=caller.at, source=""), _fields(item), caller.app.sns_tags)
    if isinstance(friend, Trouble):
        return friend
    return relations.rewrite(item.to_account, friend) if before else relations.befriend(item.to_account, friend)


def _fields(item: ImportFriendItem) -> Iterator[tuple[str, Value]]:
    yield SOURCE, item.add_source
    given: tuple[tuple[str, Value | None], ...] = (
        (REMARK, item.remark),
        (GROUP, item.group_name),
        (WORDING, item.add_wording),
        (ADD_TIME, item.add_time),
    )
    yield from ((tag, value) for tag, value in given if value is not None)
    yield from _pairs(item.custom_item)


def _update_all(
    items: Sequence[UpdateItem], custom_tags: frozenset[str], relations: Relations
) -> dict[str, Trouble | None]:
    """Of several items for one friend the first that meets trouble is told of."""
    outcomes: dict[str, Trouble | None] = {}
    for item in items:
        trouble = _update(item, custom_tags, relations)
        outcomes[item.to_account] = outcomes.get(item.to_account) or trouble
    return outcomes


def _update(item: UpdateItem, custom_tags: frozenset[str], relations: Relations) -> Trouble | None:
    before = relations.edge(item.to_account).friend
    if before is None:
        return NO_FRIEND
    friend = with_fields(before, _pairs(item.sns_item), custom_tags, UPDATABLE)
    return friend if isinstance(friend, Trouble) else relations.rewrite(item.to_account, friend)


def _pairs(items: Sequence[SnsItem]) -> Iterator[tuple[str, Value]]:
    return ((item.tag, item.value) for item in items)
