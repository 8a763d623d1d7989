"""What is done with jobs, by HTTP and by command line alike."""

from collections.abc import Mapping
from datetime import datetime

from gateway.questions import choice
from schemas.errors import Refused
from stores.job_desk import JobDesk, Which
from stores.jobs import Job, State

FILTERS = ("state", "kind", "owner")


def which(asked: Mapping[str, str]) -> Which:
    """The choice that is asked for, by FILTERS. Refuses a state that there is not."""
    return Which(state=choice(asked, "state", State), kind=asked.get("kind"), owner=asked.get("owner"))


async def find(jobs: JobDesk, job_id: str) -> Job:
    """Refuses an id that is not known."""
    job = await jobs.find(job_id)
    if job is None:
        raise Refused("not_found", f"no job {job_id}")
    return job


async def cancel(jobs: JobDesk, job_id: str, now: datetime) -> Job:
    """Take no further step of it. Refuses what has ended."""
    return await jobs.cancel(job_id, now) or await _refuse(
        jobs, job_id, "only one that is queued or running can be cancelled"
    )


async def retry(jobs: JobDesk, job_id: str, now: datetime) -> Job:
    """Go on with it where it stood. Refuses what was not given up."""
    return await jobs.retry(job_id, now) or await _refuse(
        jobs, job_id, "only one that has failed or was cancelled can be retried"
    )


async def _refuse(jobs: JobDesk, job_id: str, rule: str) -> Job:
    job = await find(jobs, job_id)
    raise Refused("conflict", f"job {job_id} is {job.state}: {rule}")
