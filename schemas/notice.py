"""Notices: what waits in a user's inbox."""

import msgspec

from schemas.catalogue import EventType
from schemas.numbers import Key, LongText, Text


class NoticeRaised(msgspec.Struct, frozen=True, kw_only=True):
    """A notice for one user, unread until read."""

    user_id: Key
    title: Text | None = None
    content: LongText | None = None
    detection: Text | None = None
    """The task number of the check it is about."""


EVENT_TYPES = (EventType("notice.raised", NoticeRaised, "A notice was put into a user's inbox", key="user_id"),)
