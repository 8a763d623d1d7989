"""Personal data of calls: in a sealed box, as masked texts to show, and as hashes to look for.

A box is AES-256-GCM under a key of its day, derived from a key of the settings: so no key
seals so many boxes that their random nonces could meet. It is bound to its record: moved to
another one it does not open. What it holds is JSON, one box for a record: Fernet, at 30 us a
text, would cost more than storing the record.

Hashes are keyed, for there are few enough phone numbers to hash them all. The newest key
seals and hashes; each opens, and is looked for by.
"""

import base64
import hashlib
import hmac
import os
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import SecretStr

from schemas.errors import Refused
from schemas.usage import UpstreamCall, UsageRecorded

SETTING = "FANFOLD_METERING__SECRETS_KEYS"
PERSONAL = ("name", "id_card", "mobile")
UPSTREAM_SEALED = ("req_param", "response", "url", "stack", "extra")
"""They repeat what was asked about whom."""

VERSION = b"\x01"
KEY_ID_BYTES = 4
NONCE_BYTES = 12
HASH_BYTES = 16


class Box(msgspec.Struct, omit_defaults=True):
    """What is sealed of a record."""

    name: str | None = None
    id_card: str | None = None
    mobile: str | None = None
    upstream: list[dict[str, str]] = msgspec.field(default_factory=list)
    """By upstream call, in order."""


_boxes = msgspec.json.Decoder(Box)


class Key:
    """What is derived from one key of the settings."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self.id = self._derived(b"id")[:KEY_ID_BYTES]
        self._search = self._derived(b"search")
        self.of_day = lru_cache(maxsize=64)(self._of_day)

    def hash(self, field: str, text: str) -> bytes:
        return hmac.digest(self._search, f"{field}\0{text}".encode(), "sha256")[:HASH_BYTES]

    def _of_day(self, day: str) -> AESGCM:
        return AESGCM(self._derived(f"box/{day}".encode()))

    def _derived(self, purpose: bytes) -> bytes:
        # The secret is random and of full length: one round of HMAC is what HKDF comes to.
        return hmac.digest(self._secret, b"fanfold/personal/" + purpose, hashlib.sha256)


class Personal:
    """Seals and opens. Without keys, what holds personal data can be neither kept nor read: not_configured."""

    def __init__(self, keys: Sequence[SecretStr]) -> None:
        self._keys = [Key(base64.urlsafe_b64decode(key.get_secret_value())) for key in keys]
        self._by_id = {key.id: key for key in self._keys}

    def protected(self, usage: UsageRecorded, day: str) -> dict[str, Any]:
        """The fields of a record that stand for its personal data; none where it has none."""
        people = {name: text for name in PERSONAL if (text := getattr(usage, name))}
        upstream = [_sealed_of(call) for call in usage.upstream_record_list]
        if not people and not any(upstream):
            return {}
        fields: dict[str, Any] = {name: mask(name, text) for name, text in people.items()}
        box = Box(**people, upstream=upstream if any(upstream) else [])
        fields["sealed"] = self.seal(box, usage.seq_no, day)
        if people:
            newest = self._newest
            fields["hashes"] = {name: newest.hash(name, text) for name, text in people.items()}
        return fields

    def seal(self, box: Box, seq_no: str, day: str) -> bytes:
        key, nonce = self._newest, os.urandom(NONCE_BYTES)
        sealed = key.of_day(day).encrypt(nonce, msgspec.json.encode(box), seq_no.encode())
        return VERSION + key.id + nonce + sealed

    def open(self, document: Mapping[str, Any]) -> Box:
        """What is sealed in a record; an empty box where nothing is. Refuses with not_configured: no key fits."""
        sealed = document.get("sealed")
        if sealed is None:
            return Box()
        key = self._by_id.get(sealed[1 : 1 + KEY_ID_BYTES])
        if key is None or sealed[:1] != VERSION:
            raise Refused("not_configured", f"none of the keys in {SETTING} fits what is encrypted")
        rest = sealed[1 + KEY_ID_BYTES :]
        try:
            opened = key.of_day(document["hour"][:10]).decrypt(
                rest[:NONCE_BYTES], rest[NONCE_BYTES:], document["_id"].encode()
            )
        except InvalidTag:
            raise Refused("not_configured", f"record {document['_id']}: its sealed part was changed") from None
        return _boxes.decode(opened)

    def hashes(self, field: str, text: str) -> list[bytes]:
        """By what a person is found in `hashes.<field>`: one for each key."""
        if not self._keys:
            raise self._not_configured()
        return [key.hash(field, text) for key in self._keys]

    @property
    def _newest(self) -> Key:
        if not self._keys:
            raise self._not_configured()
        return self._keys[0]

    def _not_configured(self) -> Refused:
        return Refused("not_configured", f"{SETTING} is not set: personal data cannot be kept or read without it")


def mask(field: str, text: str) -> str:
    """What lists and logs show: the first of a name, the ends of a number. A digest (MD5, ...) shows its beginning."""
    if field == "name":
        return text[0] + "*" * (len(text) - 1)
    if len(text) > 20:
        return text[:6] + "******"
    shown = 3 if len(text) >= 11 else 1
    tail = 4 if len(text) >= 11 else 0
    return text[:shown] + "*" * (len(text) - shown - tail) + (text[-tail:] if tail else "")


def _sealed_of(call: UpstreamCall) -> dict[str, str]:
    return {name: text for name in UPSTREAM_SEALED if (text := getattr(call, name))}
