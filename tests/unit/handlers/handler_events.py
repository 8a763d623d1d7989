"""Events for handlers: only what a test is about is said."""

from datetime import UTC, datetime
from typing import Any

from schemas.events import Event


def an_event(**fields: Any) -> Event:
    known = {
        "id": "1",
        "source": "chat",
        "type": "some.thing",
        "subject": "u1",
        "time": datetime(2026, 5, 1, tzinfo=UTC),
        "data": b"{}",
    }
    return Event(**{**known, **fields})
