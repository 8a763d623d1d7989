"""Customers of the metering platform (merchants in its API) and their developer accounts, as others have them.

The newest by event time counts. A field that is left out stays as it is known.
"""

from typing import Annotated, Literal

import msgspec

from schemas.catalogue import EventType
from schemas.numbers import NO_NUL, Int64, Text
from schemas.push import Language

Id = Annotated[int, msgspec.Meta(ge=1, lt=2**53)]
Emails = Annotated[tuple[Text, ...], msgspec.Meta(max_length=50)]
Ips = Annotated[tuple[Text, ...], msgspec.Meta(max_length=200)]
App = Annotated[str, msgspec.Meta(min_length=1, max_length=128, pattern=NO_NUL)]


class MerchantSynced(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A customer as now known."""

    merchant_id: Id
    name: Text | None = None
    salesman_id: Id | None = None
    """User id of the salesman it is assigned to."""
    user_id: Id | None = None
    """Who signs in for it, and is told of what concerns it."""
    emails: Emails | None = None
    """Where statements go."""
    language: Language | None = None
    linkman: Text | None = None
    industry: Text | None = None
    deleted: bool | None = None


class MerchantAccountSynced(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A developer account of a customer as now known. Its secret does not travel in events."""

    dept_id: Id
    merchant_id: Id
    name: Text | None = None
    app_id: App | None = None
    app_code: App | None = None
    """The app that it belongs to; wallets may be reserved for it."""
    env: Literal["prod", "test"] | None = None
    status: Literal[0, 1] | None = None
    """0 trial, 1 regular."""
    user_id: Id | None = None
    emails: Emails | None = None
    white_ips: Ips | None = None


class MerchantAccountChanged(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A developer account as it is after its customer opened it or changed from where it may call; not its secret."""

    dept_id: Id
    merchant_id: Id
    app_id: App | None = None
    app_code: App | None = None
    env: Literal["prod", "test"]
    status: Literal[0, 1]
    """0 trial, 1 regular."""
    white_list_on: bool
    """Whether it may be called from `white_ips` alone."""
    white_ips: Ips = ()
    """Addresses and networks; kept while the list is off."""
    by: Int64
    """User id of who did it."""


EVENT_TYPES = (
    EventType("merchant.synced", MerchantSynced, "A customer of the metering platform as now known", key="merchant_id"),
    EventType("merchant.account.synced", MerchantAccountSynced, "A developer account as now known", key="dept_id"),
    EventType(
        "merchant.account.changed",
        MerchantAccountChanged,
        "A customer opened a developer account, or changed its white list",
        key="dept_id",
        internal=True,
    ),
)
