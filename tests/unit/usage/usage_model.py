"""A naive model of usage, written down as the platform's documents say it and in no other way.

It reads the facts one by one, keeps whole calls in a list, and adds up by looking at all of
them. It shares no code with the rater: not its rating, nor its totals, nor its keys.
"""

from collections import defaultdict
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

SHANGHAI = ZoneInfo("Asia/Shanghai")
Figures = dict[str, dict[str, int]]


class World:
    """What accounts may call, and for how much. Changes are told as they are made."""

    def __init__(self) -> None:
        self.merchant_of: dict[int, int] = {}
        self.wallet_of: dict[int, int] = {}
        """By customer; whoever has none yet may get one."""
        self.prices: dict[tuple[int, str], list[tuple[datetime, int, bool]]] = {}
        """By account and product: from when, fee, whether by hit."""
        self.free_count: dict[tuple[int, str], int] = {}
        self.costs: dict[tuple[str, int | None], list[tuple[datetime, int]]] = {}
        """By source and configuration; None: that which counts where none is named."""
        self.cache_hits: dict[str, list[tuple[datetime, bool]]] = {}
        """By product: from when on answers from the cache are charged, or not. Before that they are."""

    def price(self, dept_id: int, item: str, at: datetime) -> tuple[int, bool] | None:
        found = None
        for since, fee_micro, by_hit in self.prices.get((dept_id, item), []):
            if since <= at:
                found = fee_micro, by_hit
        return found

    def charges_cache(self, item: str, at: datetime) -> bool:
        charged = True
        for since, said in self.cache_hits.get(item, []):
            if since <= at:
                charged = said
        return charged

    def cost(self, source: str, config_id: int | None, at: datetime) -> int:
        found = 0
        named = (source, config_id) if (source, config_id) in self.costs else (source, None)
        for since, cost_micro in self.costs.get(named, []):
            if since <= at:
                found = cost_micro
        return found


class NaiveCall:
    """One call as it stands, with what it costs by hand of the rules."""

    def __init__(self, reported: dict[str, Any]) -> None:
        self.reported = reported
        self.success = bool(reported["success"])
        self.tag = reported["tag"]
        self.state = "unrated"
        self.fee = 0
        self.was_given = False


class NaiveUsage:
    """Everything that was reported so far."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.calls: dict[str, NaiveCall] = {}
        self.done: set[str] = set()
        self.given: dict[tuple[int, str], int] = defaultdict(int)

    def record(self, reported: dict[str, Any]) -> None:
        if reported["seqNo"] in self.calls:
            return
        call = self.calls[reported["seqNo"]] = NaiveCall(reported)
        self._rate(call, may_be_free=True)

    def correct(self, event_id: str, wish: dict[str, Any]) -> None:
        call = self.calls.get(wish["seqNo"])
        if call is None or event_id in self.done:
            return
        self.done.add(event_id)
        hit_before = call.success
        call.success = bool(wish.get("success", call.success))
        call.tag = wish.get("tag", call.tag)
        if wish.get("isFee") == 0:
            call.state, call.fee = "uncharged", 0
        elif "feeMicro" in wish:
            self._charge(call, wish["feeMicro"])
        elif call.success != hit_before:
            was_free = call.state == "free"
            # A free call stays one, if it would be paid for at all: whether there is a wallet is nothing to it.
            self._rate(call, may_be_free=False, is_free=was_free)

    def rerate(self, seq_nos: list[str]) -> None:
        for seq_no in seq_nos:
            call = self.calls.get(seq_no)
            if call is not None and call.state == "unrated":
                self._rate(call, may_be_free=True)

    def _charge(self, call: NaiveCall, fee: int) -> None:
        call.state, call.fee = "charged", fee
        if fee and self.world.merchant_of[call.reported["deptId"]] not in self.world.wallet_of:
            call.state, call.fee = "unrated", 0

    def _rate(self, call: NaiveCall, *, may_be_free: bool, is_free: bool = False) -> None:
        reported = call.reported
        dept_id, item = reported["deptId"], reported["checkItem"]
        price = self.world.price(dept_id, item, reported["at"])
        call.state, call.fee = "unrated", 0
        if price is None:
            return
        fee, by_hit = price
        uncharged_cache = reported["cacheFlag"] and not self.world.charges_cache(item, reported["at"])
        if uncharged_cache or (by_hit and not call.success):
            call.state = "uncharged"
        elif is_free:
            call.state = "free"
        elif (
            may_be_free
            and not call.was_given
            and self.given[dept_id, item] < self.world.free_count.get((dept_id, item), 0)
        ):
            self.given[dept_id, item] += 1
            call.was_given = True
            call.state = "free"
        else:
            self._charge(call, fee)

    # ---- looking at all of them -------------------------------------------------------------------------------------

    def totals(self) -> Figures:
        """By collection and key, without what is nothing."""
        found: Figures = defaultdict(lambda: defaultdict(int))
        for call in self.calls.values():
            self._add(found, call)
        return {key: kept for key, of in found.items() if (kept := {name: by for name, by in of.items() if by})}

    def _add(self, found: Figures, call: NaiveCall) -> None:
        reported = call.reported
        local = reported["at"].astimezone(SHANGHAI)
        day, month, hour = f"{local:%Y-%m-%d}", f"{local:%Y-%m}", f"{local:%Y-%m-%d %H}"
        dept_id, item = reported["deptId"], reported["checkItem"]
        sources = [(source, self.world.cost(source, config, reported["at"])) for source, config in reported["sources"]]
        for collection, period in (("cust_hourly", hour), ("cust_daily", day), ("cust_monthly", month)):
            of = found[f"{collection} {dept_id}/{item}/{call.tag}/{period}"]
            of["count"] += 1
            of["success"] += call.success
            of[call.state] += call.state != "uncharged"
            of["cached"] += reported["cacheFlag"]
            of["fee_micro"] += call.fee
            of["cost_micro"] += sum(cost for _, cost in sources)
        for collection, period in (("source_daily", day), ("source_monthly", month)):
            for number, (source, cost) in enumerate(sources):
                of = found[f"{collection} {source}/{item}/{call.tag}/{period}"]
                of["count"] += 1
                of["charged"] += 1
                of["cost_micro"] += cost
                if number == 0:  # the first one answers
                    of["success"] += call.success
                    of["fee_micro"] += call.fee
        if call.was_given:
            found[f"free_usage {dept_id}/{item}"]["used"] += 1
        if call.fee:
            wallet = self.world.wallet_of[self.world.merchant_of[dept_id]]
            found[f"wallets {wallet}"]["balance_micro"] -= call.fee
            entry = found[f"ledger usage/{wallet}/{day}"]
            entry["count"] += 1
            entry["amount_micro"] += call.fee
