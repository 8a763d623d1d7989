"""A fact that a call of the portals publishes."""

import msgspec

from gateway.mt.frame import Asked
from schemas.events import Event

SOURCE = "metering"


def fact(asked: Asked, event_type: str, subject: str, payload: msgspec.Struct, event_id: str) -> Event:
    """Under the time and the trace of the call."""
    return Event(
        id=event_id,
        source=SOURCE,
        type=event_type,
        subject=subject,
        time=asked.at,
        data=msgspec.json.encode(payload),
        traceparent=asked.call.traceparent,
    )
