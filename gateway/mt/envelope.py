"""ApiResult, the envelope of every JSON answer of the metering platform: code, msg, data, timestamp, traceId.

The contract says that code 0 is success and leaves the rest open: `schemas.mt.codes` has the
codes. `timestamp` is in milliseconds. Where an operation answers nothing, `data` is left out.
"""

import time
from collections.abc import Mapping
from typing import Any

import msgspec

from gateway.system import Answer
from schemas.errors import Refused
from schemas.mt.codes import REASON_CODES, SUCCESS, MtRefused
from schemas.refusals import REASONS


class ApiResult(msgspec.Struct, rename="camel", omit_defaults=True, kw_only=True):
    code: int
    msg: str
    data: Any = None
    timestamp: int
    trace_id: str


# Amounts are Decimal: JSON numbers to the contract, with all their places.
_encoder = msgspec.json.Encoder(decimal_format="number")


class MtEnvelope:
    """The envelope of one request, made as it comes in."""

    def __init__(self, _headers: Mapping[str, str], trace_id: str) -> None:
        self._trace_id = trace_id

    def succeed(self, data: Any, status: int, /) -> Answer:
        return data if isinstance(data, Answer) else self._answer(status, SUCCESS, "success", data)

    def refuse(self, refused: Refused, /) -> Answer:
        code = refused.code if isinstance(refused, MtRefused) else REASON_CODES[refused.reason]
        return self._answer(REASONS[refused.reason].status, code, str(refused))

    def _answer(self, status: int, code: int, msg: str, data: Any = None) -> Answer:
        now = time.time_ns() // 1_000_000
        result = ApiResult(code=code, msg=msg, data=data, timestamp=now, trace_id=self._trace_id)
        return Answer(status, _encoder.encode(result))
