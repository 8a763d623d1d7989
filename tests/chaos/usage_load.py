"""Gateways of the metering platform that report calls, and operators who change prices, records and wallets meanwhile.

A batch that nobody answered is reported again; so are calls that were answered, in the same
batch, in another one, under other event ids, over HTTP or straight to Kafka. Some gateways
give up, and what they reported may have arrived or not. Operators repeat what may be done
twice, and take another price or amount where it may not.
"""

import asyncio
import itertools
import time
from collections.abc import Coroutine, Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from schemas.events import Event
from schemas.mt.wallet_codes import CONFIRM_RECHARGE
from tests.chaos.load import Producer
from tests.chaos.stage import Stage
from tests.chaos.usage_client import RETRY_SECONDS, Client, an_event, new_session
from tests.chaos.usage_ledger import (
    BY_CODE,
    Call,
    Correction,
    ManualRecharge,
    Merge,
    Movement,
    Pricing,
    UsageLedger,
)
from tests.chaos.usage_set_up import MICRO

ZONE = ZoneInfo("Asia/Shanghai")
BATCH = 25
UNDER_WAY = 16
"""Batches at once."""
CORRECTING = 4
"""Operators who change records: each waits until the rater has the one that it wants to change."""
TAGS = ("", "loans", "a/b")
SOURCES = ("north", "south", None)
LATE_DAYS = 45
MERGES_AT = (0.3, 0.6)
"""How much of the load is sent when the wallets of a merchant are merged. The last merchant keeps its two."""
TOLD_AS = {"recharge": "wallet.recharged", "refund": "wallet.refunded"}
DONE_SECONDS = 600.0
"""For an operator's call that must go well in the end, whoever is killed meanwhile."""


