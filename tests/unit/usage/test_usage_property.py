"""Whatever is reported, corrected, rated again, sent twice or late, cut and restarted: a naive model says the same."""

from datetime import UTC, datetime, timedelta
from functools import partial
from random import Random
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handlers.poison import PoisonGauge
from handlers.products.prices import FeeType, Price, Terms
from handlers.usage.prices import Account, CacheHits, Cost, Grant, PriceBook, Product, SourceCosts, Wallet, price_book
from handlers.usage.totals import FIGURES
from schemas.cloudevents import encode_headers
from schemas.events import Event, LogId, Record
from schemas.mt.common import Zone
from stores.usage.settling import Settler
from tests.simulation.sim_store import SimStore
from tests.simulation.turns import Scheduler
from tests.simulation.usage.records import SimRecords
from tests.unit.usage.usage_model import NaiveUsage, World
from workers.rate_batch import rate_batch
from workers.retry import Patience

ZONE = Zone("Asia/Shanghai")
LOG = LogId("usage", "c1", 0)
EVER = datetime(2000, 1, 1, tzinfo=UTC)
MIDNIGHT = datetime(2026, 3, 31, 16, tzinfo=UTC)
"""In Shanghai, and the first of a month."""
TIMES = [MIDNIGHT + timedelta(hours=hours) for hours in (-30, -1, 0, 5)]
DEPTS = {1: 10, 2: 10, 3: 20}
ITEMS = ("id", "face")

terms = st.tuples(st.integers(0, 10**9), st.booleans())
prices = st.lists(st.tuples(st.sampled_from([EVER, *TIMES]), terms), max_size=3, unique_by=lambda price: price[0])
cache_hits = st.lists(st.tuples(st.sampled_from(TIMES), st.booleans()), max_size=2, unique_by=lambda said: said[0])
call = st.fixed_dictionaries(
    {
        "deptId": st.sampled_from(list(DEPTS)),
        "checkItem": st.sampled_from(ITEMS),
        "success": st.integers(0, 1),
        "cacheFlag": st.integers(0, 1),
        "tag": st.sampled_from(["", "north"]),
        "at": st.sampled_from(TIMES),
        "sources": st.lists(st.tuples(st.sampled_from(["a", "b"]), st.sampled_from([None, 1, 2])), max_size=2),
    }
)
wish = st.one_of(
    st.just({"isFee": 0}),
    st.builds(lambda fee: {"feeMicro": fee}, st.integers(0, 10**9)),
    st.builds(lambda hit: {"success": hit}, st.integers(0, 1)),
    st.just({"tag": "gift", "success": 1}),
)
step = st.one_of(
    st.tuples(st.just("call"), call),
    st.tuples(st.just("call"), call),
    st.tuples(st.just("again"), st.integers(0, 30)),
    st.tuples(st.just("correct"), st.tuples(st.integers(0, 30), wish)),
    st.tuples(st.just("correct again"), st.integers(0, 30)),
    st.tuples(st.just("repair and rerate"), st.tuples(st.sampled_from(list(DEPTS)), st.sampled_from(ITEMS), terms)),
    st.tuples(st.just("wallet and rerate"), st.sampled_from(list(DEPTS))),
)


class Reality:
    """The rater's own work on a simulated store, with the price book as the model's world has it."""

    def __init__(self, world: World, seed: int) -> None:
        self.world = world
        self.rng = Random(seed)
        self.turns = Scheduler(self.rng)
        self.store = SimStore(self.turns, self.rng)
        self.records: list[Record] = []
        self.books: list[tuple[int, PriceBook]] = []
        """From which offset on which book is there to be read."""

    def hear(self, event_id: str, kind: str, payload: dict[str, Any], at: datetime) -> None:
        data = msgspec.json.encode(payload)
        event = Event(event_id, "test", kind, str(payload["deptId"]), at, data)
        headers = tuple(encode_headers(event))
        self.records.append(Record("usage", 0, len(self.records), 0, event.subject.encode(), data, headers))

    def price_change(self) -> None:
        self.books.append((len(self.records), self._book()))

    def work(self) -> None:
        """Batches of any size; now and then a worker dies in one, and another reads on from the last commit."""
        committed, settler = [0], self._settler()
        while committed[0] < len(self.records):
            first = committed[0]
            # A change of prices is read with the batch after it, as who makes it waits for that.
            ends = [offset for offset, _ in self.books if offset > first]
            last = min([first + self.rng.randrange(1, 9), len(self.records), *ends])
            book = [book for offset, book in self.books if offset <= first][-1]
            task = self.turns.spawn("rater", self._batch(first, last, book, settler, committed))
            lives = self.rng.choice((None, None, self.rng.randrange(1, 120)))
            while task.alive and (lives is None or lives > 0) and self.turns.step():
                lives = None if lives is None else lives - 1
            if task.alive:
                self.turns.crash(task)
                settler = self._settler()
            self.turns.run()  # what the server was handed it finishes
        self.turns.close()

    async def _batch(self, first: int, last: int, book: PriceBook, settler: Settler, committed: list[int]) -> None:
        async def commit(next_offset: int) -> None:
            committed[0] = next_offset

        await rate_batch(
            LOG,
            self.records[first:last],
            zone=ZONE,
            gauge=PoisonGauge(run=10_000, window=10_000, share=1.0),
            books=partial(_given, book),
            settler=settler,
            store=self.store,
            watch=_nothing,
            publisher=_Nowhere(),
            commit=commit,
            patience=Patience(),
            seal=bytes.hex,
        )

    def _settler(self) -> Settler:
        return Settler(SimRecords(self.store), lambda _usage, _day: {})

    def totals(self) -> dict[str, dict[str, int]]:
        found = {}
        for name, fields in FIGURES.items():
            for key, document in self.store.collections.get(name, {}).items():
                if kept := {field: document[field] for field in fields if document[field]}:
                    found[f"{name} {key}"] = kept
        return found

    def _book(self) -> PriceBook:
        world = self.world
        grants = [
            Grant(
                dept_id=dept_id,
                item=item,
                free_count=world.free_count.get((dept_id, item), 0),
                history=tuple(
                    Price(since, Terms(fee, FeeType.HIT if by_hit else FeeType.QUERY))
                    for since, fee, by_hit in world.prices[dept_id, item]
                ),
            )
            for dept_id, item in world.prices
        ]
        return price_book(
            len(self.books),
            accounts=[Account(dept_id=dept_id, merchant_id=merchant) for dept_id, merchant in DEPTS.items()],
            wallets=[
                Wallet(wallet_id=wallet, merchant_id=merchant, is_default=True)
                for merchant, wallet in world.wallet_of.items()
            ],
            products=[
                Product(code=item, cache_hits=tuple(CacheHits(since, charged) for since, charged in said))
                for item, said in world.cache_hits.items()
            ],
            grants=grants,
            costs=[
                SourceCosts(
                    source=source,
                    item=item,
                    config_id=config_id and 10 * config_id + place,
                    costs=tuple(Cost(since, cost) for since, cost in costs),
                )
                for (source, config_id), costs in world.costs.items()
                for place, item in enumerate(ITEMS)
            ],
        )


