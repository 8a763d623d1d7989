"""One child process: started, waited for until it is ready, stopped for certain."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import msgspec

from workers.embedded import tether
from workers.embedded.errors import CannotStart

Probe = Callable[[], Awaitable[str | None]]
"""What is still missing, in words; None once the child is ready. Called every few milliseconds until then."""

PROBE_SECONDS = 0.02
KILLED_SECONDS = 5.0
"""How long the kernel may take to end a process sent SIGKILL."""
TAIL_BYTES = 4096


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """What is run as a child, and when it counts as ready."""

    name: str
    argv: tuple[str, ...]
    probe: Probe
    environment: Mapping[str, str] = {}
    """Put over our own environment."""
    output: Path | None = None
    """File that takes what it prints, appended; without one it shares our output."""
    ready_seconds: float = 30.0
    """How long it may take to become ready."""
    drain_seconds: float = 10.0
    """How long it may take to end after SIGTERM; then it is killed."""
    stopping: Callable[[Callable[[], None]], Awaitable[None]] | None = None
    """Helps a program to notice SIGTERM; called after it, with what sends it again."""


class Child:
    """A running process. Made by `start`; whoever starts it calls `stop`."""

    def __init__(self, command: Command, process: asyncio.subprocess.Process) -> None:
        self.command = command
        self.process = process
        self.started_at = time.monotonic()

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def running(self) -> bool:
        return self.process.returncode is None

    async def ended(self) -> int:
        """Its exit status once it has ended; minus the signal's number if one ended it."""
        return await self.process.wait()

    async def wait_ready(self) -> None:
        """Return once it is ready. Raises CannotStart if it ends before that, or takes too long."""
        missing: str | None = "not asked yet"
        try:
            async with asyncio.timeout(self.command.ready_seconds):
                while self.running:
                    missing = await self.command.probe()
                    # Asked once more whether it runs: another program may be answering at its port.
                    if missing is None and self.running:
                        return
                    await asyncio.sleep(PROBE_SECONDS)
        except TimeoutError:
            raise CannotStart(
                f"{self.command.name} was not ready within {self.command.ready_seconds:g} s: {missing}{self._tail()}"
            ) from None
        raise CannotStart(f"{self.command.name} ended with status {self.process.returncode} at once{self._tail()}")

    async def stop(self, drain_seconds: float | None = None) -> None:
        """SIGTERM, and SIGKILL after its time to drain. Returns when it is gone; safe to repeat."""
        drain = self.command.drain_seconds if drain_seconds is None else drain_seconds
        self._ask()
        try:
            async with asyncio.timeout(drain):
                if self.command.stopping is not None:
                    await self.command.stopping(self._ask)
                await self.process.wait()
        except TimeoutError:
            await self.kill()

    async def kill(self) -> None:
        """SIGKILL; returns when it is gone."""
        self._signal(signal.SIGKILL)
        async with asyncio.timeout(KILLED_SECONDS):
            await self.process.wait()

    def _ask(self) -> None:
        self._signal(signal.SIGTERM)

    def _signal(self, number: signal.Signals) -> None:
        if self.running:
            with suppress(ProcessLookupError):
                self.process.send_signal(number)

    def _tail(self) -> str:
        lines = tail(self.command.output)
        return f"; it last said: {lines[-1]}" if lines else ""


async def start(command: Command) -> Child:
    """The child, running but perhaps not ready. It dies with the calling thread, which has to be the main one."""
    output = None if command.output is None else command.output.open("ab")
    try:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", tether.__file__, str(os.getpid())),
            *command.argv,
            env={**os.environ, **command.environment},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            # A session of its own: Ctrl-C in the terminal reaches us alone, and we stop it in its turn.
            start_new_session=True,
        )
    finally:
        if output is not None:
            output.close()
    return Child(command, process)


@asynccontextmanager
async def running(command: Command) -> AsyncIterator[Child]:
    """The child, ready, for the length of the block. Raises CannotStart."""
    child = await start(command)
    try:
        await child.wait_ready()
        yield child
    finally:
        await child.stop()


def tail(output: Path | None) -> list[str]:
    """The last lines that a child printed into its file, without empty ones."""
    if output is None or not output.exists():
        return []
    with output.open("rb") as file:
        file.seek(max(0, output.stat().st_size - TAIL_BYTES))
        return [line for line in file.read().decode(errors="replace").splitlines() if line.strip()]
