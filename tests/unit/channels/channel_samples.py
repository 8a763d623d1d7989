"""A message and targets, with only what a test is about."""

from datetime import UTC, datetime
from typing import Any

from channels.channel import Message

AT = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)


def a_message(**fields: Any) -> Message:
    known = {
        "id": "dl_1",
        "kind": "detection.noticed",
        "title": "Ban",
        "body": "An account was banned.",
        "fields": {"account": "u1"},
        "urgency": "high",
        "language": "en",
        "recipient": "user/7",
        "at": AT,
    }
    return Message(**{**known, **fields})
