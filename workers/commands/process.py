"""What every process of Fanfold does around its work: logs, signals, health, and the event loop."""

import asyncio
import signal
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, TypeVar

import structlog

from config.logging import setup_logging
from config.settings import Settings
from workers.health import Health, serve_health

log = structlog.get_logger()

T = TypeVar("T")
Worker = Callable[[Settings, asyncio.Event, Health], Coroutine[Any, Any, None]]


def run_loop(main: Coroutine[Any, Any, T]) -> T:
    """Run to the end, on uvloop where it is installed."""
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(main)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    try:
        from uvloop import new_event_loop
    except ImportError:
        return asyncio.new_event_loop
    return new_event_loop


def stop_on_signals() -> asyncio.Event:
    """An event that SIGINT or SIGTERM sets. A second signal ends the process at once."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    signals = (signal.SIGINT, signal.SIGTERM)

    def set_and_let_go() -> None:
        log.info("stopping")
        stop.set()
        for number in signals:
            loop.remove_signal_handler(number)

    for number in signals:
        loop.add_signal_handler(number, set_and_let_go)
    return stop


def gateway(settings: Settings) -> None:
    """The gateway, until a signal."""
    from workers.gateway import run_gateway

    async def main() -> None:
        await run_gateway(settings, stop_on_signals())

    setup_logging(settings.log)
    run_loop(main())


def worker(settings: Settings, names: Iterable[str]) -> None:
    """The named workers in one process, until a signal. One that fails ends them all: a restart is safe."""
    workers = {name: _entry(name) for name in names}

    async def main() -> None:
        stop = stop_on_signals()
        health = Health()
        async with serve_health(settings.metrics, health) as port:
            log.info("worker_started", workers=list(workers), metrics_port=port)
            async with asyncio.TaskGroup() as tasks:
                for name, entry in workers.items():
                    tasks.create_task(entry(settings, stop, health), name=name)
            if not stop.is_set():
                raise RuntimeError(f"a worker of {list(workers)} ended and nobody had asked it to")
        log.info("worker_stopped", workers=list(workers))

    setup_logging(settings.log)
    run_loop(main())


def _entry(name: str) -> Worker:
    match name:
        case "folder":
            from workers.folder import run_folder

            return run_folder
        case "clock":
            from workers.clock import run_clock

            return run_clock
        case "router":
            from workers.router import run_router

            return run_router
        case "dispatcher":
            from workers.dispatcher import run_dispatcher

            return run_dispatcher
        case "sentinel":
            from workers.sentinel import run_sentinel

            return run_sentinel
        case "rater":
            from workers.rater import run_rater

            return run_rater
        case "jobs":
            from workers.jobs.worker import run_jobs

            return run_jobs
    raise KeyError(name)
