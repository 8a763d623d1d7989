"""sns/friend_add: what becomes of requests for friendship.

The other's list is written first and the user's own last. So a call that was cut off in between
leaves somebody who has the user on the list already, and is not asked again when it is
repeated. What the own list then refuses is taken off the other's again.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from gateway.im.frame import Caller
from gateway.im.sns.facts import call_of, facts_of, groups_facts, request_facts
from handlers.im.relations import Friend, Relations
from handlers.im.relations_add import Request, Sides, answer_to
from handlers.im.relations_fields import with_fields
from schemas.events import Event
from schemas.im.sns import AddFriendItem, FriendAdd, Value
from schemas.im.sns_codes import (
    CONFLICT,
    FRIEND_EXISTS,
    NEEDS_CONFIRM,
    NO_ACCOUNT,
    ON_OTHERS_BLACKLIST,
    ON_OWN_BLACKLIST,
    ONESELF,
    OTHERS_LIST_FULL,
    OWN_LIST_FULL,
    TOO_MANY_REQUESTS,
    Trouble,
)
from schemas.im.sns_facts import FRIEND_ADDED
from schemas.im.sns_fields import GROUP, REMARK, SOURCE, WORDING
from stores.im.accounts import Profile
from stores.im.relations import Wish, change, change_one, consider
from stores.im.relations_read import edges_between
from stores.im.relations_requests import asking, forget_requests, request_friendship
from stores.mongo import Database

_THEIR_TROUBLE = {
    FRIEND_EXISTS: None,
    OWN_LIST_FULL: OTHERS_LIST_FULL,
    ON_OWN_BLACKLIST: ON_OTHERS_BLACKLIST,
}
"""What is trouble of the other's own list, as the one who asked is told."""


