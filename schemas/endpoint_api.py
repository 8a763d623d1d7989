"""Bodies and answers of the API that manages endpoints. What is shown holds no secret, but for one that is new."""

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from schemas.numbers import NO_NUL, Key
from schemas.preferences import Kinds
from schemas.times import Instant, check_instants

Signature = Literal["hmac", "ed25519"]
Source = Literal["dingding", "wechat", "workWechat", "open"]
"""Systems in which contacts have accounts (contact binding contract, AccountSource)."""
Owner = Annotated[str, msgspec.Meta(min_length=3, max_length=272, pattern="^(user|contact|customer|email)/[^\0]+$")]
"""A recipient that is no endpoint itself: `user/ID`, `contact/ID`, `customer/ID` or `email/ADDRESS`."""
Address = Annotated[str, msgspec.Meta(min_length=1, max_length=2_000, pattern=NO_NUL)]
KindsList = Annotated[tuple[Kinds, ...], msgspec.Meta(min_length=1, max_length=100)]
Rate = Annotated[float, msgspec.Meta(gt=0, le=10_000)]
Concurrency = Annotated[int, msgspec.Meta(ge=1, le=100)]
Secret = Annotated[str, msgspec.Meta(min_length=1, max_length=256, pattern=NO_NUL)]
Reason = Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern=NO_NUL)]
GraceSeconds = Annotated[int, msgspec.Meta(ge=0, le=7 * 86_400)]

DAY_SECONDS = 86_400


class NewEndpoint(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What somebody registers."""

    owner: Owner
    channel: Key
    url: Address
    options: dict[str, Any] = msgspec.field(default_factory=dict)
    secret: Secret | None = None
    """The robot's, for channels that sign with a secret of the receiver's."""
    signature: Signature | None = None
    """For channels that sign with a secret of ours; `hmac` where it is left out."""
    kinds: KindsList | None = None
    serves: Source | None = None
    rate_per_second: Rate | None = None
    concurrency: Concurrency = 4
    ordered: bool = False


class EndpointChanges(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be changed; the rest stays. `options` replaces all of them."""

    url: Address | UnsetType = UNSET
    options: dict[str, Any] | UnsetType = UNSET
    kinds: KindsList | UnsetType | None = UNSET
    serves: Source | UnsetType | None = UNSET
    rate_per_second: Rate | UnsetType | None = UNSET
    concurrency: Concurrency | UnsetType = UNSET
    ordered: bool | UnsetType = UNSET


class RotateSecret(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    secret: Secret | None = None
    """The robot's new one."""
    signature: Signature | None = None
    """Of the new secret; the same as that of the present one where it is left out."""
    grace_seconds: GraceSeconds = DAY_SECONDS
    """How long the former secrets go on signing beside the new one."""


class DisableEndpoint(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    reason: Reason = "by request"


class RecoverEndpoint(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    since: Instant

    def __post_init__(self) -> None:
        check_instants(self)


class EndpointShown(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint without what is secret of it."""

    id: str
    owner: str
    channel: str
    url: str
    options: dict[str, Any]
    secrets: int
    """How many it has: more than one while one is being rotated."""
    signature: Signature | None
    """How the newest of its secrets signs; None where they are not ours."""
    public_keys: tuple[str, ...]
    """What receivers check `ed25519` signatures with, newest first."""
    kinds: tuple[str, ...] | None
    serves: str | None
    rate_per_second: float | None
    concurrency: int
    ordered: bool
    enabled: bool
    disabled_reason: str | None
    disabled_at: datetime | None
    failing_since: datetime | None
    created_at: datetime
    updated_at: datetime


class EndpointMade(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint with its new secret: the only time that it is shown."""

    endpoint: EndpointShown
    secret: str | None
    """None where the receiver has it already, or needs none: an `ed25519` pair's public half is with the endpoint."""


class EndpointPage(msgspec.Struct, frozen=True):
    """`next` is what to send as `after` for the following page; null on the last one."""

    endpoints: list[EndpointShown]
    next: str | None


class PushSent(msgspec.Struct, frozen=True):
    """`delivery` is where to see what came of it, at /deliveries, once it has been tried."""

    push: str
    delivery: str


class Recovered(msgspec.Struct, frozen=True):
    recovered: int
