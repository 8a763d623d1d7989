"""Jobs as they are done: step by step, in turn, each step written down once, whatever ends in the middle."""

import asyncio
import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from chat_api import eventually
from jobs_at_work import QUICK, Doing, counting_to, running, start

from config.settings import Settings
from schemas.errors import BrokerAway
from stores.collections import JOBS, ensure_indexes
from stores.cursors import Cursor
from stores.job_desk import JobDesk, Which
from stores.jobs import Job, Jobs, Progress, State
from stores.mongo import Database
from workers.jobs.kind import Hopeless, Step

NOW = datetime(2096, 3, 1, 12, tzinfo=UTC)
LEASE = timedelta(seconds=30)
ONE = QUICK.model_copy(update={"at_once": 1})


def hourly() -> Callable[[], datetime]:
    """A clock that has gone on an hour whenever it is looked at: what a step waits for is over at once."""
    hours = itertools.count()
    return lambda: NOW + timedelta(hours=next(hours))


@pytest.fixture
async def jobs(database: Database) -> Jobs:
    await ensure_indexes(database)
    return Jobs(database)


async def claimed(jobs: Jobs, claim: str, now: datetime = NOW, behind: str = "") -> Job | None:
    return await jobs.claim(["doing"], behind=behind, now=now, claim=claim, until=now + LEASE)


async def queue(jobs: Jobs, job_id: str, owner: str = "a") -> Job:
    return await jobs.start(job_id, kind="doing", owner=owner, args={}, now=NOW)


async def ended(database: Database, job_id: str, state: State) -> Job:
    async def look() -> Job | None:
        job = await JobDesk(database).find(job_id)
        return job if job is not None and job.state == state else None

    return await eventually(look)


async def test_a_job_goes_on_from_its_cursor_until_it_is_finished(settings: Settings, database: Database) -> None:
    await start(database, "j", word="hello")

    async with running(settings, database, Doing(counting_to(3))):
        job = await ended(database, "j", State.DONE)

    assert (job.progress, job.cursor, job.result, job.args) == (Progress(3, 3), {"at": 3}, {"at": 3}, {"word": "hello"})
    assert (job.due_at, job.claimed_by, job.claimed_until) == (None, None, None)


async def test_asking_again_finds_the_job_that_is_there(jobs: Jobs) -> None:
    first = await queue(jobs, "j", owner="a")
    await claimed(jobs, "one")

    again = await jobs.start("j", kind="other", owner="b", args={"x": 1}, now=NOW + LEASE)

    assert (again.owner, again.kind, again.args, again.state) == ("a", "doing", {}, State.RUNNING)
    assert again.created_at == first.created_at


class AtOnce:
    """A collection whose first answers to `find_one` come when so many have asked: all of them see the same."""

    def __init__(self, collection: Any, askers: int) -> None:
        self._collection = collection
        self._together = asyncio.Barrier(askers)
        self._waiting = askers

    def __getattr__(self, name: str) -> Any:
        return getattr(self._collection, name)

    async def find_one(self, *asked: Any, **options: Any) -> Any:
        found = await self._collection.find_one(*asked, **options)
        if self._waiting:
            self._waiting -= 1
            await self._together.wait()
        return found


async def test_of_many_workers_that_see_a_job_at_once_one_gets_it(jobs: Jobs, database: Database) -> None:
    await queue(jobs, "j")
    workers = Jobs({JOBS: AtOnce(database[JOBS], 8)})  # type: ignore[arg-type]

    took = await asyncio.gather(*(claimed(workers, f"worker {number}") for number in range(8)))

    assert len([job for job in took if job is not None]) == 1


async def test_a_worker_that_lost_its_claim_writes_nothing_down(jobs: Jobs) -> None:
    await queue(jobs, "j")
    late = await claimed(jobs, "late")
    other = await claimed(jobs, "other", NOW + LEASE)
    assert late is not None
    assert other is not None

    assert not await jobs.advance(late, {"at": 1}, Progress(1), NOW)
    assert not await jobs.finish(late, {}, Progress(9), None, NOW)
    assert not await jobs.renew(late, NOW + 9 * LEASE)
    assert not await jobs.postpone(late, NOW, 1, "late")
    assert not await jobs.fail(late, 1, "late", NOW)
    found = await jobs.find("j")
    assert found is not None
    assert (found.cursor, found.claimed_by, found.failures) == ({}, "other", 1)


