"""Calls and prices for tests of rating; a test names only what it is about."""

from datetime import UTC, datetime
from typing import Any

from handlers.products.prices import Price, Terms
from handlers.usage.prices import Account, Grant, PriceBook, Wallet, price_book
from handlers.usage.rating import Call

DEPT, MERCHANT = 1, 10
EVER = datetime(2000, 1, 1, tzinfo=UTC)
NOON = datetime(2026, 3, 1, 4, tzinfo=UTC)


def a_call(item: str = "id", **fields: Any) -> Call:
    """A hit at noon of the first of March in Shanghai, that reports no source."""
    known: dict[str, Any] = {
        "dept_id": DEPT,
        "item": item,
        "tag": "",
        "app_id": None,
        "at": NOON,
        "hour": "2026-03-01 12",
        "success": True,
        "cached": False,
        "source": None,
    }
    return Call(**{**known, **fields})


def a_grant(item: str, *terms: Terms, **fields: Any) -> Grant:
    """One whose terms hold since ever."""
    return Grant(dept_id=DEPT, item=item, history=tuple(Price(EVER, each) for each in terms), **fields)


def a_book(*grants: Grant, **parts: Any) -> PriceBook:
    """The account, its customer's default wallet, and these."""
    known: dict[str, Any] = {
        "accounts": [Account(dept_id=DEPT, merchant_id=MERCHANT, app_id="app")],
        "wallets": [Wallet(wallet_id=7, merchant_id=MERCHANT, is_default=True)],
    }
    return price_book(1, grants=grants, **{**known, **parts})
