"""Log lines as a process writes them; in a process of their own, for logging is set up once."""

import json
import subprocess
import sys

SPEAK = """
import logging, structlog
from config.logging import setup_logging
from config.settings import LogSettings

setup_logging(LogSettings(level={level!r}, json_lines={json_lines!r}))
log = structlog.get_logger()
log.debug("too_little", n=0)
log.info("folder_started", partitions=6)
logging.getLogger("library").warning("says %s", "something")
try:
    1 / 0
except ZeroDivisionError:
    log.exception("gone_wrong")
"""


def lines(level: str = "info", json_lines: bool | None = None) -> list[str]:
    program = SPEAK.format(level=level, json_lines=json_lines)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == ""
    return done.stderr.splitlines()


def test_where_nobody_watches_each_line_is_json_ours_and_the_libraries_alike() -> None:
    ours, library, error = (json.loads(line) for line in lines())

    assert (ours["event"], ours["level"], ours["partitions"]) == ("folder_started", "info", 6)
    assert ours["timestamp"].endswith("Z")
    assert (library["event"], library["logger"]) == ("says something", "library")
    assert "ZeroDivisionError" in error["exception"]


def test_what_is_less_severe_than_the_level_is_not_written() -> None:
    assert [json.loads(line)["event"] for line in lines("warning")] == ["says something", "gone_wrong"]


def test_lines_for_people_are_no_json() -> None:
    first, *_ = lines(json_lines=False)

    assert "folder_started" in first
    assert not first.startswith("{")
