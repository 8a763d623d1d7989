"""Canonical JSON (RFC 8785), quick for what signed bodies hold nearly always."""

from typing import Any

import orjson
import rfc8785

_EXACT = 2**53 - 1
"""The largest integer that RFC 8785 writes; it sees numbers as doubles."""


def canonical_json(value: Any) -> bytes:
    """The canonical form. Raises ValueError (rfc8785.CanonicalizationError) where there is none."""
    if _is_plain(value):
        # Without floats and with ASCII keys, sorted compact JSON is the canonical form.
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    return rfc8785.dumps(value)


def _is_plain(value: Any) -> bool:
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return True
    if kind is int:
        return bool(-_EXACT <= value <= _EXACT)
    if kind is dict:
        return all(key.isascii() and _is_plain(inner) for key, inner in value.items())
    return kind is list and all(map(_is_plain, value))
