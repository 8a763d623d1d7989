"""Mistakes in the settings as lines for people: where, what, and what may have been meant. Never the value."""

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ValidationError

from config.settings import ENV_PREFIX, Settings

NO_SUCH_SETTING = "there is no such setting"
HINTS = {
    "dict_type": 'write it as JSON: {"name":"value"}',
    "list_type": 'write it as JSON: ["value","value"]',
}


def describe(error: ValidationError) -> list[str]:
    """One line per mistake; a value may be a secret, so none is shown."""
    return [_line(details["type"], details["loc"], details["msg"]) for details in error.errors(include_url=False)]


def _line(kind: str, loc: Sequence[str | int], message: str) -> str:
    if kind == "unknown_variable":
        meant = _meant(str(loc[0]).removeprefix(ENV_PREFIX), _variables(), shown_as=ENV_PREFIX)
        return f"{loc[0]}: {NO_SUCH_SETTING}{meant}"
    place = _place(loc)
    if kind == "extra_forbidden":
        return f"{place}: {NO_SUCH_SETTING}{_meant(str(loc[-1]), _names_beside(loc))}"
    sentence = message.removeprefix("Value error, ").removeprefix("Assertion failed, ")
    hint = f"; {HINTS[kind]}" if kind in HINTS else ""
    return f"{place}: {sentence[:1].lower()}{sentence[1:]}{hint}"


def _place(loc: Sequence[str | int]) -> str:
    """Its name in the file, and in the environment."""
    if not loc:
        return "settings"
    return f"{'.'.join(map(str, loc))} ({variable(loc)})"


def variable(loc: Sequence[str | int]) -> str:
    """The environment variable of a setting; entries of a list or mapping belong to the variable of the whole."""
    return ENV_PREFIX + "__".join(str(name).upper() for name in loc[:2])


def _meant(name: str, names: Sequence[str], shown_as: str = "") -> str:
    close = get_close_matches(name, names, n=1, cutoff=0.7)
    return f"; did you mean {shown_as}{close[0]}?" if close else ""


def _names_beside(loc: Sequence[str | int]) -> list[str]:
    model: Any = Settings
    for name in loc[:-1]:
        field = model.model_fields.get(str(name))
        if field is None or not (isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)):
            return []
        model = field.annotation
    return list(model.model_fields)


def _variables() -> list[str]:
    """Names of all variables, without their prefix."""
    loc = [(part, name) for part in Settings.model_fields for name in _names_beside((part, ""))]
    return [variable(names).removeprefix(ENV_PREFIX) for names in loc]
