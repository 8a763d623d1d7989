"""Runners beside each other in one process, and kinds of jobs for them to do."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from channels.net import open_net
from config.settings import JobsSettings, Settings
from schemas.events import Event
from stores.files import Files
from stores.job_desk import JobDesk
from stores.jobs import Job, Jobs
from stores.mongo import Database
from workers.health import Health
from workers.jobs.kind import Kind, Step, Tools
from workers.jobs.runner import Runner
from workers.jobs.worker import run_jobs

QUICK = JobsSettings(poll_seconds=0.02, lease_seconds=1, at_once=2, drain_seconds=1)


class Silent:
    """A publisher that keeps what it is given."""

    def __init__(self) -> None:
        self.published: list[Event] = []

    async def publish(self, events: Sequence[Event]) -> None:
        self.published += events


class Doing:
    """A kind whose steps are a function."""

    def __init__(self, step: Callable[[Job], Awaitable[Step]], name: str = "doing") -> None:
        self.name = name
        self._step = step

    async def step(self, job: Job, _: Tools) -> Step:
        return await self._step(job)


@asynccontextmanager
async def running(
    settings: Settings,
    database: Database,
    *kinds: Kind,
    limits: JobsSettings = QUICK,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> AsyncIterator[Health]:
    """A runner at work; stopped in order."""
    stop, health = asyncio.Event(), Health()
    async with open_net(settings.push) as net:
        tools = Tools(database, Silent(), settings, net, Files(database), now)
        runner = Runner(Jobs(database), JobDesk(database), {kind.name: kind for kind in kinds}, tools, limits, health)
        task = asyncio.create_task(runner.run(stop))
        try:
            yield health
        finally:
            stop.set()
            await task


@asynccontextmanager
async def doing_jobs(settings: Settings) -> AsyncIterator[None]:
    """A jobs worker with all kinds there are; stopped in order."""
    stop = asyncio.Event()
    task = asyncio.create_task(run_jobs(settings.model_copy(update={"jobs": QUICK}), stop, Health()))
    try:
        yield
    finally:
        stop.set()
        await task


async def start(database: Database, job_id: str, *, kind: str = "doing", owner: str = "a", **args: object) -> Job:
    return await Jobs(database).start(job_id, kind=kind, owner=owner, args=args, now=datetime.now(UTC))


def counting_to(total: int) -> Callable[[Job], Awaitable[Step]]:
    """Steps that go one further each."""

    async def step(job: Job) -> Step:
        at = job.cursor.get("at", 0) + 1
        return Step(cursor={"at": at}, done=at, total=total, finished=at == total, result={"at": at})

    return step
