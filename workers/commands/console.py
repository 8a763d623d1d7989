"""How the commands speak to people: results on standard output, what went wrong on standard error."""

import errno
import logging
import os
import sys
from typing import Any, NoReturn

import orjson
import structlog
from pydantic import ValidationError
from rich.console import Console

from config.settings import Settings, load
from schemas.errors import BrokerAway, FanfoldError, StoreAway
from workers.commands.mistakes import describe
from workers.embedded.errors import CannotStart

WRONG = 1
"""Exit status where something is wrong or away."""
MISUSED = 2
"""Exit status where the command line or the settings are mistaken."""


WIDE = 200
"""Columns for a reader that is no terminal: ids are not cut for it."""

CANNOT_LISTEN = (errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EACCES)
REFUSED_BY_MONGODB = (13, 18)
"""Codes for: not authorised, wrong user or password."""


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


def told(error: Exception) -> tuple[str, int] | None:
    """The sentence and the exit status for what goes wrong without a bug; None for a bug."""
    from pymongo.errors import ConfigurationError, OperationFailure

    match error:
        case ExceptionGroup():
            sentences = [told(member) for member in error.exceptions]
            return None if None in sentences else sentences[0]
        case OSError() if error.errno in CANNOT_LISTEN:
            return f"Cannot listen: {error.strerror}", WRONG
        case BrokerAway():
            return f"Kafka is away: {error}", WRONG
        case StoreAway():
            return f"MongoDB is away: {error}", WRONG
        case FanfoldError() | CannotStart():
            return str(error), WRONG
        case ConfigurationError():
            return f"mongo.uri (FANFOLD_MONGO__URI): {error}", MISUSED
        case OperationFailure() if error.code in REFUSED_BY_MONGODB:
            return f"MongoDB refuses: {error.details or error}", WRONG
    return None


def quiet() -> None:
    """Keep libraries and our own parts from logging: a command's result says what went wrong."""
    logging.basicConfig(handlers=[logging.NullHandler()])
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


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
