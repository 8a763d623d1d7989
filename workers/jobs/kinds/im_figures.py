"""The figures of an IM app's day that are counted of what is stored: while the day lasts, and once more after it.

While it lasts, a step a minute looks at what came in since the last one. When the day is over and what was
on its way has arrived, all its hours are looked at again: so what is written down in the end is of everything.
"""

from datetime import datetime, timedelta
from math import ceil

import msgspec

from schemas.im.figures import Day, parse_day
from schemas.im.history_files import HOUR, SETTLED
from stores.im.figures import KIND as NAME
from stores.im.figures import (
    count_day,
    count_online,
    count_registered_before,
    mark_senders,
    write_counts,
)
from stores.jobs import Job
from workers.jobs.kind import Hopeless, Step, Tools

LIVE_SECONDS = 60.0
OVERLAP = timedelta(minutes=2)
"""How far back a look while the day lasts reaches: messages are folded some time after they were sent."""
SAMPLE = timedelta(minutes=10)
"""How often those online are counted, which takes a look at each of them."""


class Place(msgspec.Struct, frozen=True):
    """The job's cursor. `looked_to`: the end of what was looked at, in this pass."""

    looked_to: datetime
    last_pass: bool = False
    sampled_at: datetime | None = None
    registered_before: int | None = None


class ImFigures:
    name = NAME

    async def step(self, job: Job, tools: Tools) -> Step:
        """Look at an hour at most."""
        app, day = str(job.args["app"]), parse_day(str(job.args["day"]))
        if day is None:
            raise Hopeless("the day is none")
        now = tools.now()
        place = msgspec.convert(job.cursor, Place) if job.cursor else Place(looked_to=day.start)
        place, first, before = look_at(place, day, now)
        database = tools.database
        await mark_senders(database, app, day, int(first.timestamp()), ceil(before.timestamp()))
        finished = place.last_pass and before == day.end
        online = None
        if not place.last_pass and (place.sampled_at is None or now - place.sampled_at >= SAMPLE):
            online = await count_online(database, app, now)
            place = msgspec.structs.replace(place, sampled_at=now)
        if place.registered_before is None or finished:
            known = await count_registered_before(database, app, day)
            place = msgspec.structs.replace(place, registered_before=known)
        caught_up = finished or (not place.last_pass and before == min(now, day.end))
        if caught_up:
            counts = await count_day(database, app, day)
            await write_counts(
                database, app, day, {**counts, "registered_before": place.registered_before or 0}, online
            )
        elif online is not None:
            await write_counts(database, app, day, {}, online)
        hours = (before - day.start) // HOUR
        return Step(
            cursor=msgspec.to_builtins(place, builtin_types=(datetime,)),
            done=hours,
            total=24,
            finished=finished,
            pause_seconds=LIVE_SECONDS if caught_up and not finished else 0.0,
        )


def look_at(place: Place, day: Day, now: datetime) -> tuple[Place, datetime, datetime]:
    """Where the job stands after this step, and what the step is to look at: from, and up to."""
    if not place.last_pass and now >= day.end + SETTLED:
        place = msgspec.structs.replace(place, last_pass=True, looked_to=day.start)
    first = place.looked_to if place.last_pass else max(day.start, place.looked_to - OVERLAP)
    bound = day.end if place.last_pass else min(now, day.end)
    before = max(first, min(bound, place.looked_to + HOUR))
    return msgspec.structs.replace(place, looked_to=before), first, before


KIND = ImFigures()
