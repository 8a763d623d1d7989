"""What totals, balances and prices must be: naive, one record after another, by none of the code's own sums.

Pure. Records, entries and prices are documents as they are stored.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from tests.chaos.usage_ledger import Pricing

Document = Mapping[str, Any]
Figures = Counter[str]
Totals = dict[str, dict[str, Figures]]
"""Collection, key, figure."""

UNANSWERED = timedelta(seconds=30)
"""So long after it begins to hold, a price that nobody was told of may not have been seen by a rater."""


def totals_of(records: Iterable[Document]) -> Totals:
    """What all records come to. A total that nothing is added to is not there."""
    totals: Totals = defaultdict(lambda: defaultdict(Counter))
    for record in records:
        _count_customer(totals, record)
        _count_sources(totals, record)
        if "free" in record:
            totals["free_usage"][record["free"]["grant"]]["used"] += 1
        if record["fee_micro"]:
            entry = totals["ledger"][f"usage/{record['wallet_id']}/{record['hour'][:10]}"]
            entry += Counter({"count": 1, "amount_micro": record["fee_micro"]})
    return totals


def _count_customer(totals: Totals, record: Document) -> None:
    figures = {
        "count": 1,
        "success": int(record["success"]),
        "cached": int(record["cached"]),
        "free": int(record["state"] == "free"),
        "charged": int(record["state"] == "charged"),
        "unrated": int(record["state"] == "unrated"),
        "fee_micro": record["fee_micro"],
        "cost_micro": sum(call["cost_micro"] for call in record["upstream"]),
    }
    subject = f"{record['dept_id']}/{_quoted(record['item'])}/{_quoted(record['tag'])}"
    for collection, chars in (("cust_hourly", 13), ("cust_daily", 10), ("cust_monthly", 7)):
        totals[collection][f"{subject}/{record['hour'][:chars]}"].update(figures)


def _count_sources(totals: Totals, record: Document) -> None:
    answered_already = False
    for call in record["upstream"]:
        # One answer, though a source may have been asked twice.
        answered = call["source"] == record.get("source") and not answered_already
        figures = {
            "count": 1,
            "success": int(answered and record["success"]),
            "charged": int(call["is_fee"]),
            "fee_micro": record["fee_micro"] if answered else 0,
            "cost_micro": call["cost_micro"],
        }
        answered_already |= answered
        subject = f"{_quoted(call['source'])}/{_quoted(call['item'])}/{_quoted(record['tag'])}"
        for collection, chars in (("source_daily", 10), ("source_monthly", 7)):
            totals[collection][f"{subject}/{record['hour'][:chars]}"].update(figures)


def _quoted(text: str) -> str:
    return text.replace("%", "%25").replace("/", "%2F")


def differing(
    expected: Totals, documents: Mapping[str, Mapping[str, Document]], figures: Mapping[str, Sequence[str]]
) -> list[str]:
    """Every figure that is not as expected; what is not there counts as 0."""
    found = []
    for collection, names in figures.items():
        stored, wanted = documents.get(collection, {}), expected.get(collection, {})
        for key in sorted(stored.keys() | wanted.keys()):
            for name in names:
                is_there, should = stored.get(key, {}).get(name, 0), wanted.get(key, Counter())[name]
                if is_there != should:
                    found.append(f"{collection}/{key}: {name} is {is_there}, should be {should}")
    return found


def standing(entries: Iterable[Document]) -> Counter[str]:
    """What stands in each account of the ledger."""
    accounts: Counter[str] = Counter()
    for entry in entries:
        accounts[entry["credit"]] += entry["amount_micro"]
        accounts[entry["debit"]] -= entry["amount_micro"]
    return accounts


class PriceOf(msgspec.Struct, frozen=True):
    """A price of a grant."""

    since: datetime
    seen: datetime
    """From when on every rater must know it."""
    fee_micro: int


def prices_of(history: Iterable[Document], attempts: Iterable[Pricing]) -> list[PriceOf]:
    """Ascending. A price that was answered is known to whoever rates after that, else some time after it holds."""
    answered = {attempt.fee_micro: attempt.answered_at for attempt in attempts}
    prices = []
    for place, price in enumerate(sorted(history, key=lambda price: price["from"])):
        since, fee_micro = price["from"], price["fee_micro"]
        told_at = answered.get(fee_micro) or since + UNANSWERED
        prices.append(PriceOf(since, max(since, told_at) if place else since, fee_micro))
    return prices


def fees_at(prices: Sequence[PriceOf], at: datetime) -> set[int]:
    """What a call of that time may cost: one fee, unless a price was being changed just then."""
    fees = set()
    for price in reversed(prices):
        if price.since <= at:
            fees.add(price.fee_micro)
            if price.seen <= at:
                break
    return fees


def free_calls(chargeable: Sequence[str], limit: int) -> dict[str, int]:
    """Which number each free call must have, of a grant's calls that are to be paid for, in the order of the log."""
    return {seq_no: number for number, seq_no in enumerate(chargeable[:limit], 1)}
