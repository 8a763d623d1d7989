"""Any service that Apprise knows, by its URL (the project's documentation, "Supported notifications").

Apprise opens its own connections, so it works in a helper process that keeps it in
bounds (`channels.apprise_helper`): the guard holds for it as for all channels, of the
addresses that it connects to; what a service does by name over UDP (`rsyslog://`) may
resolve otherwise between check and sending. Services of the machine itself, its desktop
or its log, are refused. Apprise says only whether it worked: what did not is tried again.
"""

import asyncio
import itertools
import logging
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import msgspec

from channels.apprise_job import Job, Outcome
from channels.channel import Came, Channel, Message, Receipt, Target, Way
from channels.http import URL_CHARS
from channels.net import Net
from config.settings import Settings
from schemas.push import Urgency

AT_ONCE = 8
"""Messages under way: each is a process."""
SEVERITY: dict[Urgency, str] = {"low": "info", "normal": "info", "high": "warning", "critical": "failure"}


class AppriseOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """None: an Apprise URL says everything."""


class HelperEnded(Exception):
    """The process is gone, and with it what was sent there."""


class Helper:
    """The process, and who waits for what from it."""

    def __init__(self, process: Process, jobs: asyncio.StreamWriter, outcomes: asyncio.StreamReader) -> None:
        self._process = process
        self._jobs = jobs
        self._waiting: dict[int, asyncio.Future[Outcome]] = {}
        self._reading = asyncio.create_task(self._read(outcomes), name="read Apprise's outcomes")

    @classmethod
    async def start(cls) -> "Helper":
        process = await asyncio.create_subprocess_exec(
            # Isolated, and with no environment: no proxies, no settings, no keys of ours.
            *(sys.executable, "-I", "-m", "channels.apprise_helper"),
            env={"PATH": os.defpath, "LANG": "C.UTF-8"},
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,
            start_new_session=True,  # so that its forks can be ended with it
        )
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("a process that was started with pipes has none")
        return cls(process, process.stdin, process.stdout)

    @property
    def ended(self) -> bool:
        return self._process.returncode is not None

    async def ask(self, job: Job) -> Outcome:
        """What came of it. Raises HelperEnded."""
        answer: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._waiting[job.id] = answer
        try:
            self._jobs.write(msgspec.json.encode(job) + b"\n")
            return await answer
        finally:
            del self._waiting[job.id]

    async def close(self) -> None:
        """End it, and what it has under way."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._jobs.close()
        await self._process.wait()
        await self._reading

    async def _read(self, outcomes: asyncio.StreamReader) -> None:
        async for line in outcomes:
            outcome = msgspec.json.decode(line, type=Outcome)
            answer = self._waiting.get(outcome.id)
            if answer is not None and not answer.done():
                answer.set_result(outcome)
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(HelperEnded())


class Apprise:
    """Sends through one helper, started when it is first needed and again when it ended."""

    def __init__(self, net: Net) -> None:
        self._timeout_seconds = net.timeout_seconds
        self._allowed = tuple(str(network) for network in net.allowed)
        self._ids = itertools.count()
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._starting = asyncio.Lock()
        self._helper: Helper | None = None

    async def send(self, message: Message, target: Target) -> Receipt:
        try:
            async with asyncio.timeout(self._timeout_seconds) as limit, self._slots:
                helper = await self._started()
                seconds = (limit.when() or 0.0) - asyncio.get_running_loop().time()
                outcome = await helper.ask(self._job(message, target, max(0.001, seconds)))
        except TimeoutError:
            return Receipt(came=Came.RETRY, response=f"not delivered within {self._timeout_seconds:g} s")
        except HelperEnded:
            return Receipt(came=Came.RETRY, response="the process that sends by Apprise ended")
        return Receipt(came=Came(outcome.came), response=outcome.response)

    async def close(self) -> None:
        if self._helper is not None:
            await self._helper.close()

    async def _started(self) -> Helper:
        async with self._starting:
            if self._helper is None or self._helper.ended:
                await self.close()
                self._helper = await Helper.start()
            return self._helper

    def _job(self, message: Message, target: Target, seconds: float) -> Job:
        return Job(
            id=next(self._ids),
            url=target.address,
            title=(message.title or "") if message.body else "",
            body=message.body or message.title or message.kind,
            severity=SEVERITY[message.urgency],
            seconds=seconds,
            allowed=self._allowed,
        )


def check_url(url: str) -> None:
    """Raise ValueError, without the URL in it, for what Apprise does not know or what is of this machine."""
    # Imported where it is needed: hundreds of plugins, of no use to those who only send.
    from apprise import Apprise as Library
    from apprise.manager_plugins import NotificationManager

    if len(url) > URL_CHARS:
        raise ValueError(f"a URL of at most {URL_CHARS} characters is expected")
    schema = url.partition("://")[0].lower()
    known = NotificationManager()  # type: ignore[no-untyped-call] # apprise types it half
    if schema not in known:
        raise ValueError("Apprise knows no such service")
    # A service that can be named with nothing behind the schema is on the machine that names it.
    if "{schema}://" in known[schema].templates:
        raise ValueError("services of the machine itself are not for a push to reach")
    if schema == "vapid":
        raise ValueError("web push needs files beside the URL; they are not read")
    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)  # it would repeat what is wrong with a URL
    if Library.instantiate(url) is None:
        raise ValueError("Apprise cannot use this URL")


@asynccontextmanager
async def open_apprise(_: Settings, net: Net) -> AsyncIterator[Channel]:
    channel = Apprise(net)
    try:
        yield channel
    finally:
        await channel.close()


WAY = Way("apprise", open_apprise, options=AppriseOptions, check_url=check_url)
