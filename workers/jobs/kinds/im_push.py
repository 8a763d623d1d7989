"""A push to all or chosen users of an IM app, some slots' worth of them a step.

A step ends by saying which slots are next, how many, and under which time its messages go
out. So a step that is repeated makes the same messages again, of the same keys, and the
folder takes each once; who comes into a slot meanwhile gets one message, of one time.
"""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any

import msgspec

from gateway.im.apps import apps_of
from handlers.im.pushes import Push, message_to
from schemas.cloudevents import to_millisecond
from schemas.events import Event
from stores.im.presence import overall, platforms_of
from stores.im.pushes import KIND as NAME
from stores.im.pushes import Audience, Span, find_push, tokens_to_walk
from stores.im.slots import SLOTS
from stores.jobs import Job
from workers.jobs.kind import Hopeless, Step, Tools

USERS_IN_STEP = 1_000
"""To be looked at, about: a step takes a second at most."""
FIRST_WIDTH = 64
"""Slots of the first step. Not one of an app of ten million users is too much, and small apps are through in four."""
GROWTH = 16
AT_ONCE = 500
"""Messages published together."""


class Place(msgspec.Struct, frozen=True):
    """Where the walk is: what the next step does."""

    slot: int
    width: int
    at: datetime
    """When its messages are sent."""
    by: list[str]
    sent: int = 0

    @property
    def span(self) -> Span:
        return Span(self.slot, min(SLOTS, self.slot + self.width))


class ImPush:
    name = NAME

    def __init__(self, users_in_step: int = USERS_IN_STEP) -> None:
        self._users_in_step = users_in_step

    async def step(self, job: Job, tools: Tools) -> Step:
        push = await find_push(tools.database, str(job.args["task"]))
        if push is None:
            raise Hopeless("what was to be pushed is not kept any more")
        app = apps_of(tools.settings.im).get(push.app)
        if app is None:
            raise Hopeless("there is no such app any more")
        if not job.cursor:
            by = await tokens_to_walk(tools.database, push.selection)
            return _next(Place(0, FIRST_WIDTH, to_millisecond(tools.now()), by))
        place = msgspec.convert(job.cursor, Place)
        looked_at, users = await Audience(tools.database, app, push.selection, place.by).users(place.span)
        sent = place.sent
        async for messages in _messages(push, users, place.at, tools):
            await tools.publisher.publish(messages)
            sent += len(messages)
        if place.span.behind == SLOTS:
            return Step(cursor=job.cursor, done=sent, total=sent, finished=True, result={"messages": sent})
        width = next_width(place.width, looked_at, self._users_in_step)
        return _next(Place(place.span.behind, width, to_millisecond(tools.now()), place.by, sent))


async def _messages(push: Push, users: Sequence[str], at: datetime, tools: Tools) -> AsyncIterator[list[Event]]:
    for start in range(0, len(users), AT_ONCE):
        some = [user for user in users[start : start + AT_ONCE] if user != push.sender]
        platforms = await platforms_of(tools.database, push.app, some, tools.now())
        copies = (message_to(push, user, at, online=overall(platforms[user]) == "Online") for user in some)
        yield [copy for copy in copies if copy is not None]


def next_width(width: int, found: int, wanted: int) -> int:
    """So many slots that about as many are found as are wanted; growing by steps, for a part may be empty by chance."""
    most = width * GROWTH
    return min(most, max(1, width * wanted // found)) if found else most


def _next(place: Place) -> Step:
    # How many there are in all is known at the end; till then it is reckoned from the part that is through.
    total = place.sent * SLOTS // place.slot if place.slot else None
    cursor: dict[str, Any] = msgspec.structs.asdict(place)
    return Step(cursor=cursor, done=place.sent, total=total)


KIND = ImPush()
