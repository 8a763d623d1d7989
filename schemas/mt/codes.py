"""Codes of the envelope `ApiResult`: 0 is success; the contract lists no other, so these are Fanfold's own.

A code begins with the HTTP status that fits it best: 400xx what was asked is wrong, 404xx it
is not there, 409xx the state of the thing does not allow it. Each kind of refusal has one.
"""

from schemas.errors import Refused

SUCCESS = 0

BAD_FIELD = 40001
NOT_FOUND = 40401
CONFLICT = 40901

REASON_CODES = {
    "bad_json": 40000,
    "bad_field": BAD_FIELD,
    "unauthenticated": 40101,
    "bad_signature": 40102,
    "stale": 40103,
    "forbidden": 40301,
    "not_found": NOT_FOUND,
    "method_not_allowed": 40501,
    "too_slow": 40801,
    "conflict": CONFLICT,
    "too_large": 41301,
    "wrong_content_type": 41501,
    "too_many": 42901,
    "internal": 50001,
    "not_configured": 50101,
    "broker_away": 50301,
    "store_away": 50302,
    "stopping": 50303,
}


class MtRefused(Refused):
    """A call that is understood and cannot be done as things are: HTTP 200, and a code that says why.

    The clients of this API read `code`; an HTTP status is to them that nobody answered.
    """

    http_status = 200

    def __init__(self, code: int, message: str) -> None:
        super().__init__(_reason(code), message)
        self.code = code


def _reason(code: int) -> str:
    """The metrics' name of a code."""
    return {400: "bad_field", 403: "forbidden", 404: "not_found", 501: "not_configured"}.get(code // 100, "conflict")


def not_found(what: str) -> MtRefused:
    """It is not there, or is another customer's: a caller is not told which."""
    return MtRefused(NOT_FOUND, f"{what} is not there")