async def test_a_claim_that_ran_out_and_that_nobody_took_is_good_yet(jobs: Jobs) -> None:
    await queue(jobs, "j")
    late = await claimed(jobs, "late")
    assert late is not None

    assert await jobs.advance(late, {"at": 1}, Progress(1), NOW + 2 * LEASE)


async def test_a_job_is_left_alone_while_its_claim_is_renewed(jobs: Jobs) -> None:
    await queue(jobs, "j")
    job = await claimed(jobs, "one")
    assert job is not None

    assert await jobs.renew(job, NOW + 2 * LEASE)
    assert await claimed(jobs, "two", NOW + 1.5 * LEASE) is None
    assert await claimed(jobs, "two", NOW + 2 * LEASE) is not None


async def test_jobs_of_kinds_that_a_worker_does_not_know_are_left_to_others(jobs: Jobs) -> None:
    await jobs.start("j", kind="new", owner="a", args={}, now=NOW)

    assert await claimed(jobs, "old") is None


async def test_owners_take_turns_however_many_jobs_one_has(settings: Settings, database: Database) -> None:
    turns: list[str] = []

    async def step(job: Job) -> Step:
        turns.append(job.owner)
        return await counting_to(3)(job)

    await ensure_indexes(database)
    for number in range(20):
        await start(database, f"many-{number}", owner="many")
    await start(database, "single", owner="single")

    async with running(settings, database, Doing(step), limits=ONE):
        await ended(database, "single", State.DONE)

    assert turns[:6] == ["many", "single"] * 3


async def test_the_jobs_of_one_owner_take_turns(settings: Settings, database: Database) -> None:
    turns: list[str] = []

    async def step(job: Job) -> Step:
        turns.append(job.id)
        return await counting_to(3)(job)

    for name in ("one", "two"):
        await start(database, name)

    async with running(settings, database, Doing(step), limits=ONE):
        await ended(database, "one", State.DONE)
        await ended(database, "two", State.DONE)

    assert turns == ["one", "two"] * 3


async def test_a_step_that_fails_is_tried_again_and_then_its_job_has_failed(
    settings: Settings, database: Database
) -> None:
    tried = 0

    async def step(_: Job) -> Step:
        nonlocal tried
        tried += 1
        raise ValueError("told to nobody")

    await Jobs(database).start("j", kind="doing", owner="a", args={}, now=NOW)
    async with running(settings, database, Doing(step), limits=ONE, now=hourly()):
        job = await ended(database, "j", State.FAILED)

    assert (tried, job.failures) == (QUICK.failures, QUICK.failures)
    assert job.error is not None
    assert job.error.startswith("ValueError at step:")


async def test_a_step_that_says_it_is_hopeless_is_not_tried_again(settings: Settings, database: Database) -> None:
    async def step(_: Job) -> Step:
        raise Hopeless("the file has no rows")

    await start(database, "j")
    async with running(settings, database, Doing(step)):
        job = await ended(database, "j", State.FAILED)

    assert (job.error, job.failures) == ("the file has no rows", 1)


async def test_what_is_away_is_not_counted_against_a_job(settings: Settings, database: Database) -> None:
    away = QUICK.failures + 2

    async def step(_: Job) -> Step:
        nonlocal away
        if away := away - 1:
            raise BrokerAway("no connection to Kafka")
        return Step(finished=True)

    await Jobs(database).start("j", kind="doing", owner="a", args={}, now=NOW)
    async with running(settings, database, Doing(step), limits=ONE, now=hourly()):
        job = await ended(database, "j", State.DONE)

    assert (job.failures, job.error) == (0, None)


async def test_a_step_that_ends_its_worker_each_time_is_given_up(settings: Settings, database: Database) -> None:
    jobs = Jobs(database)
    await queue(jobs, "j")
    later = NOW
    for _ in range(QUICK.failures + 1):
        await claimed(jobs, "dies", later)
        later += LEASE

    async with running(settings, database, Doing(counting_to(1)), now=lambda: later):
        job = await ended(database, "j", State.FAILED)

    assert job.error == "a worker ended in the middle of the step"


