"""What a query asks of a list: only what is known, and each of its kind."""

from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import TypeVar

from schemas.errors import Refused
from stores.cursors import Cursor

Choice = TypeVar("Choice", bound=StrEnum)

DEFAULT_PAGE = 50


def only(query: Mapping[str, str], names: Collection[str]) -> None:
    """Refuses a filter that there is not: a misspelt one, left out in silence, would choose everything."""
    if unknown := sorted(set(query) - set(names)):
        raise Refused("bad_field", f"no such filter: {unknown[0][:100]}; there are {', '.join(sorted(names))}")


def page_size(query: Mapping[str, str], most: int) -> int:
    text = query.get("limit", str(DEFAULT_PAGE))
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(most)) and 1 <= int(text) <= most):
        raise Refused("bad_field", f"limit is a number from 1 to {most}")
    return int(text)


def cursor_in(text: str | None) -> Cursor | None:
    try:
        return None if text is None else Cursor.parse(text)
    except ValueError:
        raise Refused("bad_field", "after is the `next` of the page before") from None


def choice(query: Mapping[str, str], name: str, choices: type[Choice]) -> Choice | None:
    text = query.get(name)
    try:
        return None if text is None else choices(text)
    except ValueError:
        raise Refused("bad_field", f"{name} is one of {', '.join(choices)}") from None


def truth(query: Mapping[str, str], name: str) -> bool | None:
    text = query.get(name)
    if text not in (None, "true", "false"):
        raise Refused("bad_field", f"{name} is true or false")
    return None if text is None else text == "true"
