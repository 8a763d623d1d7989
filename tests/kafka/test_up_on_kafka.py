"""`fanfold up --broker apache`: the log is kept, so a broker that dies takes nothing with it."""

import os
import signal
from pathlib import Path

import pytest

from tests.integration.up_process import CHILDREN, counted, folded, publish, ready, started, until

pytestmark = pytest.mark.kafka


async def test_a_killed_broker_comes_back_with_its_log_and_nobody_else_is_restarted(tmp_path: Path) -> None:
    async with started(tmp_path, "--broker", "apache", "--data", str(tmp_path / "var")) as up:
        line = await up.line()
        assert f"kept in {tmp_path / 'var' / 'kafka'}" in line
        before = up.pids()
        await publish(up, "first")
        await until(lambda: folded(up, 1))

        os.kill(before["broker"], signal.SIGKILL)

        await until(lambda: up.pids()["broker"] != before["broker"])
        await until(lambda: ready(up))
        others = CHILDREN - {"broker"}
        assert {name: up.pids()[name] for name in others} == {name: before[name] for name in others}
        await publish(up, "first")
        await publish(up, "second")
        await until(lambda: folded(up, 2))
        await until(lambda: counted(up, "fanfold_folder_duplicates_dropped_total", 1))
