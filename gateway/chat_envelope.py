"""ChatResult, the envelope of every answer of the chat API, and the code of each refusal.

The contract says no more of `code` than that success is 0. The refusals' codes
begin with the HTTP status; `docs/error-codes.md` lists them.
"""

from typing import Any

import msgspec

from gateway.system import Answer
from schemas.chat import Envelope
from schemas.errors import Refused
from schemas.refusals import REASONS

SUCCESS = 0

CODES: dict[str, int] = {
    "bad_json": 4000,
    "bad_field": 4001,
    "unauthenticated": 4010,
    "bad_signature": 4011,
    "stale": 4012,
    "forbidden": 4030,
    "not_found": 4040,
    "method_not_allowed": 4050,
    "too_slow": 4080,
    "conflict": 4090,
    "too_large": 4130,
    "wrong_content_type": 4150,
    "too_many": 4290,
    "internal": 5000,
    "not_configured": 5010,
    "broker_away": 5030,
    "store_away": 5031,
    "stopping": 5032,
}

_encoder = msgspec.json.Encoder()


def succeed(data: Any, status: int) -> Answer:
    return Answer(status, _encoder.encode(Envelope(SUCCESS, "ok", data)))


def refuse(refused: Refused) -> Answer:
    envelope = Envelope(CODES[refused.reason], str(refused))
    return Answer(REASONS[refused.reason].status, _encoder.encode(envelope))
