"""What has become of pushes by mail: from their deliveries, where there are any."""

from collections.abc import Mapping, Sequence

from handlers.statements.mails import Came
from schemas.delivery import State
from schemas.events import Event
from stores.deliveries import Deliveries
from stores.mongo import Database
from stores.pushes import routed_pushes

ENDED: Mapping[State, Came] = {State.DELIVERED: Came.SENT, State.DEAD: Came.FAILED, State.CANCELLED: Came.FAILED}


async def came_of(database: Database, pushes: Sequence[Event]) -> list[Came]:
    """In their order. A push that was routed and has no way (nothing sends mail) has failed. Raises StoreAway."""
    routed = await routed_pushes(database, [push.identity for push in pushes])
    ways = {identity: [way.id for way in each.ways] for identity, each in routed.items()}
    states = await Deliveries(database).seen([way for ids in ways.values() for way in ids])
    return [_of_one(ways.get(push.identity), states) for push in pushes]


def _of_one(ways: Sequence[str] | None, states: Mapping[str, State]) -> Came:
    if ways is None:
        return Came.UNKNOWN
    if not ways:
        return Came.FAILED
    ends = [ENDED.get(states[way], Came.UNDER_WAY) if way in states else Came.UNDER_WAY for way in ways]
    for worst in (Came.UNDER_WAY, Came.FAILED):
        if worst in ends:
            return worst
    return Came.SENT
