"""Facts of the chat API: their identity, time and subject.

A signed call is known by its secretId, operation and requestSeq, a command by the
caller's `Idempotency-Key`: sent again, it is the same fact. A command without one
is a fact of its own each time.
"""

import msgspec
from ulid import ULID

from gateway.chat_auth import signed_at
from gateway.system import Call
from schemas.chat import SignedRequest
from schemas.errors import Refused
from schemas.events import Event

SOURCE = "chat"
MAX_KEY_CHARS = 256


def signed_id(operation_id: str, body: SignedRequest) -> str:
    return f"{body.secret_id}/{operation_id}/{body.request_seq}"


def signed_fact(call: Call, operation_id: str, event_type: str, subject: str | None, payload: msgspec.Struct) -> Event:
    """A fact at the time of its signature; without a subject of its own it is spread by its id."""
    event_id = signed_id(operation_id, call.body)
    return Event(
        id=event_id,
        source=SOURCE,
        type=event_type,
        subject=subject or event_id,
        time=signed_at(call.body.timestamp),
        data=msgspec.json.encode(payload),
        traceparent=call.traceparent,
    )


def idempotency_key(call: Call) -> str | None:
    """The caller's own name for this command. Refuses one that is too long."""
    key = call.headers.get("Idempotency-Key") or None
    if key is not None and not (len(key) <= MAX_KEY_CHARS and key.isprintable()):
        raise Refused("bad_field", f"Idempotency-Key: at most {MAX_KEY_CHARS} printable characters")
    return key


def command_key(call: Call) -> str:
    """What tells this command from every other: the caller's key, or a new ULID."""
    return idempotency_key(call) or str(ULID())


def command_fact(
    call: Call, operation_id: str, key: str, event_type: str, subject: str, payload: msgspec.Struct
) -> Event:
    """A fact at the time the command came in."""
    return Event(
        id=f"{operation_id}/{key}",
        source=SOURCE,
        type=event_type,
        subject=subject,
        time=call.received_at,
        data=msgspec.json.encode(payload),
        traceparent=call.traceparent,
    )
