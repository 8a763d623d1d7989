"""Jobs worker: does the steps of jobs; as many of it as are wanted, beside each other."""

import asyncio
from contextlib import AsyncExitStack
from datetime import UTC, datetime

from channels.net import open_net
from config.settings import Settings
from stores.files import Files
from stores.job_desk import JobDesk
from stores.jobs import Jobs
from stores.mongo import open_database
from streams.publisher import Publisher
from workers.health import Health
from workers.jobs.kind import Tools
from workers.jobs.registry import kinds
from workers.jobs.runner import Runner


async def run_jobs(settings: Settings, stop: asyncio.Event, health: Health) -> None:
    """Work until `stop`. Store or broker away: goes on trying, and says so. Raises what is a bug."""
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(open_database(settings.mongo))
        publisher = await stack.enter_async_context(Publisher(settings.kafka))
        net = await stack.enter_async_context(open_net(settings.push))
        tools = Tools(database, publisher, settings, net, Files(database), lambda: datetime.now(UTC))
        health.problem("jobs", "starting")
        await Runner(Jobs(database), JobDesk(database), kinds(), tools, settings.jobs, health).run(stop)
