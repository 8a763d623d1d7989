"""Who runs when: coroutines stepped by hand, one at a time, in an order that a seed decides.

Nothing here knows of asyncio, so the code under test runs without an event loop
and every interleaving can be produced again from its seed.
"""

import asyncio
from collections.abc import Callable, Coroutine, Generator
from random import Random
from typing import Any, Protocol

Condition = Callable[[], bool]


class Turns(Protocol):
    """What simulated parts need of whoever runs them."""

    async def pause(self) -> None:
        """A point at which anybody else may run, for any length of time."""
        ...

    async def until(self, condition: Condition) -> None:
        """Wait for a condition that somebody else brings about."""
        ...

    def spawn(self, name: str, step: Coroutine[Any, Any, None]) -> object:
        """Start something that goes on by itself."""
        ...


class Task:
    """One coroutine under way."""

    def __init__(self, name: str, coroutine: Coroutine[Any, Any, None]) -> None:
        self.name = name
        self.coroutine = coroutine
        self.condition: Condition | None = None
        self.stalled_until = 0
        self.alive = True


class _Turn:
    """Hands the turn back; the condition says when this task may have it again."""

    def __init__(self, condition: Condition | None) -> None:
        self._condition = condition

    def __await__(self) -> Generator[Condition | None, None, None]:
        yield self._condition


class Deadlock(Exception):
    """The tasks never come to rest."""


class Scheduler:
    """Steps tasks in random order. A stall keeps one from running for a while, as a pause for garbage does."""

    def __init__(self, rng: Random, stall_share: float = 0.0) -> None:
        self._rng = rng
        self.stall_share = stall_share
        self.tasks: list[Task] = []
        self.steps = 0

    def spawn(self, name: str, step: Coroutine[Any, Any, None]) -> Task:
        task = Task(name, step)
        self.tasks.append(task)
        return task

    async def pause(self) -> None:
        await _Turn(None)

    async def until(self, condition: Condition) -> None:
        while not condition():
            await _Turn(condition)

    def crash(self, task: Task) -> None:
        """End it where it stands: nothing after its present pause happens."""
        if task.alive:
            task.alive = False
            self.tasks.remove(task)
            task.coroutine.close()

    def step(self) -> bool:
        """Let one task run to its next pause; False when none can."""
        self.steps += 1
        ready = [task for task in self.tasks if task.condition is None or task.condition()]
        if not ready:
            return False
        awake = [task for task in ready if task.stalled_until <= self.steps]
        task = self._rng.choice(awake or ready)
        try:
            task.condition = task.coroutine.send(None)
        except StopIteration:
            task.alive = False
            self.tasks.remove(task)
        else:
            if self.stall_share and self._rng.random() < self.stall_share:
                task.stalled_until = self.steps + self._rng.randrange(5, 200)
        return True

    def run(self, most_steps: int = 200_000) -> None:
        """Until nobody can go on. Raises Deadlock if that does not come about."""
        while self.step():
            if self.steps > most_steps:
                raise Deadlock(f"still running after {most_steps} steps: {[task.name for task in self.tasks]}")

    def close(self) -> None:
        for task in list(self.tasks):
            self.crash(task)


class AsyncioTurns:
    """The same on an event loop, for tests that compare a simulated part with the real one."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()
        self._error: BaseException | None = None

    async def pause(self) -> None:
        await asyncio.sleep(0)

    async def until(self, condition: Condition) -> None:
        """Raises what a spawned step raised: it will not bring the condition about."""
        while not condition():
            if self._error is not None:
                raise self._error
            await asyncio.sleep(0)

    def spawn(self, name: str, step: Coroutine[Any, Any, None]) -> object:
        task = asyncio.create_task(step, name=name)
        self._running.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            self._error = self._error or task.exception()
