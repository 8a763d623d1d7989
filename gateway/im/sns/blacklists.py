"""sns/black_list_*: who is blocked is no friend, and can be none."""

from collections.abc import Sequence
from functools import partial

from gateway.im.frame import Caller
from gateway.im.sns.adding import unfriending
from gateway.im.sns.calls import code_of, failed_in, info_of, known_profiles, portions, results
from gateway.im.sns.facts import call_of, facts_of
from gateway.im.sns.friend_lists import relation
from gateway.system import Reply
from handlers.im.relations import Edge, Relations
from schemas.events import Event
from schemas.im.sns import (
    BlackListCheck,
    BlackListed,
    BlackListGet,
    BlackListItem,
    BlackListPage,
    BlackListRelations,
    Relation,
)
from schemas.im.sns_codes import CONFLICT, NO_ACCOUNT, ONESELF, Trouble
from schemas.im.sns_facts import BLACKLIST_ADDED, BLACKLIST_DELETED, FRIEND_DELETED
from stores.im.relations import Wish, change, change_one, head_of
from stores.im.relations_read import blocked_by, edges_between
from stores.im.relations_requests import forget_requests
from stores.mongo import Database


class Blacklists:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, caller: Caller, body: BlackListed) -> Reply:
        """The user's own list first: who is on it is a friend of the user no more, and then the other way round.

        The other way round is looked at for those too who were blocked already: a call may
        have been cut off in between.
        """
        user, others, call = body.from_account, [*dict.fromkeys(body.to_account)], call_of(caller)
        known = await known_profiles(self._database, caller.app, user, others)
        outcomes: dict[str, Trouble | None] = {}
        facts: list[Event] = []
        for some in portions(others):
            good = [other for other in some if other in known and other != user]
            outcomes |= {other: ONESELF if other == user else NO_ACCOUNT for other in some}
            wish = Wish(good, partial(_block_all, good))
            done = await change_one(self._database, caller.app.id, user, wish, caller.at, call)
            outcomes |= done.result if done else dict.fromkeys(good, CONFLICT)
            blocked = [other for other in good if done and done.edges[other].blocked]
            theirs = {other: unfriending([user]) for other in blocked}
            undone = theirs.keys() - (await change(self._database, caller.app.id, theirs, caller.at, call)).keys()
            outcomes |= dict.fromkeys(undone, CONFLICT)
            await forget_requests(self._database, caller.app.id, user, blocked)
            pairs = await edges_between(self._database, caller.app.id, user, blocked)
            facts += facts_of(caller, user, pairs, FRIEND_DELETED, BLACKLIST_ADDED)
        return Reply(results("BlackListAdd", outcomes), tuple(facts))

    async def delete(self, caller: Caller, body: BlackListed) -> Reply:
        """Who is not on the list is no failure: the API has no code for it."""
        user, others, call = body.from_account, [*dict.fromkeys(body.to_account)], call_of(caller)
        known = await known_profiles(self._database, caller.app, user, others)
        outcomes: dict[str, Trouble | None] = {}
        facts: list[Event] = []
        for some in portions(others):
            done = await change_one(
                self._database, caller.app.id, user, Wish(some, partial(_unblock_all, some)), caller.at, call
            )
            outcomes |= dict.fromkeys(some, None if done else CONFLICT)
            edges = done.edges if done else {}
            facts += facts_of(caller, user, {other: (edge, Edge()) for other, edge in edges.items()}, BLACKLIST_DELETED)
        outcomes |= {other: NO_ACCOUNT for other in others if other not in known}
        return Reply(results("BlackListDelete", outcomes), tuple(facts))

    async def get(self, caller: Caller, body: BlackListGet) -> Reply:
        user = body.from_account
        await known_profiles(self._database, caller.app, user)
        head = await head_of(self._database, caller.app.id, user)
        found = await blocked_by(self._database, caller.app.id, user, body.start_index, body.max_limited + 1)
        page = found[: body.max_limited]
        items = tuple(
            BlackListItem(to_account=other, add_black_time_stamp=int(edge.blocked.at.timestamp()))
            for other, edge in page
            if edge.blocked
        )
        return Reply(
            BlackListPage(
                black_list_item=items,
                start_index=body.start_index + len(page) if len(found) > len(page) else 0,
                curruent_sequence=head.blacklist_sequence,
            )
        )

    async def check(self, caller: Caller, body: BlackListCheck) -> Reply:
        user, others = body.from_account, [*dict.fromkeys(body.to_account)]
        known = await known_profiles(self._database, caller.app, user, others)
        await head_of(self._database, caller.app.id, user)
        pairs = await edges_between(self._database, caller.app.id, user, others)
        both = body.check_type == "BlackCheckResult_Type_Both"
        sides = {other: (own.blocked is not None, theirs.blocked is not None) for other, (own, theirs) in pairs.items()}
        outcomes = {other: None if other in known else NO_ACCOUNT for other in others}
        items = tuple(
            Relation(
                to_account=other,
                relation=f"BlackCheckResult_Type_{relation(*sides[other], both=both, none='NO')}",
                result_code=code_of(trouble),
                result_info=info_of("BlackListCheck", trouble),
            )
            for other, trouble in outcomes.items()
        )
        return Reply(BlackListRelations(black_list_check_item=items, fail_account=failed_in(outcomes)))


def _block_all(others: Sequence[str], relations: Relations) -> dict[str, Trouble | None]:
    return {other: relations.block(other) for other in others}


def _unblock_all(others: Sequence[str], relations: Relations) -> None:
    for other in others:
        relations.unblock(other)