class _Nowhere:
    async def publish(self, events: Any) -> None:
        """Nobody reads it."""


async def _given(book: PriceBook) -> PriceBook:
    return book


async def _nothing(_wallets: Any) -> None:
    pass


@st.composite
def worlds(draw: st.DrawFn) -> World:
    world = World()
    world.merchant_of = dict(DEPTS)
    world.wallet_of = {10: 100, 20: 200} if draw(st.booleans()) else {10: 100}
    for dept_id in DEPTS:
        for item in ITEMS:
            history = sorted((since, fee, by_hit) for since, (fee, by_hit) in draw(prices))
            if history:
                world.prices[dept_id, item] = history
                world.free_count[dept_id, item] = draw(st.integers(0, 4))
    world.costs = {("a", None): [(EVER, 3), (MIDNIGHT, 5)], ("a", 1): [(EVER, 7), (MIDNIGHT, 11)]}
    world.cache_hits = {item: sorted(draw(cache_hits)) for item in ITEMS}
    return world


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(world=worlds(), steps=st.lists(step, min_size=1, max_size=40), seed=st.integers(0, 2**32))
def test_totals_free_calls_and_wallets_equal_a_naive_model_to_the_micro_unit(
    world: World, steps: list[tuple[str, Any]], seed: int
) -> None:
    naive, real = NaiveUsage(world), Reality(world, seed)
    real.price_change()
    calls: list[dict[str, Any]] = []
    corrections: list[tuple[str, dict[str, Any]]] = []
    for number, (kind, what) in enumerate(steps):
        match kind:
            case "call":
                reported = {**what, "seqNo": f"s{number}"}
                calls.append(reported)
                _report(naive, real, f"e{number}", reported)
            case "again" if calls:
                _report(naive, real, f"again{number}", calls[what % len(calls)])
            case "correct" if calls:
                index, said = what
                of = calls[index % len(calls)]
                corrections.append((f"c{number}", {"seqNo": of["seqNo"], "deptId": of["deptId"], "by": 1, **said}))
                _correct(naive, real, *corrections[-1])
            case "correct again" if corrections:
                _correct(naive, real, *corrections[what % len(corrections)])
            case "repair and rerate":
                dept_id, item, (fee, by_hit) = what
                if (dept_id, item) not in world.prices:
                    world.prices[dept_id, item] = [(EVER, fee, by_hit)]
                    real.price_change()
                _rerate(naive, real, f"r{number}", dept_id, calls)
            case "wallet and rerate":
                if DEPTS[what] not in world.wallet_of:
                    world.wallet_of[DEPTS[what]] = 10 * DEPTS[what]
                    real.price_change()
                _rerate(naive, real, f"r{number}", what, calls)

    real.work()

    assert real.totals() == naive.totals()


def _report(naive: NaiveUsage, real: Reality, event_id: str, reported: dict[str, Any]) -> None:
    payload = {name: value for name, value in reported.items() if name not in ("at", "sources")}
    place = ITEMS.index(reported["checkItem"])
    payload["upstreamRecordList"] = [
        {"dataSourceCode": source, "checkConfigId": config_id and 10 * config_id + place}
        for source, config_id in reported["sources"]
    ]
    if reported["sources"]:
        payload["finalSource"] = reported["sources"][0][0]
    real.hear(event_id, "usage.recorded", payload, reported["at"])
    naive.record(reported)


def _rerate(naive: NaiveUsage, real: Reality, event_id: str, dept_id: int, calls: list[dict[str, Any]]) -> None:
    if waiting := [each["seqNo"] for each in calls if each["deptId"] == dept_id]:
        real.hear(event_id, "usage.rerate.requested", {"deptId": dept_id, "seqNos": waiting}, MIDNIGHT)
        naive.rerate(waiting)


def _correct(naive: NaiveUsage, real: Reality, event_id: str, wish: dict[str, Any]) -> None:
    real.hear(event_id, "usage.corrected", wish, MIDNIGHT)
    naive.correct(event_id, wish)
