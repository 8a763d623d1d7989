"""Customers, seats, transfers, keywords: what the chat API answers from and never receives.

The contract leaves open where these come from; they arrive as CloudEvents of these
types, at `/events` or straight on Kafka. The subject is the id named first in each.
"""

from typing import Literal

import msgspec

from schemas.catalogue import EventType
from schemas.numbers import Int32, Key, Text


class CustomerSynced(msgspec.Struct, frozen=True, kw_only=True):
    """A customer as now known; `deleted` takes it out of every answer."""

    customer_id: Key
    external_user_id: Text | None = None
    name: Text | None = None
    avatar: Text | None = None
    deleted: bool = False


class SeatSynced(msgspec.Struct, frozen=True, kw_only=True):
    """A seat (a person who serves customers) as now known."""

    user_id: Key
    seat_no: Text | None = None
    name: Text | None = None
    phone: Text | None = None
    online: bool = False
    deleted: bool = False


class SeatAssigned(msgspec.Struct, frozen=True, kw_only=True):
    """A seat took up, or left, the chat with a customer."""

    customer_id: Key
    user_id: Key
    chatting: bool


class TransferChanged(msgspec.Struct, frozen=True, kw_only=True):
    """The transfer of a customer started or finished; it counts for `user_id` while in between."""

    transfer_id: Key
    user_id: Key
    state: Literal["started", "finished"]


class KeywordSynced(msgspec.Struct, frozen=True, kw_only=True):
    """A re-offer keyword is in use or no more; keywords are answered by ascending rank."""

    keyword: Key
    active: bool = True
    rank: Int32 = 0


class AffiliationNamed(msgspec.Struct, frozen=True, kw_only=True):
    """An affiliation code (`ascription`) has a name."""

    ascription: Key
    name: Text


EVENT_TYPES = (
    EventType("customer.synced", CustomerSynced, "A customer as now known", key="customer_id"),
    EventType("seat.synced", SeatSynced, "A seat as now known", key="user_id"),
    EventType("seat.assigned", SeatAssigned, "A seat took up or left the chat with a customer", key="customer_id"),
    EventType("transfer.changed", TransferChanged, "A customer's transfer started or finished", key="transfer_id"),
    EventType("keyword.synced", KeywordSynced, "A re-offer keyword is in use or no more", key="keyword"),
    EventType("affiliation.named", AffiliationNamed, "An affiliation code has a name", key="ascription"),
)
