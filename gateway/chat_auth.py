"""Who may call the chat API: servers by signature, everyone else by access token.

A signed body carries timestamp, nonce, secretId, signature and requestSeq. The
signature is the lower-case hex HMAC-SHA256, under the secret, of the RFC 8785
canonical JSON of the body without `signature`: of the body as it was sent, fields
unknown to us included.
"""

import hmac
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import msgspec
from pydantic import SecretStr

from gateway.canonical import canonical_json
from gateway.system import Call
from gateway.tokens import Tokens, bearer_token
from schemas.chat import SignedRequest
from schemas.errors import Refused

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TEN_DIGITS = range(10**9, 10**10)
_FIELDS = ("timestamp", "nonce", "secretId", "signature", "requestSeq")
_NOBODY = SecretStr("")


def signature_of(body: Mapping[str, Any], secret: str) -> str:
    """The signature that fits a body. Raises ValueError for what has no canonical form (integers past 2^53)."""
    unsigned = {name: value for name, value in body.items() if name != "signature"}
    return hmac.new(secret.encode(), canonical_json(unsigned), sha256).hexdigest()


def signed_at(timestamp: int) -> datetime:
    """The time of a signature: milliseconds, or seconds where it has ten digits."""
    milliseconds = timestamp * 1000 if timestamp in TEN_DIGITS else timestamp
    return EPOCH + timedelta(milliseconds=milliseconds)


class Signatures:
    """Checks signed calls; construct once."""

    def __init__(self, secrets: Mapping[str, SecretStr], tolerance_seconds: int) -> None:
        self._secrets = secrets
        self._tolerance = timedelta(seconds=tolerance_seconds)

    def require(self, call: Call) -> None:
        """Refuses with bad_signature, stale, or bad_field where one of the five fields is of a wrong type."""
        signed = self._fields(call.raw)
        self._require_fresh(signed.timestamp, call.received_at)
        secret = self._secrets.get(signed.secret_id)
        try:
            expected = signature_of(call.raw, (secret or _NOBODY).get_secret_value())
        except ValueError as error:
            raise Refused("bad_field", f"the body has no canonical form (RFC 8785): {error}") from None
        fits = hmac.compare_digest(expected.encode(), signed.signature.encode("utf-8", "surrogatepass"))
        if secret is None or not fits:
            raise Refused("bad_signature", "the signature does not fit the body, or the secretId is not known")

    def _fields(self, body: Mapping[str, Any]) -> SignedRequest:
        for name in _FIELDS:
            if body.get(name) is None:
                raise Refused("bad_signature", f"{name} is missing: this call is signed")
        try:
            return msgspec.convert(body, SignedRequest, strict=True)
        except (ValueError, msgspec.MsgspecError) as error:
            raise Refused("bad_field", str(error)) from None

    def _require_fresh(self, timestamp: int, now: datetime) -> None:
        try:
            distance = abs(signed_at(timestamp) - now)
        except OverflowError:
            distance = timedelta.max
        if distance > self._tolerance:
            raise Refused("stale", f"timestamp is more than {self._tolerance.total_seconds():.0f} s from the time here")


class AccessTokens:
    """Checks all other calls: query parameter `accessToken`, or `Authorization: Bearer`."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    def require(self, call: Call) -> None:
        sent = call.query.get("accessToken") or bearer_token(call.headers)
        if not self._tokens.accept(sent):
            raise Refused("unauthenticated", "send a known token as accessToken, or as Authorization: Bearer")
