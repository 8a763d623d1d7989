"""How statements are asked to be made: jobs whose ids say what for, so that asking twice makes one."""

from datetime import date, datetime

from stores.jobs import Job, Jobs
from stores.mt.statements import CLOCK

KIND = "statements"
OWNER = "metering"


async def start_making(jobs: Jobs, month: str, now: datetime, *, again: str | None = None, by: str = CLOCK.by) -> Job:
    """Make the statements of a month (`yyyy-MM`). `again` tells one more run apart from those before."""
    job_id = f"statements/{month}" if again is None else f"statements/{month}/{again}"
    return await jobs.start(job_id, kind=KIND, owner=OWNER, args={"month": month, "make": True, "by": by}, now=now)


async def start_correcting(jobs: Jobs, day: date, month: str, now: datetime) -> Job:
    """Bring late usage, up to the end of the month, into statements that are not confirmed; once a day."""
    args = {"month": month, "make": False, "by": CLOCK.by}
    return await jobs.start(f"statements/corrected/{day.isoformat()}", kind=KIND, owner=OWNER, args=args, now=now)
