"""Endpoints: addresses that somebody registered for pushes, with their secrets and limits."""

from datetime import datetime
from typing import Any

import msgspec

from schemas.push import Recipient


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """As the dispatcher works with it: address and secrets in clear, never logged or answered."""

    id: str
    """`ep_` and a ULID."""
    owner: Recipient
    """Whose pushes it takes, and who is told when it is disabled."""
    channel: str
    """A channel whose targets are endpoints: `webhook`, `dingtalk`, `wecom`, `feishu`, `apprise`, ..."""
    url: str
    """Where to; secret, since robots and Apprise carry their keys in it."""
    secrets: tuple[str, ...] = ()
    """Newest first; several while one is being rotated."""
    options: dict[str, Any] = msgspec.field(default_factory=dict)
    """What this channel asks for besides; checked against its own type."""
    kinds: tuple[str, ...] | None = None
    """Only these kinds of event, `detection.*` for a family; None for all."""
    serves: str | None = None
    """Contacts bound by accounts of this source (`dingding`, `wechat`, `workWechat`, `open`) are reached through it."""
    rate_per_second: float | None = None
    concurrency: int = 4
    ordered: bool = False
    """Keep the order of all its pushes, as if each were `ordered_by` its recipient."""
    enabled: bool = True
    disabled_reason: str | None = None
    """`gone`, `failing`, or what an operator said."""
    disabled_at: datetime | None = None
    failing_since: datetime | None = None
    created_at: datetime
    updated_at: datetime
