"""Bounded scalars and free-form objects: what MongoDB can keep, checked where a payload is decoded.

BSON has no integer past 64 bits and refuses nesting past 100 levels; keys with `$`
or `.` are operators and paths to it. A payload made of these types can be stored,
so the folder never meets an event that decodes and then cannot be written.
"""

from typing import Annotated, Any

import msgspec

Int32 = Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)]
Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
Key = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
"""An id that becomes (part of) a document's `_id` or a partition key."""

MAX_DEPTH = 32
MAX_ID_CHARS = 512


def check_free_form(value: Any, path: str = "$", depth: int = 0) -> None:
    """Raise ValueError, naming the place, where a free-form value cannot be kept as it is."""
    if depth > MAX_DEPTH:
        raise ValueError(f"nested deeper than {MAX_DEPTH} levels at {path[:80]}")
    match value:
        case dict():
            for key, inner in value.items():
                if key.startswith("$") or "." in key or "\0" in key:
                    raise ValueError(f"key {key[:80]!r} at {path[:80]}: no leading $, no dot, no NUL")
                check_free_form(inner, f"{path}.{key}", depth + 1)
        case list():
            for index, inner in enumerate(value):
                check_free_form(inner, f"{path}[{index}]", depth + 1)
        case bool():
            pass
        case int() if not -(2**63) <= value < 2**63:
            raise ValueError(f"integer past 64 bits at {path[:80]}")
