"""The command line itself: quick to start, and complete in its help."""

import subprocess
import sys

import pytest

from workers.cli import main

COMMANDS = (
    "up",
    "gateway",
    "worker",
    "topics",
    "lag",
    "dead-letters",
    "endpoints",
    "deliveries",
    "jobs",
    "sign",
    "doctor",
    "asyncapi",
)


@pytest.mark.parametrize("arguments", [["--help"], *([command, "--help"] for command in COMMANDS)])
def test_every_command_has_help(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)

    assert ended.value.code == 0
    assert "Usage" in capsys.readouterr().out


def test_help_imports_none_of_what_the_commands_need() -> None:
    seen = subprocess.run(
        [sys.executable, "-c", "import sys, workers.cli; print(*sys.modules)"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()

    assert not {"aiokafka", "aiohttp", "pymongo", "pydantic", "faust"} & set(seen)


@pytest.mark.parametrize("arguments", [["worker"], ["worker", "cook"], ["up", "--broker", "mosquitto"], ["dance"]])
def test_a_mistaken_command_line_ends_with_status_2(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)

    assert ended.value.code == 2
    assert "Usage" in capsys.readouterr().err
