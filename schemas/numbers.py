"""Bounded scalars and free-form objects: what MongoDB can keep, checked where a payload is decoded.

BSON has no integer past 64 bits and refuses nesting past 100 levels; keys with `$`
or `.` are operators and paths to it. NUL ends a name in BSON, and a text in much of what
reads it later, so no key may hold one, and no text but what IM users send each other. A
payload made of these types can be stored, so the folder never meets an event that
decodes and then cannot be written.
"""

from typing import Annotated, Any

import msgspec

Int32 = Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)]
Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
Count = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]

NO_NUL = "^[^\0]*$"
Key = Annotated[str, msgspec.Meta(min_length=1, max_length=256, pattern=NO_NUL)]
"""An id that becomes (part of) a document's `_id` or a partition key."""
Text = Annotated[str, msgspec.Meta(max_length=4_096, pattern=NO_NUL)]
LongText = Annotated[str, msgspec.Meta(max_length=262_144, pattern=NO_NUL)]
"""What is written for people: the body of a notice or mail."""

MAX_DEPTH = 32
MAX_ID_CHARS = 512


def check_free_form(value: Any, path: str = "$", depth: int = 0, *, nul_in_text: bool = False) -> None:
    """Raise ValueError, naming the place, where a free-form value cannot be kept as it is.

    `nul_in_text`: a text may hold a NUL; a key never may.
    """
    if depth > MAX_DEPTH:
        raise ValueError(f"nested deeper than {MAX_DEPTH} levels at {path[:80]}")
    match value:
        case dict():
            for key, inner in value.items():
                if key.startswith("$") or "." in key or "\0" in key:
                    raise ValueError(f"key {key[:80]!r} at {path[:80]}: no leading $, no dot, no NUL")
                check_free_form(inner, f"{path}.{key}", depth + 1, nul_in_text=nul_in_text)
        case list():
            for index, inner in enumerate(value):
                check_free_form(inner, f"{path}[{index}]", depth + 1, nul_in_text=nul_in_text)
        case bool():
            pass
        case str() if "\0" in value and not nul_in_text:
            raise ValueError(f"NUL in the text at {path[:80]}")
        case int() if not -(2**63) <= value < 2**63:
            raise ValueError(f"integer past 64 bits at {path[:80]}")
