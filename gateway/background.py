"""A task beside the server: owned, and loud when it fails."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import structlog

log = structlog.get_logger()

AGAIN_SECONDS = 1.0


@asynccontextmanager
async def background(work: Coroutine[Any, Any, None], name: str) -> AsyncIterator[None]:
    """Runs until the block is left. A failure is logged when it happens and raised at the end."""
    task = asyncio.create_task(work, name=name)
    task.add_done_callback(_log_failure)
    try:
        yield
    finally:
        await end(task)
        if not task.cancelled():
            task.result()


async def end(task: asyncio.Task[Any], again_seconds: float = AGAIN_SECONDS) -> None:
    """Cancel the task, and return once it has ended.

    Asked again while it lasts: a cancellation that meets a library's own time-out may
    be taken for it and lost (`asyncio.wait_for` before Python 3.12). So only for tasks
    that clean up within `again_seconds`.
    """
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=again_seconds)


def _log_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("background_task_failed", task=task.get_name(), exc_info=error)
