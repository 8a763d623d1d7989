"""The envelope: `ActionStatus`, `ErrorCode`, `ErrorInfo`, and the fields of the answer beside them."""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from gateway.im.services import Service
from gateway.system import Answer
from schemas.errors import Refused
from schemas.im.codes import Failed

HTTP_STATUS = 200
"""Of every answer: what came of a call is in `ErrorCode`."""

_encoder = msgspec.json.Encoder()
# What msgspec says: that something is wrong "at `$.To_Account[0]`", or a "missing required field `MsgBody`".
_PLACE = re.compile(r"`\$\.(\w+)")
_MISSING = re.compile(r"missing required field `(\w+)`")


class SomeFailed(msgspec.Struct, frozen=True):
    """An answer to a call of which some items failed: `ActionStatus` is `SomeError`, `ErrorCode` 0."""

    fields: msgspec.Struct


class ImEnvelope:
    """Of one command. `field_codes` are its codes for a field that is missing or wrong."""

    def __init__(self, service: Service, info: str = "", field_codes: Mapping[str, int] | None = None) -> None:
        self._service = service
        self._field_codes = field_codes or {}
        self._ok = self._head("OK", 0, info)
        self._some_error = self._head("SomeError", 0, info)

    def succeed(self, data: Any, status: int, /) -> Answer:
        """`data` is a struct of the fields beside the envelope's, `SomeFailed` of one, or nothing."""
        if isinstance(data, SomeFailed):
            return Answer(HTTP_STATUS, _join(self._some_error, data.fields))
        return Answer(HTTP_STATUS, _join(self._ok, data))

    def refuse(self, refused: Refused, /) -> Answer:
        if isinstance(refused, Failed):
            return Answer(HTTP_STATUS, _join(self._head("FAIL", refused.code, str(refused)), refused.fields))
        return Answer(HTTP_STATUS, self._head("FAIL", self._code(refused), str(refused)))

    def _code(self, refused: Refused) -> int:
        """Of what the pipeline refuses."""
        service = self._service
        match refused.reason:
            case "bad_json":
                return service.bad_json
            case "bad_field" | "conflict":
                return self._field_codes.get(field_in(str(refused)) or "", service.bad_field)
            case "too_large":
                return service.too_large
            case "forbidden":
                return service.not_admin
            case "internal" | "broker_away" | "store_away" | "stopping":
                return service.internal
        return _CODES[refused.reason]

    def _head(self, status: str, code: int, info: str) -> bytes:
        head: dict[str, Any] = {"ActionStatus": status} if self._service.status else {}
        head |= {"ErrorCode": code, "ErrorInfo": info}
        if self._service.display:
            head["ErrorDisplay"] = ""
        return _encoder.encode(head)


_CODES = {
    "unauthenticated": 60004,
    "bad_signature": 70009,
    "stale": 70001,
    "not_found": 60009,
    "method_not_allowed": 60002,
    "too_slow": 60008,
    "too_many": 60007,
    "wrong_content_type": 60002,
    "not_configured": 60017,
}


def field_in(message: str) -> str | None:
    """The field of the body that a message of validation is about: the outermost one."""
    found = _PLACE.search(message) or _MISSING.search(message)
    return found[1] if found else None


def _join(head: bytes, fields: msgspec.Struct | None) -> bytes:
    """Two objects as one. A struct has no fields of the envelope's names, so no name comes twice."""
    if fields is None:
        return head
    encoded = _encoder.encode(fields)
    return head if encoded == b"{}" else head[:-1] + b"," + encoded[1:]
