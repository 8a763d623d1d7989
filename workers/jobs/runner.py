"""The runner: takes jobs whose time has come, does one step of each, and writes down how far they are.

The order is the guarantee: claim, do the step, write down its cursor under that claim.
A crash before the last leaves the job where it stood, and the step is done again; a
worker that has lost its claim writes nothing down. Owners take turns, and so do the
jobs of one owner: after each step a job goes back behind the others.
"""

import asyncio
import time
import traceback
from collections.abc import Mapping
from datetime import datetime, timedelta

import structlog
from ulid import ULID

from config.settings import JobsSettings
from gateway.background import end
from schemas.errors import FanfoldError, Transient
from stores.job_desk import JobDesk
from stores.jobs import Job, Jobs, Progress, State
from workers.health import Health
from workers.jobs import metrics
from workers.jobs.kind import Hopeless, Kind, Step, Tools

log = structlog.get_logger()

COUNTED = (State.QUEUED, State.RUNNING, State.FAILED)
COUNT_SECONDS = 15.0
AWAY_SECONDS = 5.0
"""A step that found something away is tried again after this."""
ERROR_CHARS = 300


def backoff_seconds(failures: int) -> float:
    """How long a step waits that has failed so often in a row (at least once): 5 s, 20 s, 80 s, at most 10 minutes."""
    return min(600.0, 5.0 * 4.0 ** min(failures - 1, 10))


def reason_of(error: Exception) -> str:
    """What an operator is told. Of an error that is not ours the place in place of its text, which may hold data."""
    if isinstance(error, FanfoldError | Hopeless):
        return str(error)[:ERROR_CHARS]
    frames = traceback.extract_tb(error.__traceback__)
    where = f" at {frames[-1].name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{where}"[:ERROR_CHARS]


