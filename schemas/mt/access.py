"""Who calls a portal of the metering platform, and whose data they may reach."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import msgspec


class Role(StrEnum):
    CUSTOMER = "customer"
    """Of the client console: one customer's people."""
    OPERATOR = "operator"
    """Of the operators' platform: all customers."""
    SALESMAN = "salesman"
    """Of the sales portal: the customers that are assigned to them."""


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """Who a token stands for. A customer has a `merchant_id`, always."""

    role: Role
    user_id: int
    name: str = ""
    merchant_id: int | None = None

    def __post_init__(self) -> None:
        if (self.role is Role.CUSTOMER) != (self.merchant_id is not None):
            raise ValueError("a customer has a merchant_id, and nobody else")


class Scope(msgspec.Struct, frozen=True):
    """The customers whose data a caller may see and change: one, some, or (None) all.

    The portals differ by this and not by code: every query of theirs has `match` in it.
    """

    merchants: frozenset[int] | None

    def match(self, field: str = "merchant_id") -> dict[str, Any]:
        """What to merge into a filter of MongoDB."""
        if self.merchants is None:
            return {}
        if len(self.merchants) == 1:
            return {field: next(iter(self.merchants))}
        return {field: {"$in": sorted(self.merchants)}}

    def admits(self, merchant_id: int | None) -> bool:
        return self.merchants is None or merchant_id in self.merchants

    def admits_document(self, document: Mapping[str, Any] | None, field: str = "merchant_id") -> bool:
        """Whether there is such a document, and the caller may know of it."""
        return document is not None and self.admits(document.get(field))


EVERYTHING = Scope(None)
