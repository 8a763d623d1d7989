"""The supervisor over small real processes."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.processes import alive
from workers.embedded.child import Command, running, start
from workers.embedded.errors import CannotStart
from workers.embedded.supervisor import LONGEST_PAUSE_SECONDS, Service, Supervisor, pause_seconds

DEADLINE_SECONDS = 30
FOR_EVER = "import time\nwhile True: time.sleep(60)"
DEAF = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True)\n{FOR_EVER}"


async def at_once() -> str | None:
    return None


def a_command(name: str = "child", program: str = FOR_EVER, **changes: object) -> Command:
    return Command(name=name, argv=(sys.executable, "-I", "-S", "-c", program), **{"probe": at_once, **changes})


async def no_pause(_: float) -> None:
    await asyncio.sleep(0)


def pid(service: Service) -> int | None:
    return None if service.child is None else service.child.pid


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not condition():  # noqa: ASYNC110 - processes tell nobody
            await asyncio.sleep(0.01)


def test_pauses_double_up_to_the_longest() -> None:
    assert [pause_seconds(failures) for failures in (1, 2, 3, 4)] == [0.1, 0.2, 0.4, 0.8]
    assert pause_seconds(1_000) == LONGEST_PAUSE_SECONDS


async def test_a_child_that_never_becomes_ready_is_told_with_what_is_missing() -> None:
    async def never() -> str | None:
        return "the moon"

    with pytest.raises(CannotStart, match=r"child was not ready within 0\.1 s: the moon"):
        async with running(a_command(probe=never, ready_seconds=0.1)):
            pass


async def test_a_child_that_ends_at_once_is_told_with_its_last_words(tmp_path: Path) -> None:
    async def never() -> str | None:
        return "not yet"

    command = a_command(program="print('no luck'); raise SystemExit(7)", probe=never, output=tmp_path / "output")

    with pytest.raises(CannotStart, match="child ended with status 7 at once; it last said: no luck"):
        async with running(command):
            pass


async def test_a_child_deaf_to_sigterm_is_killed_after_its_time_to_drain(tmp_path: Path) -> None:
    output = tmp_path / "output"
    child = await start(a_command(program=DEAF, output=output, drain_seconds=0.1))
    await until(lambda: "deaf" in output.read_text())

    await child.stop()

    assert child.process.returncode == -signal.SIGKILL


def test_a_child_dies_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3]
    )
    with parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert alive(child)
        parent.kill()
    try:
        asyncio.run(until(lambda: not alive(child)))
    finally:
        if alive(child):
            os.kill(child, signal.SIGKILL)


# By its own word: it has become what it was to be.
SPEAKING = f"import os; print(os.getpid(), flush=True)\n{FOR_EVER}"
PARENT = f"""
import asyncio, sys
from workers.embedded.child import Command, start

async def ready(): return None

async def main():
    child = await start(Command(name="child", argv=(sys.executable, "-c", {SPEAKING!r}), probe=ready))
    await child.ended()

asyncio.run(main())
"""


async def test_a_child_that_dies_is_started_again_and_told_meanwhile() -> None:
    asleep, go_on = asyncio.Event(), asyncio.Event()

    async def pause(_: float) -> None:
        asleep.set()
        await go_on.wait()

    child = Service(a_command())
    async with Supervisor(sleep=pause) as supervisor:
        supervisor.add(child)
        await supervisor.start_next()
        assert await supervisor.states() == {"child": None}
        before = pid(child)

        os.kill(before, signal.SIGKILL)

        await asleep.wait()
        assert await supervisor.states() == {"child": "ended with status -9; starts again in 0.1 s"}
        go_on.set()
        await until(lambda: pid(child) not in (None, before))


@pytest.mark.parametrize(
    ("calm_seconds", "expected"),
    [
        (60.0, [0.1, 0.2, 0.4, 0.8]),  # it never runs so long
        (0.0, [0.1, 0.1, 0.1, 0.1]),  # each run counts as calm
    ],
)
async def test_pauses_grow_while_a_child_goes_on_dying_young(calm_seconds: float, expected: list[float]) -> None:
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)
        await asyncio.sleep(0)

    async with Supervisor(sleep=pause, calm_seconds=calm_seconds) as supervisor:
        supervisor.add(Service(a_command(program="")))
        await supervisor.start_next()
        await until(lambda: len(pauses) >= len(expected))

    assert pauses[: len(expected)] == expected


async def test_those_who_depend_on_a_dead_child_come_back_after_what_it_lost_is_restored() -> None:
    restored_with: list[tuple[int | None, int | None]] = []

    async def restored() -> None:
        restored_with.append((pid(worker), pid(other)))

    broker = Service(a_command("broker"), dependents=["worker"], restored=restored)
    worker, other = Service(a_command("worker")), Service(a_command("other"))
    async with Supervisor(sleep=no_pause) as supervisor:
        supervisor.add(broker)
        supervisor.add(worker, other)
        await supervisor.start_next()
        await supervisor.start_next()
        first_worker, first_other = pid(worker), pid(other)

        os.kill(pid(broker), signal.SIGKILL)

        await until(lambda: pid(worker) not in (None, first_worker))
        assert not alive(first_worker)
        assert restored_with == [(None, first_other)]
        assert pid(other) == first_other
        # Looked after as before.
        second_worker = pid(worker)
        os.kill(second_worker, signal.SIGKILL)
        await until(lambda: pid(worker) not in (None, second_worker))


async def test_stages_stop_in_reverse_and_nobody_is_left() -> None:
    ended: list[int] = []
    broker, worker = Service(a_command("broker")), Service(a_command("worker"))
    async with Supervisor(ended=ended.append) as supervisor:
        supervisor.add(broker)
        supervisor.add(worker)
        await supervisor.start_next()
        await supervisor.start_next()
        expected = [pid(worker), pid(broker)]

    assert ended == expected
    assert not any(alive(child) for child in ended)


async def test_a_stage_of_which_one_cannot_start_is_stopped_whole() -> None:
    async def never() -> str | None:
        return "not yet"

    ended: list[int] = []
    async with Supervisor(ended=ended.append) as supervisor:
        supervisor.add(Service(a_command("good")), Service(a_command("bad", "raise SystemExit(3)", probe=never)))

        with pytest.raises(CannotStart, match="bad ended with status 3"):
            await supervisor.start_next()

    assert len(ended) == 2
    assert not any(alive(child) for child in ended)


async def test_what_goes_wrong_in_the_supervision_itself_is_raised() -> None:
    async def broken() -> None:
        raise ZeroDivisionError

    child = Service(a_command(), restored=broken)
    async with Supervisor(sleep=no_pause) as supervisor:
        supervisor.add(child)
        await supervisor.start_next()

        os.kill(pid(child), signal.SIGKILL)

        with pytest.raises(ZeroDivisionError):
            await asyncio.wait_for(supervisor.watch(), DEADLINE_SECONDS)
