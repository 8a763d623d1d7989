"""sns/group_*: the groups that a user sorts friends into."""

from collections.abc import Sequence
from functools import partial

from msgspec import UNSET

from gateway.im.frame import Caller
from gateway.im.sns.calls import PORTION, failed_in, insisted, known_profiles, portions, result_items
from gateway.im.sns.facts import groups_fact
from gateway.system import Reply
from handlers.im.relations import Head, Relations
from schemas.im.codes import Failed
from schemas.im.sns import GroupAdd, GroupAdded, GroupDelete, GroupGet, GroupItem, Groups, GroupSequence
from schemas.im.sns_codes import BAD_FIELD, NO_ACCOUNT, Trouble
from schemas.im.sns_fields import is_group_name
from stores.im.relations import Wish, change_one, head_of
from stores.im.relations_read import friends_in_group
from stores.mongo import Database


class FriendGroups:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, caller: Caller, body: GroupAdd) -> Reply:
        """Friends that are named are put into all of these groups. A group that is there already is no failure."""
        if not all(map(is_group_name, body.group_name)):
            raise Failed(BAD_FIELD.code, "GroupName: 1 to 30 bytes")
        user, others = body.from_account, [*dict.fromkeys(body.to_account)]
        known = await known_profiles(self._database, caller.app, user, others)
        head = await self._have_groups(caller, user, body.group_name)
        outcomes: dict[str, Trouble | None] = {}
        for some in portions(others):
            wish = Wish(some, partial(_sort_all_into, some, body.group_name))
            done = insisted(await change_one(self._database, caller.app.id, user, wish, caller.at))
            outcomes |= done.result
            head = done.head
        outcomes |= {other: NO_ACCOUNT for other in others if other not in known}
        answer = GroupAdded(
            result_item=result_items("GroupAdd", outcomes) or UNSET,
            fail_account=failed_in(outcomes),
            current_sequence=head.group_sequence,
        )
        return Reply(answer, (groups_fact(caller, user, head),))

    async def delete(self, caller: Caller, body: GroupDelete) -> Reply:
        """Its friends are taken out of a group first. A group that there is not is no failure."""
        user, names = body.from_account, frozenset(body.group_name)
        await known_profiles(self._database, caller.app, user)
        while True:
            await self._empty(caller, user, names)
            drop = Wish((), lambda relations: relations.drop_groups(names))
            done = insisted(await change_one(self._database, caller.app.id, user, drop, caller.at))
            if done.result:
                break
        return Reply(GroupSequence(current_sequence=done.head.group_sequence), (groups_fact(caller, user, done.head),))

    async def get(self, caller: Caller, body: GroupGet) -> Reply:
        """All groups or those named; with their friends only those named (contract, NeedFriend)."""
        user = body.from_account
        await known_profiles(self._database, caller.app, user)
        head = await head_of(self._database, caller.app.id, user)
        wanted = [group for group in head.groups if body.group_name is None or group.name in body.group_name]
        with_friends = body.group_name is not None and body.need_friend == "Need_Friend_Type_Yes"
        friends = {
            group.name: tuple(await friends_in_group(self._database, caller.app.id, user, group.name))
            for group in wanted
            if with_friends
        }
        items = tuple(
            GroupItem(group_name=group.name, friend_number=group.friends, to_account=friends.get(group.name, UNSET))
            for group in wanted
        )
        return Reply(Groups(result_item=items, current_sequence=head.group_sequence))

    async def _have_groups(self, caller: Caller, user: str, names: Sequence[str]) -> Head:
        wish = Wish((), lambda relations: relations.add_groups(names))
        done = insisted(await change_one(self._database, caller.app.id, user, wish, caller.at))
        if done.result:
            raise Failed(done.result.code)
        return done.head

    async def _empty(self, caller: Caller, user: str, names: frozenset[str]) -> None:
        for name in names:
            while others := await friends_in_group(self._database, caller.app.id, user, name, PORTION):
                wish = Wish(others, partial(_take_all_out, others, names))
                insisted(await change_one(self._database, caller.app.id, user, wish, caller.at))


def _sort_all_into(others: Sequence[str], names: Sequence[str], relations: Relations) -> dict[str, Trouble | None]:
    return {other: relations.sort_into(other, names) for other in others}


def _take_all_out(others: Sequence[str], names: frozenset[str], relations: Relations) -> None:
    for other in others:
        relations.take_out(other, names)
