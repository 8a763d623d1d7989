"""Who calls the contact API: agents, by HTTP Basic (RFC 7617), their passwords kept as argon2 hashes.

Checking a password takes about 50 ms of CPU on purpose, so it is done in a thread, one
at a time, and not again for a while once it was right. What was wrong is not remembered
but limited: by account and address a few tries a minute, and in all a short queue; so
guessing costs neither the passwords nor the gateway.
"""

import asyncio
import binascii
import secrets
import time
from base64 import b64decode
from collections import OrderedDict
from collections.abc import Callable, Mapping
from hashlib import blake2b
from hmac import compare_digest

import msgspec
from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError
from pydantic import SecretStr

from gateway.system import Call
from schemas.errors import Refused

REALM = 'Basic realm="contact-binding", charset="UTF-8"'
"""What `WWW-Authenticate` asks for."""

REMEMBERED_SECONDS = 300.0
"""How long a password that was right is taken without checking it again."""
AT_ONCE = 1
"""Checks under way: each fills up to four cores and 64 MiB, by argon2's own defaults."""
WAITING = 20
"""Checks that may wait for their turn, about a second's worth; more are told to come back."""
TRIES, TRIES_SECONDS = 10, 60.0
"""Wrong passwords for one account from one address, in how long a time."""
ADDRESSES = 10_000
"""Of so many accounts and addresses it is known how often they were wrong."""

_hasher = PasswordHasher()


class Credentials(msgspec.Struct, frozen=True):
    account: str
    password: bytes


def credentials_in(header: str | None) -> Credentials | None:
    """What an `Authorization: Basic` header holds; None if it is none."""
    scheme, _, encoded = (header or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        account, colon, password = b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return None
    return Credentials(account, password.encode()) if colon else None


def verify(hashed: str, password: bytes) -> bool:
    """Whether the hash is of this password. Takes long."""
    try:
        return _hasher.verify(hashed, password)
    except VerifyMismatchError:
        return False


class Tries:
    """How often somebody was wrong lately: a bucket of `most` that empties evenly over `seconds`."""

    def __init__(self, most: int, seconds: float, clock: Callable[[], float], remembered: int = ADDRESSES) -> None:
        self._most = most
        self._seconds_each = seconds / most
        self._clock = clock
        self._remembered = remembered
        self._empty_at: OrderedDict[tuple[str, str], float] = OrderedDict()

    def take(self, who: tuple[str, str]) -> bool:
        """Count a try; whether there was one left."""
        now = self._clock()
        empty_at = max(now, self._empty_at.get(who, now)) + self._seconds_each
        if empty_at - now > self._most * self._seconds_each + 1e-6:
            return False
        self._empty_at[who] = empty_at
        self._empty_at.move_to_end(who)
        if len(self._empty_at) > self._remembered:
            self._empty_at.popitem(last=False)
        return True

    def give_back(self, who: tuple[str, str]) -> None:
        """It was right after all."""
        if who in self._empty_at:
            self._empty_at[who] -= self._seconds_each


class Agents:
    """Those that may call, by the hash of their password."""

    def __init__(
        self,
        hashes: Mapping[str, SecretStr],
        check: Callable[[str, bytes], bool] = verify,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._hashes = {account: hashed.get_secret_value() for account, hashed in hashes.items()}
        self._check = check
        self._clock = clock
        # Only in memory, and by a key of this process: a digest says nothing about the password to others.
        self._digest_key = secrets.token_bytes(32)
        self._right: dict[str, tuple[bytes, float]] = {}
        self._tries = Tries(TRIES, TRIES_SECONDS, clock)
        self._under_way: dict[tuple[str, bytes], asyncio.Task[bool]] = {}
        self._turns = asyncio.Semaphore(AT_ONCE)

    def require_credentials(self, call: Call) -> None:
        """Refuses a call that brings none; whether they are right is for `agent_of`."""
        if not self._hashes:
            raise Refused("not_configured", "FANFOLD_CONTACT_BINDING__AGENTS is not set: nobody has access here")
        if credentials_in(call.headers.get("Authorization")) is None:
            raise _unknown()

    async def agent_of(self, call: Call) -> str:
        """The account that calls. Refuses one that is not known, by the same words and time as a wrong password."""
        sent = credentials_in(call.headers.get("Authorization"))
        if sent is None:
            raise _unknown()
        digest = blake2b(sent.password, key=self._digest_key).digest()
        if self._was_right(sent.account, digest):
            return sent.account
        key = (sent.account, digest)
        if key not in self._under_way:
            self._start(key, sent, call.remote)
        # Shielded: others may wait for the same.
        if not await asyncio.shield(self._under_way[key]):
            raise _unknown()
        return sent.account

    def _was_right(self, account: str, digest: bytes) -> bool:
        known, until = self._right.get(account, (b"", 0.0))
        return compare_digest(known, digest) and self._clock() < until

    def _start(self, key: tuple[str, bytes], sent: Credentials, remote: str) -> None:
        if len(self._under_way) >= AT_ONCE + WAITING:
            raise Refused("too_many", "too many log in at once, try again")
        who = (sent.account if sent.account in self._hashes else "", remote)
        if not self._tries.take(who):
            raise Refused("too_many", "too many wrong passwords, try again in a minute")
        task = asyncio.create_task(self._verify(sent, key[1], who))
        self._under_way[key] = task
        task.add_done_callback(lambda _: self._under_way.pop(key))

    async def _verify(self, sent: Credentials, digest: bytes, who: tuple[str, str]) -> bool:
        known = sent.account in self._hashes
        # For an account that is not known too: how long it takes must not tell which are.
        hashed = self._hashes[sent.account] if known else next(iter(self._hashes.values()))
        async with self._turns:
            fits = await asyncio.to_thread(self._check, hashed, sent.password)
        if not (known and fits):
            return False
        self._tries.give_back(who)
        self._right[sent.account] = (digest, self._clock() + REMEMBERED_SECONDS)
        return True


def _unknown() -> Refused:
    return Refused("unauthenticated", "send account and password of an agent as Authorization: Basic")
