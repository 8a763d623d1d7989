"""What becomes of the relations of accounts that are no more."""

from collections.abc import Sequence
from datetime import UTC, datetime

from handlers.im.relations import Relations
from schemas.errors import StoreAway
from schemas.im.apps import App
from stores.im.relations import Wish, change, change_one, head_of
from stores.im.relations_read import noted, noting
from stores.im.relations_requests import forget_all_requests
from stores.mongo import Database

_AT_ONCE = 100


async def forget_relations(database: Database, app: App, users: Sequence[str]) -> None:
    """Take users off everybody's lists and blacklists, and clear their own.

    What is left of a call that was cut off is done by a repeat. Nobody is told: that the accounts are
    gone says it. Their heads stay, so that whoever has one of these names later starts with sequences
    that nobody has seen.
    """
    at = datetime.now(UTC)
    for user in users:
        while others := await noting(database, app.id, user, _AT_ONCE):
            wishes = {other: Wish((user,), _drop_all) for other in others}
            _insist(await change(database, app.id, wishes, at))
        await head_of(database, app.id, user)
        while others := await noted(database, app.id, user, _AT_ONCE):
            _insist(await change_one(database, app.id, user, Wish(others, _drop_all), at))
        _insist(await change_one(database, app.id, user, Wish((), _drop_groups), at))
        await forget_all_requests(database, app.id, user)


def _drop_all(relations: Relations) -> None:
    for other in relations.others:
        relations.unfriend(other)
        relations.unblock(other)


def _drop_groups(relations: Relations) -> None:
    relations.drop_groups(frozenset(group.name for group in relations.groups))


def _insist(done: object) -> None:
    if not done:
        raise StoreAway("relations that are to be forgotten are changed too fast by others")
