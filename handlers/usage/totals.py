"""The totals that rated calls add up to, and the key of each.

| collection | a document for | its figures |
|---|---|---|
| cust_hourly, cust_daily, cust_monthly | account, product, tag and hour (day, month) | calls, fee and cost |
| source_daily, source_monthly | source, product, tag and day (month) | calls, cost, and the fee of those it answered |
| free_usage | grant | free calls given |
| wallets | wallet | the balance |
| ledger | wallet and day | its usage, booked from the wallet to the revenue |

All are sums, so they do not depend on the order of the log, and what a call no longer adds
is taken off again. An `_id` begins with what it is asked by (account, source, wallet), so
it is a good shard key. Money is micro-units of yuan. A day is that of the calls, not of
their arrival.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import msgspec

from handlers.effects import Change, FieldEffect, Inc, Set
from handlers.usage.prices import wallet_key
from handlers.usage.rating import Rated, State

CUST_HOURLY = "cust_hourly"
CUST_DAILY = "cust_daily"
CUST_MONTHLY = "cust_monthly"
SOURCE_DAILY = "source_daily"
SOURCE_MONTHLY = "source_monthly"
FREE_USAGE = "free_usage"
WALLETS = "wallets"
LEDGER = "ledger"

CUSTOMER_FIGURES = ("count", "success", "free", "charged", "cached", "unrated", "fee_micro", "cost_micro")
SOURCE_FIGURES = ("count", "success", "charged", "fee_micro", "cost_micro")
FIGURES: dict[str, tuple[str, ...]] = {
    CUST_HOURLY: CUSTOMER_FIGURES,
    CUST_DAILY: CUSTOMER_FIGURES,
    CUST_MONTHLY: CUSTOMER_FIGURES,
    SOURCE_DAILY: SOURCE_FIGURES,
    SOURCE_MONTHLY: SOURCE_FIGURES,
    FREE_USAGE: ("used",),
    WALLETS: ("balance_micro",),
    LEDGER: ("count", "amount_micro"),
}
REVENUE = "revenue/usage"
"""The account that usage is booked to."""

Figures = tuple[int, ...]


class Total(msgspec.Struct):
    """One document's part of a batch: what each offset adds, by ascending offset.

    To the applier it is what `handlers.plan.Pending` is. Kept apart because of its speed: a
    thousand calls of an account are added up column by column.
    """

    key: str
    fields: tuple[str, ...]
    labels: Mapping[str, Any]
    """What the document is about; the same however often it is written."""
    parts: list[tuple[int, Figures]]

    @property
    def first(self) -> int:
        return self.parts[0][0]

    @property
    def last(self) -> int:
        return self.parts[-1][0]

    def after(self, offset: int) -> "Total | None":
        rest = [part for part in self.parts if part[0] > offset]
        return Total(self.key, self.fields, self.labels, rest) if rest else None

    @property
    def sums(self) -> Figures:
        if len(self.parts) == 1:
            return self.parts[0][1]
        return tuple(map(sum, zip(*(figures for _, figures in self.parts), strict=True)))

    def merged(self) -> Change:
        change: dict[str, FieldEffect] = {name: Set(value) for name, value in self.labels.items()}
        for field, by in zip(self.fields, self.sums, strict=True):
            change[field] = Inc(by)
        return change


class Totals:
    """The totals that calls come to. Postings are made in the order of the log."""

    def __init__(self, day_end: Callable[[str], Any]) -> None:
        """`day_end`: the last moment of a day, which is when its usage is booked."""
        self._day_end = day_end
        self._documents: dict[str, dict[str, Total]] = {name: {} for name in FIGURES}
        self._relabels = False

    def post(self, offset: int, rated: Rated, sign: int = 1) -> None:
        """Add a call, or (sign -1) take off what it had added."""
        self._post_customer(offset, rated, sign)
        if rated.costs:
            self._post_sources(offset, rated, sign)
        if rated.free_no is not None:
            self._add(FREE_USAGE, rated.grant, offset, (sign,), lambda: {"dept_id": rated.dept_id, "item": rated.item})
        if rated.fee_micro and rated.wallet_id is not None:
            self._post_fee(offset, rated, rated.wallet_id, sign)

    def repost(self, offset: int, before: Rated, after: Rated) -> None:
        """A call that adds something else from now on."""
        self.post(offset, before, -1)
        self._relabels = True
        self.post(offset, after)
        self._relabels = False

    def documents(self) -> Iterable[tuple[str, Sequence[Total]]]:
        """By collection what is touched."""
        return ((name, list(documents.values())) for name, documents in self._documents.items() if documents)

    def _post_customer(self, offset: int, rated: Rated, sign: int) -> None:
        state = rated.state
        figures = (
            sign,
            sign * rated.success,
            sign * (state is State.FREE),
            sign * (state is State.CHARGED),
            sign * rated.cached,
            sign * (state is State.UNRATED),
            sign * rated.fee_micro,
            sign * rated.cost_micro,
        )
        subject = f"{rated.dept_id}/{quoted(rated.item)}/{quoted(rated.tag)}"

        def labels() -> dict[str, Any]:
            about = {"dept_id": rated.dept_id, "item": rated.item, "tag": rated.tag}
            return about | _known(merchant_id=rated.merchant_id, app_id=rated.app_id)

        hour = f"{subject}/{rated.hour}"
        self._add(CUST_HOURLY, hour, offset, figures, lambda: labels() | {"hour": rated.hour, "day": rated.day})
        self._by_day_and_month((CUST_DAILY, CUST_MONTHLY), subject, rated.day, offset, figures, labels)

    def _post_sources(self, offset: int, rated: Rated, sign: int) -> None:
        answerer = rated.source
        for cost in rated.costs:
            answered = cost.source == answerer
            figures = (
                sign,
                sign * (answered and rated.success),
                sign * cost.billable,
                sign * (rated.fee_micro if answered else 0),
                sign * cost.cost_micro,
            )
            if answered:
                answerer = None  # once, though a source may have been asked again
            subject = f"{quoted(cost.source)}/{quoted(cost.item)}/{quoted(rated.tag)}"
            labels: partial[dict[str, Any]] = partial(dict, source=cost.source, item=cost.item, tag=rated.tag)
            self._by_day_and_month((SOURCE_DAILY, SOURCE_MONTHLY), subject, rated.day, offset, figures, labels)

    def _post_fee(self, offset: int, rated: Rated, wallet_id: int, sign: int) -> None:
        fee_micro = sign * rated.fee_micro
        self._add(WALLETS, wallet_key(wallet_id), offset, (-fee_micro,), lambda: {"wallet_id": wallet_id})

        def labels() -> dict[str, Any]:
            return {
                "kind": "usage",
                "wallet_id": wallet_id,
                "day": rated.day,
                "at": self._day_end(rated.day),
                "debit": f"wallet/{wallet_id}",
                "credit": REVENUE,
                **_known(merchant_id=rated.merchant_id),
            }

        self._add(LEDGER, usage_entry(wallet_id, rated.day), offset, (sign, fee_micro), labels)

    def _by_day_and_month(
        self,
        names: tuple[str, str],
        subject: str,
        day: str,
        offset: int,
        figures: Figures,
        labels: Callable[[], dict[str, Any]],
    ) -> None:
        daily, monthly = names
        month = day[:7]
        self._add(daily, f"{subject}/{day}", offset, figures, lambda: {**labels(), "day": day})
        self._add(monthly, f"{subject}/{month}", offset, figures, lambda: {**labels(), "month": month})

    def _add(
        self, collection: str, key: str, offset: int, figures: Figures, labels: Callable[[], Mapping[str, Any]]
    ) -> None:
        documents = self._documents[collection]
        total = documents.get(key)
        if total is None:
            documents[key] = Total(key, FIGURES[collection], labels(), [(offset, figures)])
        else:
            total.parts.append((offset, figures))
            if self._relabels:  # an account that was not known has a merchant now
                total.labels = {**total.labels, **labels()}


def usage_entry(wallet_id: int, day: str) -> str:
    """`_id` of the ledger's entry of what a wallet paid for the calls of a day."""
    return f"usage/{wallet_id}/{day}"


def quoted(text: str) -> str:
    """As part of an `_id` whose parts are divided by slashes."""
    return text.replace("%", "%25").replace("/", "%2F")


def _known(**labels: Any) -> dict[str, Any]:
    return {name: value for name, value in labels.items() if value is not None}