async def test_a_job_that_is_cancelled_in_the_middle_of_a_step_is_stopped(
    settings: Settings, database: Database
) -> None:
    begun, stopped = asyncio.Event(), asyncio.Event()

    async def step(_: Job) -> Step:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()
        raise AssertionError

    await start(database, "j")
    async with running(settings, database, Doing(step)):
        await begun.wait()
        cancelled = await JobDesk(database).cancel("j", NOW)
        async with asyncio.timeout(30):
            await stopped.wait()

    assert cancelled is not None
    job = await JobDesk(database).find("j")
    assert job is not None
    assert (job.state, job.progress) == (State.CANCELLED, Progress())


async def test_a_job_that_was_given_up_goes_on_where_it_stood(settings: Settings, database: Database) -> None:
    broken = True

    async def step(job: Job) -> Step:
        if broken and job.cursor.get("at") == 2:
            raise Hopeless("stuck")
        return await counting_to(4)(job)

    await start(database, "j")
    async with running(settings, database, Doing(step)):
        await ended(database, "j", State.FAILED)
        broken = False
        assert await JobDesk(database).retry("j", datetime.now(UTC)) is not None
        job = await ended(database, "j", State.DONE)

    assert (job.progress, job.error, job.failures) == (Progress(4, 4), None, 0)


async def test_a_claim_that_runs_out_while_the_step_is_under_way_is_not_taken_by_the_same_worker(
    settings: Settings, database: Database
) -> None:
    time, begun, go_on = [NOW], 0, asyncio.Event()

    async def step(job: Job) -> Step:
        nonlocal begun
        begun += 1
        await go_on.wait()
        return Step(finished=True)

    jobs = Jobs(database)
    await queue(jobs, "slow")
    long = QUICK.model_copy(update={"lease_seconds": 600})  # never renewed while the test lasts
    async with running(settings, database, Doing(step), limits=long, now=lambda: time[0]):
        await eventually(lambda: asyncio.sleep(0, begun))
        # Due later than the slow one's claim ran out: by its turn, it is the next but one.
        await jobs.start("other", kind="doing", owner="a", args={}, now=NOW, not_before=NOW + timedelta(minutes=30))
        time[0] += timedelta(hours=1)
        await eventually(lambda: asyncio.sleep(0, begun == 2))
        go_on.set()
        for job_id in ("slow", "other"):
            await ended(database, job_id, State.DONE)

    assert begun == 2


async def test_a_pace_is_kept_between_steps(jobs: Jobs) -> None:
    await queue(jobs, "j")
    job = await claimed(jobs, "one")
    assert job is not None
    await jobs.advance(job, {}, Progress(1), NOW + LEASE)

    assert await claimed(jobs, "two", NOW + LEASE / 2) is None
    assert await claimed(jobs, "two", NOW + LEASE) is not None


async def test_a_stop_lets_the_step_under_way_finish(settings: Settings, database: Database) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def step(job: Job) -> Step:
        begun.set()
        await go_on.wait()
        return await counting_to(2)(job)

    await start(database, "j")
    async with running(settings, database, Doing(step), limits=QUICK.model_copy(update={"drain_seconds": 30})):
        await begun.wait()
        asyncio.get_running_loop().call_later(0.05, go_on.set)

    job = await JobDesk(database).find("j")
    assert job is not None
    assert (job.progress, job.claimed_by) == (Progress(1, 2), None)


async def test_pages_go_through_all_jobs_newest_first(jobs: Jobs, database: Database) -> None:
    desk = JobDesk(database)
    for number in range(7):
        # Three at one instant each: pages are cut inside them.
        at = NOW + timedelta(seconds=number // 3)
        await jobs.start(f"j{number}", kind="doing", owner="a" if number % 2 else "b", args={}, now=at)
    seen, after = list[str](), None
    while page := await desk.page(Which(), after=after, limit=2):
        seen += [job.id for job in page]
        after = Cursor(page[-1].created_at, page[-1].id)

    assert seen == [f"j{number}" for number in reversed(range(7))]
    assert [job.id for job in await desk.page(Which(owner="b", state=State.QUEUED))] == ["j6", "j4", "j2", "j0"]
    assert await desk.page(Which(state=State.DONE)) == []
    assert await desk.counts((State.QUEUED, State.FAILED)) == {("doing", State.QUEUED): 7}
