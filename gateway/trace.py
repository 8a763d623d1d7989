"""W3C Trace Context, level 1: taken over from the caller, or begun here."""

import re
from random import getrandbits

import msgspec

_FORM = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?")
_VERSION_00_CHARS = 55
_MOST_CHARS = 255


class Trace(msgspec.Struct, frozen=True):
    """`parent` is the traceparent that goes on with the events."""

    id: str
    parent: str


def trace_of(traceparent: str | None) -> Trace:
    """The caller's trace; a new one where there is none or it is malformed (section 3.2.2)."""
    return parse(traceparent) or begin() if traceparent else begin()


def parse(traceparent: str) -> Trace | None:
    form = _FORM.fullmatch(traceparent) if len(traceparent) <= _MOST_CHARS else None
    if form is None:
        return None
    version, trace_id, parent_id, _ = form.groups()
    if version == "ff" or (version == "00" and len(traceparent) != _VERSION_00_CHARS):
        return None
    # All zeros is how the standard spells "invalid".
    return Trace(trace_id, traceparent) if int(trace_id, 16) and int(parent_id, 16) else None


def begin() -> Trace:
    trace_id = f"{getrandbits(128) or 1:032x}"
    return Trace(trace_id, f"00-{trace_id}-{getrandbits(64) or 1:016x}-01")
