"""Jobs as operators see them: by HTTP and by `fanfold jobs`; and a worker's process that is killed."""

import asyncio
import gzip
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
from chat_api import eventually
from command import Fanfold
from jobs_at_work import start
from jsonschema import Draft202012Validator

from config.settings import Settings
from config.topics import Topic
from gateway.openapi import load_contract
from handlers.im.conversations import MESSAGES
from schemas.im.history_files import Hour, last_ready
from schemas.im.message import MessageKey, message_id_of
from stores.collections import ensure_indexes
from stores.files import Files
from stores.im.history_files import files_of, start_history
from stores.jobs import Job, Jobs, Progress
from stores.mongo import Database

TOKEN = "an-operators-token"
NOW = datetime.now(UTC)


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return Settings.model_validate({**settings.model_dump(), "operators": {"tokens": [TOKEN]}})


class Desk:
    """An operator's program. Every answer is held against the contract."""

    def __init__(self, http: aiohttp.ClientSession) -> None:
        self.http = http
        self.contract = deepcopy(load_contract(("jobs.yaml",)))

    async def call(self, method: str, path: str, status: int = 200, **query: str) -> Any:
        async with self.http.request(
            method, f"/jobs{path}", params=query, headers={"Authorization": f"Bearer {TOKEN}"}
        ) as answer:
            body = await answer.json(content_type=None)
            assert answer.status == status, body
        if status == 200:
            kind = "Job" if path else "Page"
            schema = (
                {"$ref": "#/components/schemas/Job"}
                if kind == "Job"
                else self.contract["paths"]["/jobs"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
            )
            Draft202012Validator({"components": self.contract["components"], **schema}).validate(body)
        return body


@pytest.fixture
async def desk(gateway: str, database: Database) -> AsyncIterator[Desk]:
    await ensure_indexes(database)
    async with aiohttp.ClientSession(gateway) as http:
        yield Desk(http)


async def test_jobs_are_listed_seen_cancelled_and_gone_on_with(desk: Desk, database: Database) -> None:
    job_id = "im_history/1400000001/a%2Fb c"
    await start(database, job_id, kind="im_history", owner="im/1400000001", hour="2026030112")
    await start(database, "other", owner="customer/12")
    path = f"/{quote(job_id, safe='')}"

    page = await desk.call("GET", "", owner="im/1400000001", state="queued", kind="im_history")
    assert [job["id"] for job in page["jobs"]] == [job_id]
    assert (await desk.call("GET", path))["args"] == {"hour": "2026030112"}

    cancelled = await desk.call("POST", f"{path}/cancel")
    assert (cancelled["state"], cancelled["due_at"]) == ("cancelled", None)
    refused = await desk.call("POST", f"{path}/cancel", 409)
    assert "only one that is queued or running" in refused["detail"]

    assert (await desk.call("POST", f"{path}/retry"))["state"] == "queued"
    await desk.call("POST", f"{path}/retry", 409)


async def test_pages_of_jobs_lead_from_one_to_the_next(desk: Desk, database: Database) -> None:
    for number in range(5):
        await start(database, f"j{number}")

    first = await desk.call("GET", "", limit="3")
    second = await desk.call("GET", "", limit="3", after=first["next"])

    assert [job["id"] for job in first["jobs"] + second["jobs"]] == [f"j{number}" for number in (4, 3, 2, 1, 0)]
    assert second["next"] is None


async def test_what_is_mistaken_is_refused(desk: Desk) -> None:
    await desk.call("GET", "/nothing", 404)
    await desk.call("POST", "/nothing/retry", 404)
    for mistake in ({"state": "lost"}, {"colour": "red"}, {"limit": "0"}, {"after": "x"}):
        await desk.call("GET", "", 400, **mistake)
    async with desk.http.get("/jobs", headers={"Authorization": "Bearer another"}) as answer:
        assert answer.status == 401


async def test_the_command_line_shows_and_decides_the_same(
    settings: Settings, synced: tuple[Topic, ...], database: Database
) -> None:
    await ensure_indexes(database)
    fanfold, jobs = Fanfold(settings), Jobs(database)
    await start(database, "im_history/1/2026030112", kind="im_history", owner="im/1", hour="2026030112")
    now = datetime.now(UTC)
    job = await jobs.claim(["im_history"], behind="", now=now, claim="w", until=now + timedelta(hours=1))
    assert job is not None
    await jobs.advance(job, {"part": 1}, Progress(1_500, 6_000), now)

    listed = await fanfold("jobs", "list")
    assert "im_history/1/2026030112\n" in listed.out
    assert "running" in listed.out
    assert "1,500 of 6,000 (25 %)" in listed.out
    shown = await fanfold("jobs", "show", "im_history/1/2026030112")
    assert '{"hour":"2026030112"}' in shown.out
    assert (await fanfold("jobs", "show", "im_history/1/2026030112", "--json")).json["cursor"] == {"part": 1}

    cancelled = await fanfold("jobs", "cancel", "im_history/1/2026030112", "nothing")
    assert (cancelled.status, cancelled.out) == (1, "1 of 2 cancelled\n")
    assert "no job nothing" in cancelled.err
    assert (await fanfold("jobs", "list", "--state", "cancelled", "--json")).json["next"] is None
    retried = await fanfold("jobs", "retry", "im_history/1/2026030112")
    assert (retried.status, retried.out) == (0, "1 of 1 to be gone on with\n")


@asynccontextmanager
async def a_worker(settings: Settings) -> AsyncIterator[asyncio.subprocess.Process]:
    """`fanfold worker jobs`; killed at the end, if it has not ended."""
    environment = {
        "FANFOLD_KAFKA__BOOTSTRAP": settings.kafka.bootstrap,
        "FANFOLD_KAFKA__PREFIX": settings.kafka.prefix,
        "FANFOLD_KAFKA__IDEMPOTENT": str(settings.kafka.idempotent),
        "FANFOLD_MONGO__URI": settings.mongo.uri.get_secret_value(),
        "FANFOLD_MONGO__DATABASE": settings.mongo.database,
        "FANFOLD_METRICS__PORT": "0",
        # Longer than the embedded store may be busy with one question while the machine is.
        "FANFOLD_JOBS__LEASE_SECONDS": "6",
        "FANFOLD_JOBS__AT_ONCE": "1",
        "FANFOLD_JOBS__POLL_SECONDS": "0.05",
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "workers.cli", "worker", "jobs"),
        env={**os.environ, **environment},
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def an_hour_of(database: Database, messages: int) -> Hour:
    """So many messages of one hour, as the folder keeps them."""
    hour = last_ready(NOW)
    second = int(hour.start.timestamp())
    documents = []
    for number in range(messages):
        key = MessageKey(number, 1, second + number % 3600)
        documents.append(
            {
                "_id": message_id_of("1", "alice", "bob", key),
                "app": "1",
                "order": key.order,
                "sender": "alice",
                "receiver": "bob",
                "key": str(key),
                "body": [{"MsgType": "TIMTextElem", "MsgContent": {"Text": "hello"}}],
            }
        )
    for first in range(0, messages, 5_000):
        await database[MESSAGES].insert_many(documents[first : first + 5_000], ordered=False)
    return hour


async def test_a_worker_that_is_killed_in_a_step_leaves_the_job_to_the_next_and_nothing_twice(
    settings: Settings, database: Database
) -> None:
    # Without indexes, which would make most of the time that this takes.
    hour = await an_hour_of(database, 41_000)  # 20,000 fit into a file, and a file is a step
    jobs, files = Jobs(database), Files(database)
    job_id = (await start_history(jobs, "1", hour, NOW)).id

    async def in_the_second_step() -> bool:
        job = await jobs.find(job_id)
        return job is not None and job.progress.done == 20_000 and job.claimed_by is not None

    async def done() -> Job | None:
        job = await jobs.find(job_id)
        return job if job is not None and job.state == "done" else None

    async with a_worker(settings) as process:
        await eventually(in_the_second_step, 120)
        process.send_signal(signal.SIGKILL)
        await process.wait()
        left = await jobs.find(job_id)
        assert left is not None
        assert (left.state, left.progress.done) == ("running", 20_000)
    async with a_worker(settings):
        job = await eventually(done, 120)

    seqs = []
    for made in files_of(job):
        file = await files.find(made.id, NOW)
        assert file is not None
        packed = b"".join([chunk async for chunk in files.read(file)])
        seqs += [message["MsgSeq"] for message in json.loads(gzip.decompress(packed))["MsgList"]]
    assert sorted(seqs) == list(range(41_000))
    assert job.failures == 0
