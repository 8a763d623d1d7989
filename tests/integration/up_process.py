"""`fanfold up` run as a user runs it, for tests: what it says, what it started, and its metrics."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import aiohttp

from workers.embedded.ports import LOOPBACK, free_port

CHILDREN = {"broker", "store", "gateway", "folder", "dispatcher", "clock", "jobs", "rater", "sentinel"}
DEADLINE_SECONDS = 60


class Up:
    """A running `fanfold up`, and what it has written."""

    def __init__(self, process: asyncio.subprocess.Process, port: int, metrics_port: int, errors: Path) -> None:
        self.process = process
        self.api = f"http://{LOOPBACK}:{port}"
        self.status = f"http://{LOOPBACK}:{metrics_port}"
        self._errors = errors

    async def line(self) -> str:
        async with asyncio.timeout(DEADLINE_SECONDS):
            return (await self.process.stdout.readline()).decode()

    async def rest(self) -> str:
        return (await self.process.stdout.read()).decode()

    async def ended(self) -> int:
        async with asyncio.timeout(DEADLINE_SECONDS):
            return await self.process.wait()

    def log(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self._errors.read_text().splitlines() if line.startswith("{")]

    def said(self) -> list[str]:
        return [line for line in self._errors.read_text().splitlines() if not line.startswith("{")]

    def pids(self) -> dict[str, int]:
        """The children that have been ready, each by the latest process it was."""
        return {line["child"]: line["pid"] for line in self.log() if line["event"] == "child_ready"}


@asynccontextmanager
async def started(folder: Path, *arguments: str, port: int | None = None) -> AsyncIterator[Up]:
    port, metrics_port, errors = port or free_port(), free_port(), folder / "errors"
    with errors.open("wb") as stderr:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "workers.cli", "up"),
            *("--port", str(port), "--metrics-port", str(metrics_port)),
            *arguments,
            stdout=asyncio.subprocess.PIPE,
            stderr=stderr,
            env={**os.environ, "TMPDIR": str(folder), "FANFOLD_EVENTS__TOKENS": '["events-token"]'},
        )
    try:
        yield Up(process, port, metrics_port, errors)
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(DEADLINE_SECONDS):
            await process.wait()


async def until(condition: Callable[[], Awaitable[bool] | bool]) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            answer = condition()
            if await answer if isinstance(answer, Awaitable) else answer:
                return
            await asyncio.sleep(0.05)


async def ready(up: Up) -> bool:
    with suppress(aiohttp.ClientError):
        async with aiohttp.ClientSession() as session, session.get(f"{up.status}/readyz") as response:
            return response.status == 200
    return False


async def deaths(up: Up, child: str) -> float:
    return await metric(up, f'fanfold_up_child_deaths_total{{child="{child}"}}')


async def folded(up: Up, count: int) -> bool:
    return await counted(up, 'fanfold_folder_events_total{type="account.session.changed"}', count)


async def counted(up: Up, name: str, count: int) -> bool:
    return await metric(up, name) == count


async def metric(up: Up, name: str) -> float:
    """The metric's value over all children; 0 while nobody has reported it."""
    async with aiohttp.ClientSession() as session, session.get(f"{up.status}/metrics") as response:
        lines = (await response.text()).splitlines()
    return next((float(line.rpartition(" ")[2]) for line in lines if line.startswith(name)), 0.0)


async def publish(up: Up, event_id: str) -> None:
    event = {
        "specversion": "1.0",
        "type": "account.session.changed",
        "source": "test",
        "id": event_id,
        "data": {"user_id": "7", "online": True, "cause": "callback"},
    }
    headers = {"Authorization": "Bearer events-token", "Content-Type": "application/cloudevents+json"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{up.api}/events", data=json.dumps(event), headers=headers) as response,
    ):
        assert response.status == 202, await response.text()
