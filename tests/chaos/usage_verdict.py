"""The end of a run, for usage: records against what was told, totals and money against records, prices against both."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from handlers.letters import letter_for
from handlers.plan import Poisoned
from schemas.cloudevents import decode_record
from schemas.events import LogId, Record
from schemas.mt.common import Zone
from stores.usage.settling import Heard
from tests.chaos.usage_ledger import BY_CODE, Call, Correction, UsageLedger, merchant_of
from tests.chaos.usage_model import Document, PriceOf, differing, fees_at, free_calls, prices_of, standing, totals_of
from workers.rate_batch import hear

TOPICS = frozenset({"usage", "failures", "alerts", "merchants", "wallets", "payments"})
"""What is on these is judged here and by nobody else."""
ZONE = Zone("Asia/Shanghai")
CUSTOMER = ("count", "success", "free", "charged", "cached", "unrated", "fee_micro", "cost_micro")
SOURCE = ("count", "success", "charged", "fee_micro", "cost_micro")
FIGURES = {
    **dict.fromkeys(("cust_hourly", "cust_daily", "cust_monthly"), CUSTOMER),
    **dict.fromkeys(("source_daily", "source_monthly"), SOURCE),
    "free_usage": ("used",),
}
Documents = Mapping[str, Mapping[str, Any]]


class UsageVerdict(msgspec.Struct):
    mistakes: list[str]
    counts: dict[str, int]
    letters: set[str]
    """What must have been set aside."""
    identities: set[str]
    """Of every event that was judged here."""


class Reported(msgspec.Struct):
    """What of the log of calls bears on the end."""

    copies: dict[str, list[tuple[str, int]]]
    """By seqNo, each place it stands at, in log order: fence and offset."""
    letters: set[str]
    records: int


def judge_usage(ledger: UsageLedger, logs: Mapping[LogId, Sequence[Record]], documents: Documents) -> UsageVerdict:
    reported = read_reported(logs)
    judge = Judge(ledger, reported, documents)
    failed = _failed(logs)
    mistakes = [
        *judge.records(),
        *judge.decisions(),
        *judge.free(),
        *differing(totals_of(judge.stored.values()), documents, FIGURES),
        *judge.entries(),
        *judge.balances(),
        *judge.changed_prices(),
        *judge.failures(failed),
    ]
    if len(reported.letters) < ledger.poison_acknowledged:
        mistakes.append("poison among calls was acknowledged and is not set aside")
    return UsageVerdict(mistakes, judge.counts(), reported.letters, _identities(logs))


def read_reported(logs: Mapping[LogId, Sequence[Record]]) -> Reported:
    reported = Reported(defaultdict(list), set(), 0)
    for log, records in logs.items():
        if log.topic == "usage":
            for record in records:
                reported.records += 1
                step = hear(record, ZONE)
                if isinstance(step, Poisoned):
                    reported.letters.add(letter_for(step, log).identity)
                elif isinstance(step, Heard):
                    reported.copies[step.usage.seq_no].append((log.fence, record.offset))
    return reported


def _identities(logs: Mapping[LogId, Sequence[Record]]) -> set[str]:
    folded = (records for log, records in logs.items() if log.topic in TOPICS - {"usage"})
    return {decode_record(record).identity for records in folded for record in records}


def _failed(logs: Mapping[LogId, Sequence[Record]]) -> set[str]:
    return {
        msgspec.json.decode(decode_record(record).data)["seqNo"]
        for log, records in logs.items()
        if log.topic == "failures"
        for record in records
    }


class Judge:
    """Every method tells what is wrong."""

    def __init__(self, ledger: UsageLedger, reported: Reported, documents: Documents) -> None:
        self._ledger = ledger
        self._reported = reported
        self._documents = documents
        self.stored: Mapping[str, Document] = documents.get("usage_records", {})
        self._entries: Mapping[str, Document] = documents.get("ledger", {})
        self._open_prices = 0

    # ---- records ----------------------------------------------------------------------------------------------------

    def records(self) -> Iterator[str]:
        """Told "stored": there, once, by its first copy, as it was reported."""
        for seq_no, call in self._ledger.calls.items():
            if call.acknowledged and seq_no not in self.stored:
                yield f"lost: {seq_no} was acknowledged"
        for seq_no in self._reported.copies.keys() - self.stored.keys():
            yield f"lost: {seq_no} is in Kafka and has no record"
        for seq_no in self.stored.keys() - self._ledger.calls.keys():
            yield f"invented: {seq_no}"
        for seq_no, record, call in self._pairs():
            origin = record["origin"]["fence"], record["origin"]["offset"]
            copies = self._reported.copies.get(seq_no, [])
            if copies[:1] != [origin]:
                yield f"{seq_no}: its origin is {origin}, its copies are at {copies}"
            kept = {name: record.get(name) for name in ("dept_id", "item", "created_at", "success", "cached", "source")}
            sent = {name: getattr(call, name) for name in ("dept_id", "item", "success", "cached", "source")}
            if kept != sent | {"created_at": call.at} or record["hour"] != ZONE.hour(call.at):
                yield f"{seq_no} is {kept}, should be {sent}"

    def _pairs(self) -> Iterator[tuple[str, Document, Call]]:
        for seq_no, record in self.stored.items():
            if seq_no in self._ledger.calls:
                yield seq_no, record, self._ledger.calls[seq_no]

    # ---- prices -----------------------------------------------------------------------------------------------------

    def decisions(self) -> Iterator[str]:
        """What each call came to, by the prices of its time; and what it was changed to."""
        prices = self._prices()
        for seq_no, record, call in self._pairs():
            changes = record.get("changes", [])
            first = changes[0]["before"] if changes else record
            yield from self._decided(seq_no, first, call, prices[call.grant])
            yield from _corrected(seq_no, first, record, call, self._ledger.corrections.get(seq_no))
            cost_micro = sum(each["cost_micro"] for each in record["upstream"])
            if cost_micro != (call.cost_micro or 0):
                yield f"{seq_no}: its cost is {cost_micro}, should be {call.cost_micro}"

    def _prices(self) -> dict[tuple[int, str], list[PriceOf]]:
        return {
            (grant["dept_id"], grant["item"]): prices_of(grant["prices"], self._ledger.pricings)
            for grant in self._documents.get("grants", {}).values()
        }

    def _decided(self, seq_no: str, first: Document, call: Call, prices: Sequence[PriceOf]) -> Iterator[str]:
        expected = ("charged", "free") if call.chargeable else ("uncharged",)
        if first["state"] not in expected:
            yield f"{seq_no}: was {first['state']} ({first.get('reason')}), should be {expected}"
        if first["state"] != "charged":
            if first["fee_micro"] or first.get("wallet_id") is not None:
                yield f"{seq_no}: was {first['state']} and cost {first['fee_micro']}"
            return
        fees = fees_at(prices, call.at)
        self._open_prices += len(fees) > 1
        if first["fee_micro"] not in fees:
            yield f"{seq_no}: cost {first['fee_micro']} at {call.at}, should be {sorted(fees)}"
        default, own = self._ledger.wallets[merchant_of(call.dept_id)]
        merged = any(merge.away == own for merge in self._ledger.merges)
        payers = {default, own} if call.dept_id % 10 and merged else {own if call.dept_id % 10 else default}
        if first["wallet_id"] not in payers:
            yield f"{seq_no}: paid by wallet {first['wallet_id']}, should be {payers}"

    def changed_prices(self) -> Iterator[str]:
        """Each change that was told to be made is in its grant; none that nobody asked for."""
        made = {grant: {price.fee_micro for price in prices} for grant, prices in self._prices().items()}
        asked: dict[tuple[int, str], set[int]] = defaultdict(set)
        for pricing in self._ledger.pricings:
            asked[pricing.grant].add(pricing.fee_micro)
            if pricing.answered_at is not None and pricing.fee_micro not in made[pricing.grant]:
                yield f"{pricing.grant}: the price {pricing.fee_micro} was acknowledged and is not there"
        for grant, fees in made.items():
            if invented := fees - asked[grant] - {BY_CODE[grant[1]].fee_micro}:
                yield f"{grant}: nobody asked for the prices {invented}"

    def free(self) -> Iterator[str]:
        """Free calls go to the first of a grant in the log; all of them, and no more."""
        chargeable: dict[tuple[int, str], list[str]] = defaultdict(list)
        for seq_no, _, call in sorted(self._pairs(), key=lambda pair: pair[1]["origin"]["offset"]):
            if call.chargeable:
                chargeable[call.grant].append(seq_no)
        given = {seq_no: record["free"]["no"] for seq_no, record in self.stored.items() if "free" in record}
        expected: dict[str, int] = {}
        for grant, seq_nos in chargeable.items():
            expected |= free_calls(seq_nos, BY_CODE[grant[1]].free)
        for seq_no in sorted(given.keys() | expected.keys()):
            if given.get(seq_no) != expected.get(seq_no):
                yield f"{seq_no}: free call {given.get(seq_no)}, should be {expected.get(seq_no)}"

    # ---- money ------------------------------------------------------------------------------------------------------

    def entries(self) -> Iterator[str]:
        """Usage as the records say; each movement once by its number; nothing else but moves between wallets."""
        usage = {key: entry for key, entry in self._entries.items() if entry["kind"] == "usage"}
        yield from differing(totals_of(self.stored.values()), {"ledger": usage}, {"ledger": ("count", "amount_micro")})
        for number, movement in self._ledger.movements.items():
            entry = self._entries.get(number)
            if entry is None:
                if movement.acknowledged:
                    yield f"lost: {number} was acknowledged"
            elif _moved(entry) != (movement.wallet_id, movement.amount_micro):
                yield f"{number}: moved {_moved(entry)}, should be {movement.amount_micro}"
        by_hand = Counter(
            _moved(entry)
            for key, entry in self._entries.items()
            if entry["kind"] in ("recharge", "refund") and key not in self._ledger.movements
        )
        for recharge in self._ledger.by_hand:
            done = by_hand.pop((recharge.wallet_id, recharge.amount_micro), 0)
            if not recharge.acknowledged <= done <= 1:
                yield f"{recharge}: entered {done} times"
        if by_hand:
            yield f"invented: {by_hand}"

    def balances(self) -> Iterator[str]:
        """By the entries; and, for each merchant, by what was put in and what its calls cost."""
        accounts = standing(self._entries.values())
        wallets = self._documents.get("wallets", {})
        for wallet in wallets.values():
            name = f"wallet/{wallet['wallet_id']}"
            if wallet["balance_micro"] != accounts[name]:
                yield f"{name}: its balance is {wallet['balance_micro']}, its entries say {accounts[name]}"
        if accounts["transfers"]:
            yield f"{accounts['transfers']} is stuck between wallets"
        for merge in self._ledger.merges:
            if left := wallets[str(merge.away)]["balance_micro"]:
                yield f"wallet {merge.away}: {left} is left in it after it was merged"
        for merchant, pair in self._ledger.wallets.items():
            balance = sum(wallets[str(wallet)]["balance_micro"] for wallet in pair)
            should = self._put_in(pair) - self._cost(merchant)
            if balance != should:
                yield f"merchant {merchant}: has {balance} in all, should be {should}"

    def _put_in(self, wallets: tuple[int, int]) -> int:
        outside = (entry for entry in self._entries.values() if entry["kind"] in ("recharge", "refund"))
        return sum(amount for wallet, amount in map(_moved, outside) if wallet in wallets)

    def _cost(self, merchant: int) -> int:
        return sum(record["fee_micro"] for record in self.stored.values() if merchant_of(record["dept_id"]) == merchant)

    # ---- the rest ---------------------------------------------------------------------------------------------------

    def failures(self, failed: set[str]) -> Iterator[str]:
        """Each call that found nothing was told to whoever raises alerts."""
        expected = {seq_no for seq_no, _, call in self._pairs() if not call.success}
        for seq_no in sorted(expected ^ failed):
            yield f"{seq_no}: {'not told' if seq_no in expected else 'told'} as a failure"

    def counts(self) -> dict[str, int]:
        ledger, records = self._ledger, self.stored.values()
        states = Counter(record["state"] for record in records)
        acknowledged = sum(call.acknowledged for call in ledger.calls.values())
        return {
            "calls made": len(ledger.calls),
            "reports of calls, duplicates and retries included": ledger.sendings,
            "calls acknowledged": acknowledged,
            "calls not acknowledged": len(ledger.calls) - acknowledged,
            "records in Kafka about calls": self._reported.records,
            "call records": len(self.stored),
            "charged": states["charged"],
            "free": states["free"],
            "not charged": states["uncharged"],
            "calls whose price was just being changed": self._open_prices,
            "prices changed": sum(pricing.answered_at is not None for pricing in ledger.pricings),
            "records corrected": len(ledger.corrections),
            "movements of money": len(ledger.movements) + len(ledger.by_hand),
            "wallets merged": len(ledger.merges),
            "moves out of merged wallets": sum(key.endswith("/from") for key in self._entries),
            "entries in the ledger of money": len(self._entries),
        }


def _corrected(
    seq_no: str, first: Document, record: Document, call: Call, correction: Correction | None
) -> Iterator[str]:
    """What an operator's change must have made of what was decided first."""
    state, fee_micro, tag = first["state"], first["fee_micro"], call.tag
    if correction is not None:
        if correction.waived:
            state, fee_micro = "uncharged", 0
        if correction.fee_micro is not None:
            state, fee_micro = "charged", correction.fee_micro
        if correction.tag is not None:
            tag = correction.tag
    should, is_now = (state, fee_micro, tag), (record["state"], record["fee_micro"], record["tag"])
    if is_now != should:
        yield f"{seq_no}: is {is_now} after {correction}, should be {should}"


def _moved(entry: Document) -> tuple[int, int]:
    """Wallet and what it got."""
    sign = 1 if entry["credit"] == f"wallet/{entry['wallet_id']}" else -1
    return entry["wallet_id"], sign * entry["amount_micro"]