class Runner:
    """Does steps of jobs, `at_once` at a time, until it is stopped."""

    def __init__(
        self, jobs: Jobs, desk: JobDesk, kinds: Mapping[str, Kind], tools: Tools, settings: JobsSettings, health: Health
    ) -> None:
        self._jobs = jobs
        self._desk = desk
        self._kinds = kinds
        self._tools = tools
        self._settings = settings
        self._health = health
        self._lease = timedelta(seconds=settings.lease_seconds)
        self._choosing = asyncio.Lock()
        self._more = asyncio.Event()
        self._under_way: set[str] = set()
        self._served = ""
        """The owner whose turn was last."""

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`; then the steps under way get their time, and what is late is given up for others to repeat."""
        async with asyncio.TaskGroup() as tasks:
            slots = [
                tasks.create_task(self._slot(stop), name=f"jobs {number}") for number in range(self._settings.at_once)
            ]
            counting = tasks.create_task(self._count(), name="count jobs")
            await stop.wait()
            self._more.set()
            _, late = await asyncio.wait(slots, timeout=self._settings.drain_seconds)
            for task in (*late, counting):
                await end(task)

    async def _slot(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                job = await self._next(stop)
                if job is not None:
                    try:
                        await self._work(job)
                    finally:
                        self._under_way.discard(job.id)
                        self._more.set()
            except Transient as away:
                log.warning("jobs_wait", error=str(away)[:ERROR_CHARS])
                self._health.problem("jobs", f"waiting: {away}"[:ERROR_CHARS])
                await self._pause(self._settings.poll_seconds)

    async def _next(self, stop: asyncio.Event) -> Job | None:
        """The next job, claimed; None at the stop. One slot at a time looks, the others wait for it."""
        async with self._choosing:
            while not stop.is_set():
                self._more.clear()
                if job := await self._claim():
                    return job
                if not stop.is_set():
                    await self._pause(self._settings.poll_seconds)
        return None

    async def _claim(self) -> Job | None:
        for behind in dict.fromkeys((self._served, "")):
            now = self._tools.now()
            job = await self._jobs.claim(
                self._kinds,
                behind=behind,
                now=now,
                claim=str(ULID()),
                until=now + self._lease,
                # A store that is slow lets claims run out here too: that is no reason to begin the step once more.
                but=self._under_way,
            )
            self._health.well("jobs")
            if job is not None:
                self._served = job.owner
                self._under_way.add(job.id)
                return job
        return None

    async def _pause(self, seconds: float) -> None:
        """Shorter where a job goes back, or the stop comes."""
        try:
            async with asyncio.timeout(seconds):
                await self._more.wait()
        except TimeoutError:
            pass

    async def _work(self, job: Job) -> None:
        """One step of a claimed job, from its claim to what is written down."""
        if job.failures >= self._settings.failures:
            await self._give_up(job, job.failures, job.error or "failed too often")
            return
        started = time.perf_counter()
        metrics.UNDER_WAY.inc()
        try:
            step = await self._stepped(job)
        except Transient as away:
            # Not the job's doing, so it is not counted against it.
            await self._postpone(job, AWAY_SECONDS, job.failures, reason_of(away), "waiting")
        except Hopeless as reason:
            await self._give_up(job, job.failures + 1, reason_of(reason))
        except Exception as error:  # noqa: BLE001 - the edge: whatever a kind does wrong is its job's failure
            await self._failed(job, error)
        else:
            await self._write_down(job, step)
        finally:
            metrics.UNDER_WAY.dec()
            metrics.STEP_SECONDS.labels(job.kind).observe(time.perf_counter() - started)

    async def _stepped(self, job: Job) -> Step | None:
        """What the step gives, its claim kept meanwhile; None where the claim is lost: then it is stopped."""
        step = asyncio.create_task(self._kinds[job.kind].step(job, self._tools), name=f"step of {job.kind}")
        keeping = asyncio.create_task(self._keep(job), name="claim")
        try:
            await asyncio.wait((step, keeping), return_when=asyncio.FIRST_COMPLETED)
            return step.result() if step.done() else None
        finally:
            await end(keeping)
            await end(step)

    async def _keep(self, job: Job) -> None:
        """Renew the claim until it is lost."""
        while True:
            await asyncio.sleep(self._settings.lease_seconds / 3)
            try:
                if not await self._jobs.renew(job, self._tools.now() + self._lease):
                    return
            except Transient as away:
                # The step goes on: should the claim run out meanwhile, what it has done is not written down.
                log.warning("job_claim_not_renewed", job=job.id, error=str(away)[:ERROR_CHARS])

    async def _write_down(self, job: Job, step: Step | None) -> None:
        if step is None:
            self._came(job, "lost")
            return
        now, progress = self._tools.now(), Progress(step.done, step.total)
        if step.finished:
            kept, outcome = await self._jobs.finish(job, step.cursor, progress, step.result, now), "finished"
        else:
            due_at = now + timedelta(seconds=step.pause_seconds)
            kept, outcome = await self._jobs.advance(job, step.cursor, progress, due_at), "done"
        self._came(job, outcome if kept else "lost")

    async def _failed(self, job: Job, error: Exception) -> None:
        failures = job.failures + 1
        log.error(
            "job_step_failed",
            job=job.id,
            kind=job.kind,
            failures=failures,
            error=type(error).__name__,
            # Not the message: it may quote what the job is about.
            stack="".join(traceback.format_tb(error.__traceback__)),
        )
        if failures >= self._settings.failures:
            await self._give_up(job, failures, reason_of(error))
        else:
            await self._postpone(job, backoff_seconds(failures), failures, reason_of(error), "failed")

    async def _postpone(self, job: Job, seconds: float, failures: int, reason: str, outcome: str) -> None:
        due_at = self._tools.now() + timedelta(seconds=seconds)
        kept = await self._jobs.postpone(job, due_at, failures, reason)
        self._came(job, outcome if kept else "lost")

    async def _give_up(self, job: Job, failures: int, reason: str) -> None:
        log.error("job_failed", job=job.id, kind=job.kind, failures=failures, reason=reason)
        kept = await self._jobs.fail(job, failures, reason, self._tools.now())
        self._came(job, "given_up" if kept else "lost")

    def _came(self, job: Job, outcome: str) -> None:
        metrics.STEPS.labels(job.kind, outcome).inc()
        if outcome == "finished":
            log.info("job_finished", job=job.id, kind=job.kind, seconds=_since(job.created_at, self._tools.now()))

    async def _count(self) -> None:
        while True:
            try:
                counts = await self._desk.counts(COUNTED)
                for kind in self._kinds:
                    for state in COUNTED:
                        metrics.JOBS.labels(kind, state.value).set(counts.get((kind, state), 0))
            except Transient as away:
                log.debug("jobs_not_counted", error=str(away)[:ERROR_CHARS])
            await asyncio.sleep(COUNT_SECONDS)


def _since(then: datetime, now: datetime) -> float:
    return round((now - then).total_seconds(), 3)
