"""What a channel is to the dispatcher: one method that tries once and says what came of it.

A channel is one module in `channels/ways/` that defines `WAY`; it is found there by
`channels.registry`, and nothing else has to know it.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

import msgspec

from channels.net import Net
from config.settings import Settings
from schemas.push import Language, Urgency


class Attached(msgspec.Struct, frozen=True, kw_only=True):
    """A file that goes with a message."""

    name: str
    content_type: str
    content: bytes


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be said. Ready to send: nothing in it has to be looked up or filled in."""

    id: str
    """The same in every attempt: what the receiver knows a repeat by."""
    kind: str
    title: str | None
    body: str | None
    fields: Mapping[str, Any]
    urgency: Urgency
    language: Language
    recipient: str
    at: datetime
    """When the push was asked for."""
    mention: str | None = None
    attachments: tuple[Attached, ...] = ()
    """Only where the way says that it `attaches`."""


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """Where to. `address` is a chat id, an e-mail address, or an endpoint's URL."""

    address: str
    secrets: tuple[str, ...] = ()
    options: Mapping[str, Any] = msgspec.field(default_factory=dict)


class Came(StrEnum):
    """What came of an attempt."""

    DELIVERED = "delivered"
    RETRY = "retry"
    """It may work later: no answer, 408, 425, 429, 5xx."""
    REFUSED = "refused"
    """This message will never be taken."""
    GONE = "gone"
    """There is nobody at this target any more."""


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    came: Came
    status: int | None = None
    response: str | None = None
    """The beginning of the answer, or what went wrong: at most 500 characters, no secrets."""
    retry_after_seconds: float | None = None
    """What the receiver asked for (`Retry-After`, Telegram's `retry_after`)."""


class Channel(Protocol):
    async def send(self, message: Message, target: Target) -> Receipt:
        """Try once, within the channel's own time limit.

        Called by many tasks at once. Raises nothing that the other side can cause:
        whatever it does is a receipt. What it raises is a defect.
        """
        ...


class Way(msgspec.Struct, frozen=True):
    """A channel, declared."""

    name: str
    open: Callable[[Settings, Net], AbstractAsyncContextManager[Channel]]
    """Opened once per dispatcher."""
    configured: Callable[[Settings], bool] = lambda _: True
    """Whether it is set up. One that is not is no way to anybody: pushes land in the inbox all the same."""
    options: type[msgspec.Struct] | None = None
    """What an endpoint of this channel is configured with besides its URL; None where targets are no endpoints."""
    concurrency: int = 4
    """Attempts at once where targets are no endpoints, which say so themselves."""
    signs: bool = False
    """Whether endpoints have secrets of ours, made here and shown once (Standard Webhooks)."""
    takes_secret: bool = False
    """Whether endpoints may have a secret of the receiver's, which the owner brings."""
    attaches: bool = False
    """Whether files go with messages. Where not, messages go without them."""
    check_url: Callable[[str], None] | None = None
    """Raises ValueError for a URL that this channel cannot use."""
