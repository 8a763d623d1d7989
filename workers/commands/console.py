"""How the commands speak to people: results on standard output, what went wrong on standard error."""

import os
import sys
from typing import Any, NoReturn

import orjson
from pydantic import ValidationError
from rich.console import Console

from config.settings import Settings, load
from workers.commands.mistakes import describe

WRONG = 1
"""Exit status where something is wrong or away."""
MISUSED = 2
"""Exit status where the command line or the settings are mistaken."""


WIDE = 200
"""Columns for a reader that is no terminal: ids are not cut for it."""


def out() -> Console:
    """Where results go. Made on each call: standard output may have been replaced."""
    width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else WIDE
    return Console(highlight=False, width=width)


def say(sentence: str) -> None:
    """One line on standard error, as it is."""
    sys.stderr.write(sentence + "\n")


def fail(sentence: str, status: int = WRONG) -> NoReturn:
    """Say one sentence and end with the status."""
    say(sentence)
    raise SystemExit(status)


def settings() -> Settings:
    """The effective settings. All mistakes in them are told at once, then the command ends with status 2."""
    try:
        return load()
    except ValidationError as error:
        lines = describe(error)
        say(f"{len(lines)} mistake{'s' if len(lines) > 1 else ''} in the settings:")
        for line in lines:
            say(f"  {line}")
        raise SystemExit(MISUSED) from None
    except ValueError as error:
        fail(f"fanfold.toml cannot be read: {error}", MISUSED)


def print_json(value: Any) -> None:
    """One JSON document for programs, without styles or wrapping; times in UTC."""
    text = orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z)
    sys.stdout.write(text.decode() + "\n")
