"""recentcontact: the bodies of the calls about the list of conversations."""

from typing import Annotated, Literal

import msgspec

from schemas.im.bodies import Fields, Request
from schemas.im.message import UInt32

Place = Annotated[int, msgspec.Meta(ge=0, lt=2**48)]
"""As `handlers.im.conversations.place_of` makes it."""

PINNED_APART, WITH_EMPTY, PINNED_PAGED = 1, 2, 4
"""Bits of `AssistFlags`."""


class GetList(Request, frozen=True, kw_only=True):
    """Two cursors, each a time and a place; 0 and 0 at first, then as in the last answer."""

    from_account: str
    time_stamp: UInt32
    start_index: Place
    top_time_stamp: UInt32
    top_start_index: Place
    assist_flags: Annotated[int, msgspec.Meta(ge=0, le=7)]


class SessionItem(Fields, frozen=True, kw_only=True):
    type: Literal[1] = 1
    """Between two."""
    to_account: str
    msg_time: int
    top_flag: Literal[0, 1]


class Sessions(Fields, frozen=True, kw_only=True):
    session_item: tuple[SessionItem, ...]
    complete_flag: Literal[0, 1]
    time_stamp: int
    start_index: int
    top_time_stamp: int
    top_start_index: int


class DeleteContact(Request, frozen=True, kw_only=True):
    from_account: str
    type: Literal[1, 2]
    to_account: str | None = None
    clear_ramble: Literal[0, 1] = 0
