"""`fanfold up` as a user runs it: one process, and everything else below it."""

import os
import signal
import socket
from pathlib import Path

import pytest

from config.settings import KafkaSettings
from tests.integration.up_process import CHILDREN, counted, deaths, folded, publish, ready, started, until
from tests.processes import alive
from workers.embedded.ports import LOOPBACK


async def test_one_line_says_where_everything_is_and_all_of_it_is_ready(tmp_path: Path) -> None:
    async with started(tmp_path, "--ephemeral") as up:
        line = await up.line()

        assert line.startswith(f"Fanfold is ready: {up.api} ")
        assert "in memory" in line
        assert await ready(up)
        assert up.pids().keys() == CHILDREN

        up.process.send_signal(signal.SIGTERM)
        assert await up.rest() == ""


async def test_sigterm_stops_every_child_and_leaves_no_file(tmp_path: Path) -> None:
    async with started(tmp_path, "--ephemeral") as up:
        line = await up.line()
        temporary = Path(line.strip().rpartition(" ")[2]).parent
        assert temporary.is_dir()

        up.process.send_signal(signal.SIGTERM)

        assert await up.ended() == 0
        assert [child for child, pid in up.pids().items() if alive(pid)] == []
        assert not temporary.exists()


async def test_sigterm_in_the_middle_of_the_start_leaves_nothing_behind(tmp_path: Path) -> None:
    async with started(tmp_path, "--ephemeral") as up:
        await until(lambda: "store" in up.pids())

        up.process.send_signal(signal.SIGTERM)

        assert await up.ended() == 0
        assert await up.rest() == ""
        assert [child for child, pid in up.pids().items() if alive(pid)] == []


async def test_no_child_outlives_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    async with started(tmp_path, "--data", str(tmp_path / "var")) as up:
        await up.line()

        up.process.kill()
        await up.ended()

        await until(lambda: not any(alive(pid) for pid in up.pids().values()))


@pytest.mark.parametrize("child", ["gateway", "folder", "store"])
async def test_a_child_that_is_killed_is_started_again(tmp_path: Path, child: str) -> None:
    async with started(tmp_path, "--data", str(tmp_path / "var")) as up:
        await up.line()
        before = up.pids()

        os.kill(before[child], signal.SIGKILL)

        await until(lambda: up.pids()[child] != before[child])
        await until(lambda: ready(up))
        others = CHILDREN - {child}
        assert {name: up.pids()[name] for name in others} == {name: before[name] for name in others}
        assert await deaths(up, child) == 1


async def test_a_log_lost_with_its_broker_is_told_and_events_go_on_being_folded(tmp_path: Path) -> None:
    async with started(tmp_path, "--ephemeral") as up:
        await up.line()
        before = up.pids()
        await publish(up, "first")
        await until(lambda: folded(up, 1))

        os.kill(before["broker"], signal.SIGKILL)

        await until(lambda: up.pids()["folder"] != before["folder"])
        await until(lambda: ready(up))
        lost = next(line for line in up.log() if line["event"] == "broker_log_lost")
        assert lost["events_not_folded_at_last_look"] == 0
        assert up.pids()["gateway"] == before["gateway"]
        # The new log counts from 0 again: an event at an offset that was folded before still counts.
        await publish(up, "second")
        await until(lambda: folded(up, 2))


async def test_what_is_kept_is_there_after_a_restart(tmp_path: Path) -> None:
    data = ("--data", str(tmp_path / "var"))
    async with started(tmp_path, *data) as up:
        await up.line()
        await publish(up, "first")
        await until(lambda: folded(up, 1))
        key = (tmp_path / "var" / "token-key").read_text()

    async with started(tmp_path, *data) as up:
        await up.line()
        # The store knows the event, so the same one sent again is a duplicate.
        await publish(up, "first")

        await until(lambda: counted(up, "fanfold_folder_duplicates_dropped_total", 1))
        assert (tmp_path / "var" / "token-key").read_text() == key
        assert (tmp_path / "var" / "token-key").stat().st_mode & 0o077 == 0


async def test_a_busy_port_is_said_in_one_sentence(tmp_path: Path) -> None:
    with socket.create_server((LOOPBACK, 0)) as other:
        port = other.getsockname()[1]
        async with started(tmp_path, "--ephemeral", port=port) as up:
            assert await up.ended() == 1

    assert up.said() == [f"Port {port} is taken by another program: choose another with --port"]
    assert up.pids() == {}


async def test_a_folder_in_use_is_said_in_one_sentence(tmp_path: Path) -> None:
    data = ("--data", str(tmp_path / "var"))
    second = tmp_path / "second"
    second.mkdir()
    async with started(tmp_path, *data) as first:
        await first.line()
        async with started(second, *data) as up:
            assert await up.ended() == 1

    assert up.said() == [f"{tmp_path / 'var'} is in use by another run: choose another folder with --data"]


async def test_a_missing_broker_program_is_said_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CALF_TANSU_BIN", str(tmp_path / "absent"))
    async with started(tmp_path, "--ephemeral") as up:
        assert await up.ended() == 1

    (sentence,) = up.said()
    assert "embedded broker" in sentence
    assert "--kafka HOST:PORT" in sentence


async def test_a_broker_given_by_its_address_is_used_and_none_is_started(
    tmp_path: Path, kafka: KafkaSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for field, value in kafka.model_dump(exclude_none=True).items():
        monkeypatch.setenv(f"FANFOLD_KAFKA__{field}".upper(), str(value))
    async with started(tmp_path, "--ephemeral", "--kafka", kafka.bootstrap) as up:
        line = await up.line()

        assert f"Events: Kafka at {kafka.bootstrap}." in line
        assert up.pids().keys() == CHILDREN - {"broker"}
