"""Rules that answer before-callbacks: what an app's messages, names and requests may not say.

Words and patterns run on RE2: in time that grows with the text alone, whatever an
operator writes. A look-around or a back reference is refused when the settings are read.
"""

from collections.abc import Sequence
from typing import Any, Literal

import re2

Action = Literal["allow", "deny", "drop", "replace"]

DENY = 1
DROP = 2
"""Of a message: nobody gets it, and the sender is told that it was sent (semantics, section 15)."""
DENY_FRIEND = 38000

_OPTIONS = re2.Options()
_OPTIONS.case_sensitive = False
_OPTIONS.log_errors = False
_OPTIONS.dot_nl = True
_OPTIONS.max_mem = 32 << 20
"""Bytes, of each rule at most. With RE2's 8 MB there is no room for the states that ten thousand words come to, and
it goes through the text without them: a hundred times as long."""


def compile_rule(words: Sequence[str], patterns: Sequence[str]) -> Any:
    """One expression for all of them, upper and lower case alike; None for none. Raises ValueError.

    Of words that begin alike the longest fits. Sorted they are also the faster: RE2 looks once for a beginning
    that neighbours share.
    """
    ordered = sorted(words, key=str.lower, reverse=True)
    parts = [*(re2.escape(word) for word in ordered), *(f"(?:{pattern})" for pattern in patterns)]
    if not parts:
        return None
    for pattern in patterns:
        _compile(pattern)
    return _compile("|".join(parts))


def _compile(pattern: str) -> Any:
    try:
        compiled = re2.compile(pattern, _OPTIONS)
    except re2.error as error:
        raise ValueError(f"no pattern that RE2 takes: {pattern[:80]!r}: {_reason(error)}") from None
    if compiled.search(""):
        raise ValueError(f"the pattern {pattern[:80]!r} fits every text, an empty one too")
    return compiled


def _reason(error: Exception) -> str:
    said = error.args[0] if error.args else ""
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)


def codes_of(command: str) -> range:
    """The codes of its own that an app may deny with (contract, x-response-codes)."""
    if command.startswith("Group."):
        return range(10100, 10201)
    if command.startswith("Sns."):
        return range(38000, 39001)
    return range(120001, 130001)


def denial_of(command: str) -> int:
    """The code that denies where a rule names none."""
    return DENY_FRIEND if command.startswith("Sns.") else DENY
