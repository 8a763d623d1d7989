"""Keeps children running: started in stages, started again when they die, stopped in reverse.

A child that dies is started again after a pause that doubles with each failure and
is forgotten once it has run calmly. Where its death takes something from others (a
broker whose log was in memory), those others are taken down first and come back
after it: a worker that went on with the old log's identity would fold a new log's
events as if it had seen them before.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from typing import Self

import structlog

from workers.embedded import metrics
from workers.embedded.child import Child, Command, start
from workers.embedded.errors import CannotStart

log = structlog.get_logger()

Hook = Callable[[], Awaitable[None]]

FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 15.0
CALM_SECONDS = 30.0
"""A child that has run for so long starts with a clean record."""


def pause_seconds(failures: int) -> float:
    """How long to wait before the start that follows so many failures in a row (at least one)."""
    return min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0 ** min(failures - 1, 30))


async def nothing() -> None:
    """A hook that has nothing to do."""


class Service:
    """A command that is kept running, and how it fares."""

    def __init__(self, command: Command, *, dependents: Iterable[str] = (), restored: Hook = nothing) -> None:
        """When the child dies, the `dependents` are killed at once; when it is back, `restored` is awaited and
        they are started again.
        """
        self.command = command
        self.dependents = tuple(dependents)
        self.restored = restored
        self.child: Child | None = None
        self.keeper: asyncio.Task[None] | None = None
        self.problem: str | None = "not started"
        self.failures = 0


class Supervisor:
    """Use it with `async with`: what it has started is stopped at the end, whatever happened."""

    def __init__(
        self,
        *,
        ended: Callable[[int], None] = lambda pid: None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        calm_seconds: float = CALM_SECONDS,
    ) -> None:
        """`ended` is told the process id of each child that is gone, for whatever reason."""
        self._ended = ended
        self._sleep = sleep
        self._calm_seconds = calm_seconds
        self._stages: list[Sequence[Service]] = []
        self._started = 0
        self._services: dict[str, Service] = {}

    async def __aenter__(self) -> Self:
        self._failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def states(self) -> dict[str, str | None]:
        """Every child by name, and why it is not ready; None if it is, by its own word."""
        services = list(self._services.values())
        problems = await asyncio.gather(*(self._problem(service) for service in services))
        return {service.command.name: problem for service, problem in zip(services, problems, strict=True)}

    async def _problem(self, service: Service) -> str | None:
        return service.problem or await service.command.probe()

    def add(self, *stage: Service) -> None:
        """The next stage: started together, after the stages before it, and stopped before them."""
        self._stages.append(stage)
        self._services |= {service.command.name: service for service in stage}

    async def start_next(self) -> None:
        """Start the first stage that is not started yet; return when all in it are ready. Raises CannotStart."""
        stage = self._stages[self._started]
        self._started += 1
        refusal: CannotStart | None = None
        try:
            async with asyncio.TaskGroup() as tasks:
                for service in stage:
                    tasks.create_task(self._start(service))
        except* CannotStart as group:
            refusal = _first(group)
        if refusal is not None:
            # Out here: raised inside `except*` it would come wrapped in a group.
            raise refusal
        for service in stage:
            service.problem = None
            self._keep(service, self._run(service))

    async def watch(self) -> None:
        """Never return; raises what goes wrong in the supervision itself."""
        await self._failure

    async def stop(self) -> None:
        """Stop everything, last stage first, the children of a stage together. Returns when all are gone."""
        for service in self._services.values():
            await self._abandon(service)
        for stage in reversed(self._stages):
            await asyncio.gather(*(self._end(service) for service in stage))

    def _keep(self, service: Service, work: Coroutine[None, None, None]) -> None:
        service.keeper = asyncio.create_task(work, name=f"keeper of {service.command.name}")
        service.keeper.add_done_callback(self._note_failure)

    def _note_failure(self, keeper: asyncio.Task[None]) -> None:
        if not keeper.cancelled() and (error := keeper.exception()) is not None and not self._failure.done():
            self._failure.set_exception(error)

    async def _run(self, service: Service) -> None:
        while (child := service.child) is not None:
            status = await child.ended()
            self._forget(service)
            metrics.DEATHS.labels(service.command.name).inc()
            calm = time.monotonic() - child.started_at >= self._calm_seconds
            service.failures = 1 if calm else service.failures + 1
            await self._revive(service, f"ended with status {status}")

    async def _revive(self, service: Service, reason: str) -> None:
        """Start it again, however often it takes, and with it those who depend on it."""
        # One whose stage has not started yet will find everything as it must be.
        dependents = [self._services[name] for name in service.dependents if self._services[name].keeper is not None]
        await asyncio.gather(*(self._take_down(dependent, service.command.name) for dependent in dependents))
        while True:
            pause = pause_seconds(service.failures)
            service.problem = f"{reason}; starts again in {pause:g} s"
            log.warning("child_ended", child=service.command.name, reason=reason, again_in_seconds=pause)
            await self._sleep(pause)
            try:
                await self._start(service)
                break
            except CannotStart as error:
                await self._end(service)
                service.failures += 1
                reason = str(error)
        await service.restored()
        service.problem = None
        log.info("child_restarted", child=service.command.name, failures=service.failures)
        for dependent in dependents:
            self._keep(dependent, self._return(dependent))

    async def _take_down(self, service: Service, cause: str) -> None:
        await self._abandon(service)
        # Killed, not asked: what it might still finish belongs to what is lost. A crash is safe at any moment.
        await self._end(service, at_once=True)
        service.problem = f"waits for the {cause}"

    async def _return(self, service: Service) -> None:
        try:
            await self._start(service)
            service.problem = None
        except CannotStart as error:
            await self._end(service)
            service.failures += 1
            await self._revive(service, str(error))
        await self._run(service)

    async def _start(self, service: Service) -> None:
        service.problem = "starting"
        service.child = await start(service.command)
        await service.child.wait_ready()
        log.info("child_ready", child=service.command.name, pid=service.child.pid)

    async def _abandon(self, service: Service) -> None:
        """Look after it no more."""
        keeper, service.keeper = service.keeper, None
        if keeper is not None:
            keeper.cancel()
            await asyncio.wait([keeper])

    async def _end(self, service: Service, *, at_once: bool = False) -> None:
        service.problem = "stopped"
        if (child := service.child) is not None:
            await (child.kill() if at_once else child.stop())
            self._forget(service)

    def _forget(self, service: Service) -> None:
        child, service.child = service.child, None
        if child is not None:
            self._ended(child.pid)


def _first(group: BaseExceptionGroup[CannotStart]) -> CannotStart:
    first = group.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first
