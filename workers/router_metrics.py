"""What the router reports."""

from collections import Counter as Tally
from collections.abc import Sequence

from prometheus_client import Counter, Histogram

from handlers.plan import Poisoned
from stores.applier import Applied

ROUTED = Counter("fanfold_router_pushes_total", "Pushes routed")
PLANNED = Counter(
    "fanfold_router_deliveries_total", "Deliveries planned, by channel; repeats after a crash count again", ["channel"]
)
NOWHERE = Counter(
    "fanfold_router_pushes_nowhere_total", "Pushes that go nowhere but to the inbox: nothing is bound or preferred"
)
DUPLICATES = Counter("fanfold_router_duplicates_dropped_total", "Pushes that a sender had asked for before")
DEAD_LETTERS = Counter(
    "fanfold_router_dead_letters_total", "Pushes set aside: they do not decode, or a template lacks a field", ["reason"]
)
ROUTE_SECONDS = Histogram(
    "fanfold_router_route_duration_seconds",
    "From records in hand to the committed offset, per batch",
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)


def observe_batch(applied: Applied, poisoned: Sequence[Poisoned], seconds: float) -> None:
    ROUTED.inc(len(applied.fresh))
    DUPLICATES.inc(len(applied.duplicates))
    ways = [[way["channel"] for way in step.outcome.fact.body["ways"]] for step in applied.fresh]
    NOWHERE.inc(sum(not channels for channels in ways))
    for channel, count in Tally(channel for channels in ways for channel in channels).items():
        PLANNED.labels(channel).inc(count)
    for reason, count in Tally(poison.reason for poison in poisoned).items():
        DEAD_LETTERS.labels(reason).inc(count)
    ROUTE_SECONDS.observe(seconds)
