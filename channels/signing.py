"""Secrets of webhooks and the signatures made with them (Standard Webhooks 1.0, "Signature scheme").

Symmetric: `whsec_` and 24 to 64 random bytes, HMAC-SHA256, `v1`. Asymmetric: `whsk_` and
the seed of an ed25519 key, `v1a`; the receiver is given `whpk_`, the public half.
"""

import hmac
import secrets
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable
from functools import lru_cache

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

SYMMETRIC, PRIVATE, PUBLIC = "whsec_", "whsk_", "whpk_"
SECRET_BYTES = range(24, 65)
SEED_BYTES = 32

Sign = Callable[[bytes], str]


def new_secret(size: int = 32) -> str:
    """A symmetric secret of so many random bytes."""
    if size not in SECRET_BYTES:
        raise ValueError(f"a secret has {SECRET_BYTES.start} to {SECRET_BYTES.stop - 1} bytes, not {size}")
    return SYMMETRIC + b64encode(secrets.token_bytes(size)).decode()


def new_key_pair() -> tuple[str, str]:
    """An ed25519 pair: what we sign with and keep to ourselves, and what the receiver checks with."""
    private = PRIVATE + b64encode(Ed25519PrivateKey.generate().private_bytes_raw()).decode()
    return private, public_of(private)


def public_of(private: str) -> str:
    """The public half of a `whsk_` key. Raises ValueError for what is none."""
    return PUBLIC + b64encode(_private_key(private).public_key().public_bytes_raw()).decode()


def signatures(keys: Iterable[str], message_id: str, timestamp: int, body: bytes) -> str:
    """The value of `webhook-signature`: one signature a key, so that either side may rotate. Raises ValueError."""
    signed = b"%s.%d.%s" % (message_id.encode(), timestamp, body)
    return " ".join(signer(key)(signed) for key in keys)


@lru_cache(maxsize=10_000)
def signer(secret: str) -> Sign:
    """What signs with this secret. Raises ValueError, without the secret in it, for what is none."""
    if secret.startswith(PRIVATE):
        key = _private_key(secret)
        return lambda signed: f"v1a,{b64encode(key.sign(signed)).decode()}"
    if secret.startswith(SYMMETRIC):
        shared = _decoded(secret.removeprefix(SYMMETRIC))
        if len(shared) not in SECRET_BYTES:
            raise ValueError(f"a {SYMMETRIC} secret has {SECRET_BYTES.start} to {SECRET_BYTES.stop - 1} bytes")
        return lambda signed: f"v1,{b64encode(hmac.digest(shared, signed, 'sha256')).decode()}"
    raise ValueError(f"a secret begins with {SYMMETRIC} or {PRIVATE}")


def _private_key(secret: str) -> Ed25519PrivateKey:
    seed = _decoded(secret.removeprefix(PRIVATE))
    # Libraries after NaCl keep the public half behind the seed.
    if not secret.startswith(PRIVATE) or len(seed) not in (SEED_BYTES, 2 * SEED_BYTES):
        raise ValueError(f"a {PRIVATE} key holds the {SEED_BYTES} bytes of an ed25519 seed")
    return Ed25519PrivateKey.from_private_bytes(seed[:SEED_BYTES])


def _decoded(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except ValueError:
        raise ValueError("a secret is base64 behind its prefix") from None