class Adding:
    """One call, a portion of its items at a time. `outcomes` and `facts` grow with them."""

    def __init__(self, database: Database, caller: Caller, body: FriendAdd, profiles: Mapping[str, Profile]) -> None:
        self._database = database
        self._caller = caller
        self._user = body.from_account
        self._request = Request(both=body.add_type == "Add_Type_Both", forced=body.force_add_flags == 1)
        self._profiles = profiles
        self.outcomes: dict[str, Trouble | None] = {}
        self.facts: list[Event] = []
        self._added: dict[str, int] = {}
        """On whose list this call has put the user, by which version of it."""

    async def add(self, items: Sequence[AddFriendItem]) -> None:
        friends: dict[str, Friend] = {}
        for item in items:
            friend = self._friend(item)
            if isinstance(friend, Friend):
                friends[item.to_account] = friend
            self.outcomes[item.to_account] = None if isinstance(friend, Friend) else friend
        await self._answer(friends)
        await self._wait_for(friends)
        if self._request.both and self._agreed(friends):
            await self._put_on_theirs(friends)
        if self._agreed(friends):
            await self._put_on_own(friends)
        await self._look_again(friends)

    def _friend(self, item: AddFriendItem) -> Friend | Trouble:
        if item.to_account == self._user:
            return ONESELF
        if item.to_account not in self._profiles:
            return NO_ACCOUNT
        return with_fields(Friend(added_at=self._caller.at, source=""), _fields(item), frozenset())

    async def _answer(self, friends: Mapping[str, Friend]) -> None:
        pairs = await edges_between(self._database, self._app, self._user, friends)
        asked = await asking(self._database, self._app, self._user, friends)
        for other, (own, theirs) in pairs.items():
            sides = Sides(
                own=own,
                other=theirs,
                asked=other in asked,
                forbid_type=self._profiles[self._user].get("Tag_Profile_IM_AdminForbidType"),
                allow_type=self._profiles[other].get("Tag_Profile_IM_AllowType"),
            )
            self.outcomes[other] = answer_to(self._request, sides)

    async def _wait_for(self, friends: Mapping[str, Friend]) -> None:
        """Keep the requests that the others have to confirm."""
        wanted = {other: friend for other, friend in friends.items() if self.outcomes[other] == NEEDS_CONFIRM}
        waiting = await request_friendship(self._database, self._app, self._user, wanted, self._caller.at)
        self.outcomes |= {other: TOO_MANY_REQUESTS for other in wanted if other not in waiting}
        self.facts += request_facts(self._caller, self._user, waiting)

    async def _put_on_theirs(self, friends: Mapping[str, Friend]) -> None:
        """Unless the own list would refuse them."""
        agreed = self._agreed(friends)
        own: dict[str, Trouble | None] = await consider(
            self._database, self._app, self._user, self._own_wish(agreed), self._caller.at
        )
        self.outcomes |= own
        wishes = {
            other: Wish((self._user,), partial(_befriend, self._user, _theirs(friend)))
            for other, friend in self._agreed(agreed).items()
        }
        done = await change(self._database, self._app, wishes, self._caller.at, call_of(self._caller))
        for other in wishes:
            trouble = done[other].result if other in done else CONFLICT
            self.outcomes[other] = _THEIR_TROUBLE.get(trouble, trouble) if trouble else None
            if other in done and trouble is None:
                self._added[other] = done[other].head.version

    async def _put_on_own(self, friends: Mapping[str, Friend]) -> None:
        agreed = self._agreed(friends)
        done = await change_one(
            self._database, self._app, self._user, self._own_wish(agreed), self._caller.at, call_of(self._caller)
        )
        self.outcomes |= done.result if done else dict.fromkeys(agreed, CONFLICT)
        self.facts += groups_facts(self._caller, self._user, done)
        await self._take_back([other for other in agreed if self.outcomes[other]])

    def _own_wish(self, friends: Mapping[str, Friend]) -> Wish[dict[str, Trouble | None]]:
        def decide(relations: Relations) -> dict[str, Trouble | None]:
            troubles = {other: _befriend(other, friend, relations) for other, friend in friends.items()}
            return {other: None if trouble == FRIEND_EXISTS else trouble for other, trouble in troubles.items()}

        return Wish([*friends], decide)

    async def _take_back(self, others: Sequence[str]) -> None:
        """Off the others' lists, what this call has put there and nobody was told of."""
        wishes = {
            other: Wish((self._user,), partial(_unfriend_if, self._user, self._added[other]))
            for other in others
            if other in self._added
        }
        await change(self._database, self._app, wishes, self._caller.at)

    async def _look_again(self, friends: Mapping[str, Friend]) -> None:
        """Who has blocked the user meanwhile is no friend; of the others it is told."""
        pairs = await edges_between(self._database, self._app, self._user, friends)
        blocked = [other for other, (own, theirs) in pairs.items() if own.friend and theirs.blocked]
        if blocked:
            await change_one(self._database, self._app, self._user, unfriending(blocked), self._caller.at)
            self.outcomes |= dict.fromkeys(blocked, ON_OTHERS_BLACKLIST)
        agreed = self._agreed(friends)
        await forget_requests(self._database, self._app, self._user, agreed)
        told = {other: pair for other, pair in pairs.items() if self.outcomes[other] in (None, FRIEND_EXISTS)}
        self.facts += facts_of(self._caller, self._user, told, FRIEND_ADDED, forced=self._request.forced)

    def _agreed(self, friends: Mapping[str, Friend]) -> dict[str, Friend]:
        """Those who are to be friends, as far as is known."""
        return {other: friend for other, friend in friends.items() if self.outcomes[other] is None}

    @property
    def _app(self) -> str:
        return self._caller.app.id


def unfriending(others: Sequence[str]) -> Wish[list[str]]:
    """Results in those who were on the list."""
    return Wish(others, lambda relations: [other for other in others if relations.unfriend(other)])


def _befriend(other: str, friend: Friend, relations: Relations) -> Trouble | None:
    return relations.befriend(other, friend)


def _unfriend_if(other: str, version: int, relations: Relations) -> None:
    told = relations.edge(other).told
    if told and told.version == version:
        relations.unfriend(other)


def _theirs(friend: Friend) -> Friend:
    """What the other notes of the one who asked: only that, and where from."""
    return Friend(added_at=friend.added_at, source=friend.source)


def _fields(item: AddFriendItem) -> Iterator[tuple[str, Value]]:
    yield SOURCE, item.add_source
    yield REMARK, item.remark
    yield WORDING, item.add_wording
    yield GROUP, (item.group_name,) if item.group_name else ()
