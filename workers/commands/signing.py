"""`fanfold sign`: a signed body for trying the chat API with curl."""

from collections.abc import Mapping
from datetime import datetime
from random import SystemRandom
from typing import Any

import orjson
from pydantic import SecretStr
from ulid import ULID

from gateway.chat_auth import signature_of
from workers.commands.console import MISUSED, fail

MAX_NONCE = 2**31 - 1


def sign(body: bytes, secrets: Mapping[str, SecretStr], secret_id: str | None, now: datetime) -> str:
    """The body with the signature's fields; those that are there are kept. Ends the command with a sentence."""
    try:
        fields = orjson.loads(body or b"{}")
    except orjson.JSONDecodeError as error:
        fail(f"Standard input is not JSON: {error}", MISUSED)
    if not isinstance(fields, dict):
        fail("Standard input is not a JSON object.", MISUSED)
    chosen = secret_id or fields.get("secretId") or next(iter(secrets), None)
    if chosen is None:
        fail("""No secret is set. Set one: FANFOLD_CHAT__SECRETS='{"demo":"demo-secret"}'""", MISUSED)
    if chosen not in secrets:
        fail(f"No secret is set for secretId {chosen}; there are: {', '.join(secrets)}", MISUSED)
    signed = {**filled(fields, now), "secretId": chosen}
    try:
        signed["signature"] = signature_of(signed, secrets[chosen].get_secret_value())
    except ValueError as error:
        fail(f"The body has no canonical form (RFC 8785): {error}", MISUSED)
    return orjson.dumps(signed).decode()


def filled(fields: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """With timestamp (milliseconds), nonce and requestSeq where they are missing."""
    missing = {
        "timestamp": int(now.timestamp() * 1000),
        "nonce": SystemRandom().randint(0, MAX_NONCE),
        "requestSeq": str(ULID()),
    }
    return {**missing, **fields}