class UsageLoad:
    """All of it. `pace` spreads the calls, so many a second."""

    def __init__(self, stage: Stage, ledger: UsageLedger, rng: Random, calls: int, pace: float) -> None:
        self._stage = stage
        self._ledger = ledger
        self._rng = rng
        self._calls = calls
        self._pace = pace
        self._serial = itertools.count(1)
        self._told: list[Call] = []
        """Calls that were answered."""
        self._being_corrected: set[str] = set()
        self._sent = asyncio.Event()
        """All calls are."""
        self.begun = 0
        self.retries = 0

    async def run(self) -> None:
        """Returns when each client has its answer or has given up. Raises AssertionError for what must not be."""
        producer = Producer(self._stage, "usage")
        try:
            async with new_session() as http, asyncio.TaskGroup() as tasks:
                self._client, self._producer = Client(self._stage, http), producer
                correcting = [self._corrections() for _ in range(CORRECTING)]
                for at_work in (self._prices(), self._money(), self._mergers(), *correcting):
                    tasks.create_task(at_work)
                await self._report_all()
                self._sent.set()
        finally:
            await producer.close()

    # ---- calls ------------------------------------------------------------------------------------------------------

    async def _report_all(self) -> None:
        started = time.monotonic()
        room = asyncio.Semaphore(UNDER_WAY)

        async def begin(gateway: Coroutine[Any, Any, None]) -> None:
            async with room:
                await gateway

        async with asyncio.TaskGroup() as gateways:
            while self.begun < self._calls:
                await asyncio.sleep(max(0.0, self.begun / self._pace - (time.monotonic() - started)))
                async with room:
                    calls = [self._a_call() for _ in range(min(BATCH, self._calls - self.begun))]
                    self.begun += len(calls)
                gateways.create_task(begin(self._gateway(calls)))

    def _a_call(self) -> Call:
        dept_id, item = self._rng.choice(list(self._ledger.grants))
        now = datetime.now(UTC)
        late = timedelta(seconds=self._rng.randrange(3600, LATE_DAYS * 86_400))
        at = now - self._rng.choices((timedelta(), timedelta(seconds=3), late), (7, 1, 2))[0]
        source = self._rng.choice(SOURCES)
        call = Call(
            seq_no=f"call-{next(self._serial):06}",
            dept_id=dept_id,
            item=item,
            tag=self._rng.choice(TAGS),
            at=at.replace(microsecond=at.microsecond // 1000 * 1000),
            success=self._rng.random() < 0.8,
            cached=self._rng.random() < 0.1,
            source=source,
            cost_micro=self._rng.randrange(1, 9_999) if source and self._rng.random() < 0.7 else None,
        )
        self._ledger.calls[call.seq_no] = call
        return call

    async def _gateway(self, calls: list[Call]) -> None:
        if self._rng.random() < 0.04:
            await self._impatient(calls)
            return
        over_kafka = self._rng.random() < 0.2
        await self._until_told(calls + self._some(calls, 0.05), over_kafka=over_kafka)
        if self._rng.random() < 0.3:
            again = self._some(calls, 0.3) + self._some(self._told[-400:], 0.05)
            await self._until_told(again, over_kafka=not over_kafka)
        if over_kafka and self._rng.random() < 0.2 and await self._producer.write_poison(str(calls[0].dept_id)):
            self._ledger.poison_acknowledged += 1
        self._told += calls

    def _some(self, calls: Sequence[Call], share: float) -> list[Call]:
        return [call for call in calls if self._rng.random() < share]

    async def _until_told(self, calls: Sequence[Call], *, over_kafka: bool) -> None:
        while calls and not await self._tell(calls, over_kafka=over_kafka):
            self.retries += 1
            await asyncio.sleep(RETRY_SECONDS)
        for call in calls:
            call.acknowledged = True

    async def _impatient(self, calls: Sequence[Call]) -> None:
        """Hang up after a moment, told or not."""
        try:
            async with asyncio.timeout(self._rng.uniform(0, 0.03)):
                await self._tell(calls, over_kafka=False)
        except TimeoutError:
            pass

    async def _tell(self, calls: Sequence[Call], *, over_kafka: bool) -> bool:
        events = [self._event(call) for call in calls]
        for call in calls:
            call.sendings += 1
        if over_kafka:
            return await self._producer.write(events)
        return await self._client.report(events)

    def _event(self, call: Call) -> Event:
        """Now and then under another id than before: the seqNo is what counts."""
        event_id = f"{call.seq_no}/{self._rng.choice((0, 0, 0, call.sendings))}"
        fields: dict[str, Any] = {
            "seqNo": call.seq_no,
            "deptId": call.dept_id,
            "checkItem": call.item,
            "tag": call.tag,
            "success": int(call.success),
            "cacheFlag": int(call.cached),
            "createDate": call.at.isoformat(timespec="milliseconds"),
            "mobile": "13800001111",
        }
        if call.source is not None:
            fields["finalSource"] = call.source
        if call.cost_micro is not None:
            fields["upstreamRecordList"] = [{"dataSourceCode": call.source, "costMicro": call.cost_micro}]
        return an_event(event_id, "usage.recorded", call.dept_id, datetime.now(UTC), fields)

    # ---- operators --------------------------------------------------------------------------------------------------

    async def _pause(self, least: float, most: float) -> bool:
        """Wait a while; whether there is still something to be in the way of."""
        try:
            async with asyncio.timeout(self._rng.uniform(least, most)):
                await self._sent.wait()
        except TimeoutError:
            pass
        return not self._sent.is_set()

    async def _prices(self) -> None:
        """At once, or planned for some seconds later; each of a fee that no other one has."""
        while await self._pause(0.5, 2):
            grant = self._rng.choice(list(self._ledger.grants))
            pricing = Pricing(grant, BY_CODE[grant[1]].fee_micro + 10 * next(self._serial))
            self._ledger.pricings.append(pricing)
            body: dict[str, Any] = {
                "itemList": [{"deptItemId": self._ledger.grants[grant], "fee": pricing.fee_micro / MICRO}]
            }
            if self._rng.random() < 0.3:
                planned = datetime.now(ZONE) + timedelta(seconds=self._rng.randrange(2, 6))
                body["effectTime"] = planned.strftime("%Y-%m-%d %H:%M:%S")
            answer = await self._client.operate("customer/deptItem/adjust", body)
            if answer is not None and answer["code"] == 0:
                pricing.answered_at = datetime.now(UTC)

    async def _corrections(self) -> None:
        """Each call at most once, so what it comes to is known, however often the answer is lost."""
        while await self._pause(0.1, 0.6):
            others = [call for call in self._told[-1000:] if call.seq_no not in self._being_corrected]
            if not others:
                continue
            call = self._rng.choice(others)
            self._being_corrected.add(call.seq_no)
            change: Correction
            body: dict[str, Any]
            match self._rng.randrange(3):
                case 0:
                    change, body = Correction(waived=True), {"isFee": 0}
                case 1:
                    fee_micro = self._rng.randrange(1, 900_000)
                    change, body = Correction(fee_micro=fee_micro), {"fee": fee_micro / MICRO}
                case _:
                    change, body = Correction(tag="corrected"), {"tag": "corrected"}
            # Refused until the rater has the record.
            await self._client.until_done("api/editApiRecord", {"seqNo": call.seq_no, **body}, DONE_SECONDS)
            self._ledger.corrections[call.seq_no] = change

    async def _money(self) -> None:
        while await self._pause(0.3, 1):
            wallet_id = self._rng.choice([wallet for pair in self._ledger.wallets.values() for wallet in pair])
            match self._rng.randrange(4):
                case 0:
                    await self._recharge_by_hand()
                case 1:
                    await self._move(wallet_id, "refund", -self._rng.randrange(1, MICRO), of="recharge")
                case 2:
                    await self._move(wallet_id, "refund", self._rng.randrange(1, MICRO), of="usage")
                case _:
                    await self._move(wallet_id, "recharge", self._rng.randrange(1, 20 * MICRO))

    async def _move(self, wallet_id: int, kind: str, amount_micro: int, **more: Any) -> None:
        """Told until it is answered, and now and then again, also by another event."""
        number = f"{kind}-{next(self._serial)}"
        movement = Movement(f"{kind}/{number}", wallet_id, amount_micro)
        self._ledger.movements[movement.number] = movement
        fields = {"walletId": wallet_id, "amountMicro": abs(amount_micro), f"{kind}No": number, **more}
        for _ in range(self._rng.choice((1, 1, 2, 3))):
            event_id = f"{number}/{self._rng.choice((0, 0, movement.sendings))}"
            event = an_event(event_id, TOLD_AS[kind], wallet_id, datetime.now(UTC), fields)
            movement.sendings += 1
            while not await self._client.report([event]):
                self.retries += 1
                await asyncio.sleep(RETRY_SECONDS)
            movement.acknowledged = True

    async def _recharge_by_hand(self) -> None:
        """Sent until it is in: by the answer, or by the refusal of the same amount that was put in just now."""
        merchant = self._rng.choice(list(self._ledger.wallets))
        wallet_id = self._ledger.wallets[merchant][0]
        recharge = ManualRecharge(wallet_id, 30 * MICRO + next(self._serial))
        self._ledger.by_hand.append(recharge)
        amount = recharge.amount_micro / MICRO
        body = {"merchantId": merchant, "walletId": wallet_id, "rechargeAmount": amount}
        while not recharge.acknowledged:
            answer = await self._client.operate("customer/wallet/recharge", body)
            if answer is not None and answer["code"] in (0, CONFIRM_RECHARGE):
                recharge.acknowledged = True
            else:
                await asyncio.sleep(RETRY_SECONDS)

    async def _mergers(self) -> None:
        for share, (merchant, (default, own)) in zip(MERGES_AT, self._ledger.wallets.items(), strict=False):
            while self.begun < share * self._calls:  # noqa: ASYNC110 - another task's count
                await asyncio.sleep(0.1)
            body = {"merchantId": merchant, "fromWalletId": own, "toWalletId": default}
            await self._client.until_done("customer/wallet/merge", body, DONE_SECONDS)
            self._ledger.merges.append(Merge(merchant, own, default))
