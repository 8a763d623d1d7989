"""openim_msg_ext_http_svc: the bodies of the calls about extensions, pairs of key and value that hang on a message.

contracts/im-semantics.md, section 3. Limits of keys and values are in UTF-8 bytes.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, UnsetType

from schemas.im.bodies import Fields, Request
from schemas.numbers import NO_NUL

MAX_PAIRS_AT_ONCE = 20
MAX_PAIRS = 300
"""Of one message."""
MAX_PAIRS_SHOWN = 200
"""In one answer."""
MAX_KEY_BYTES = 100
MAX_VALUE_BYTES = 1000
CHANGES_PER_MINUTE = 200
"""Of one message."""

SET, DELETE, CLEAR = 1, 2, 3

Part = Annotated[str, msgspec.Meta(pattern=NO_NUL)]
Seq = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


class GivenPair(Request, frozen=True, kw_only=True):
    key: Part
    value: Part = ""
    seq: Seq = 0
    """Of the pair that the caller knows; 0: whatever it is."""

    @property
    def fits(self) -> bool:
        return 1 <= len(self.key.encode()) <= MAX_KEY_BYTES and len(self.value.encode()) <= MAX_VALUE_BYTES


class OfMessage(Request, frozen=True, kw_only=True):
    from_account: str | None = None
    """The calling admin where it is left out."""
    to_account: str
    msg_key: str


class GetKeyValues(OfMessage, frozen=True, kw_only=True):
    start_seq: Seq = 0


class SetKeyValues(OfMessage, frozen=True, kw_only=True):
    operate_type: Literal[1, 2, 3]
    extension_list: tuple[GivenPair, ...] | None = None


class Pair(Fields, frozen=True, kw_only=True):
    key: str
    value: str
    seq: int


class PairResult(Fields, frozen=True, kw_only=True):
    error_code: int
    extension: Pair
    """As it is now."""


class PairResults(Fields, frozen=True, kw_only=True):
    extension_list: tuple[PairResult, ...] | UnsetType = UNSET


class Pairs(Fields, frozen=True, kw_only=True):
    complete_flag: int
    latest_seq: int
    clear_seq: int
    extension_list: tuple[Pair, ...]
