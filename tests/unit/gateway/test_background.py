"""Tasks beside the server end with it, whatever they were doing."""

import asyncio

import pytest

from gateway.background import background, end


async def test_a_task_that_lost_its_cancellation_is_cancelled_again() -> None:
    lost = asyncio.Event()

    async def deaf_once() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            lost.set()  # as a library does that takes it for its own time-out
        await asyncio.Event().wait()

    task = asyncio.create_task(deaf_once())
    await asyncio.sleep(0)
    async with asyncio.timeout(10):
        await end(task, again_seconds=0.01)

    assert lost.is_set()
    assert task.cancelled()


async def test_what_a_background_task_raised_is_raised_at_the_end() -> None:
    failed = asyncio.Event()

    async def fail() -> None:
        failed.set()
        raise ValueError("a defect")

    with pytest.raises(ValueError, match="a defect"):
        async with background(fail(), "failing"):
            await failed.wait()
