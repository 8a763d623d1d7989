"""Calls of metered products by the accounts of a few customers: what is reported, and what it must cost.

Pure. Prices, free calls and the money in the wallets are set before the first call; calls are
reported in batches, some of them more than once, in whatever batch.
"""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random
from typing import Any

import msgspec

MERCHANTS = (1001, 1002, 1003)
MICRO = 1_000_000
RECHARGED_YUAN = 100
OPERATOR_TOKEN = "demo-operator"  # noqa: S105 - of a demo that nobody else reaches
SOURCES = ("north", "south")
BY_QUERY, BY_HIT = 10, 20


class Product(msgspec.Struct, frozen=True):
    code: str
    name: str
    fee_type: int
    fee_micro: int
    free: int
    """Calls that each account has free."""


PRODUCTS = (
    Product("IDCARD", "Identity check", BY_QUERY, 50_000, 0),
    Product("MOBILE", "Mobile number check", BY_HIT, 120_000, 10),
)
BY_CODE = {product.code: product for product in PRODUCTS}


def account_of(merchant_id: int) -> int:
    return merchant_id * 10


def customers(now: datetime) -> Iterator[dict[str, Any]]:
    """Events that make the customers and their accounts known."""
    for merchant_id in MERCHANTS:
        name = f"Customer {merchant_id}"
        yield _event(f"merchant-{merchant_id}", "merchant.synced", now, merchantId=merchant_id, name=name)
        account = {"deptId": account_of(merchant_id), "merchantId": merchant_id, "name": f"{name}, production"}
        yield _event(f"account-{merchant_id}", "merchant.account.synced", now, **account, appId=f"app-{merchant_id}")


class Calls:
    """Writes calls, and now and then one of the last hundred once more."""

    def __init__(self, random: Random, now: datetime) -> None:
        self._random = random
        self._now = now
        self._written: list[dict[str, Any]] = []

    def batch(self) -> list[dict[str, Any]]:
        return [self._call() for _ in range(self._random.randint(5, 40))]

    def _call(self) -> dict[str, Any]:
        if self._written and self._random.random() < 0.05:
            return self._random.choice(self._written[-100:])
        number = len(self._written)
        at = self._now - timedelta(seconds=self._random.randrange(3 * 86_400))
        call = {
            "seqNo": f"call-{number:06}",
            "deptId": account_of(self._random.choice(MERCHANTS)),
            "checkItem": self._random.choice(PRODUCTS).code,
            "success": int(self._random.random() < 0.8),
            "tag": self._random.choice(("", "loans")),
            "createDate": at.isoformat(timespec="milliseconds"),
            "finalSource": self._random.choice(SOURCES),
            "mobile": f"138{number:08}",
        }
        self._written.append(_event(f"usage-{number:06}", "usage.recorded", self._now, **call))
        return self._written[-1]


class Bill:
    """The model: fed with what was answered with success, each call once."""

    def __init__(self) -> None:
        self.calls = 0
        self.repeated = 0
        self._seen: set[str] = set()
        self._to_pay: Counter[tuple[int, str]] = Counter()

    def take(self, call: dict[str, Any]) -> None:
        if call["seqNo"] in self._seen:
            self.repeated += 1
            return
        self._seen.add(call["seqNo"])
        self.calls += 1
        if call["success"] or BY_CODE[call["checkItem"]].fee_type == BY_QUERY:
            self._to_pay[call["deptId"], call["checkItem"]] += 1

    @property
    def free(self) -> int:
        return sum(min(count, BY_CODE[code].free) for (_, code), count in self._to_pay.items())

    @property
    def charged(self) -> int:
        return self._to_pay.total() - self.free

    def balances(self) -> dict[int, int]:
        """By customer what is left in the wallet, in micro-units; {} before the first call."""
        if not self.calls:
            return {}
        left = dict.fromkeys(MERCHANTS, RECHARGED_YUAN * MICRO)
        for (account, code), count in self._to_pay.items():
            product = BY_CODE[code]
            left[account // 10] -= max(0, count - product.free) * product.fee_micro
        return left


def _event(event_id: str, event_type: str, at: datetime, **data: Any) -> dict[str, Any]:
    time = at.isoformat(timespec="milliseconds")
    whole = {"specversion": "1.0", "id": event_id, "source": "metering", "type": event_type, "time": time}
    return whole | {"data": data}
