"""What the rater reports. Counted per batch."""

from collections import Counter as Tally
from datetime import datetime

from prometheus_client import Counter, Histogram

from stores.usage.settling import Counted, Recounted
from workers.rate_batch import RatedBatch

RECORDS = Counter("fanfold_usage_records_total", "Calls recorded, by what became of their price", ["state"])
UNRATED = Counter(
    "fanfold_usage_unrated_total",
    "Calls without a price, by reason: mend the account, grant or wallet, then `fanfold usage rerate`",
    ["reason"],
)
CHANGES = Counter("fanfold_usage_changes_total", "Records corrected or rated again", ["type"])
UNKNOWN_COSTS = Counter(
    "fanfold_usage_costs_unknown_total", "Calls of upstream sources whose cost nobody has said: they count as free"
)
FAILED = Counter("fanfold_usage_failed_total", "Calls that found nothing or failed, published for alerts")
DUPLICATES = Counter(
    "fanfold_usage_duplicates_dropped_total", "Calls and changes that a sender had sent before; a rise means it resends"
)
REDELIVERED = Counter(
    "fanfold_usage_redelivered_total", "Events read again after a crash or rebalance; harmless, but each is work twice"
)
DOCUMENTS = Counter("fanfold_usage_documents_total", "Totals written; far below the records where merging pays")
FENCE_REFUSALS = Counter(
    "fanfold_usage_fence_refusals_total", "Updates of totals that a fence refused and cut, as after a redelivery"
)
DEAD_LETTERS = Counter("fanfold_usage_dead_letters_total", "Events set aside", ["reason"])
BATCH_SECONDS = Histogram(
    "fanfold_usage_batch_duration_seconds",
    "From records in hand to the committed offset, per batch",
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
DELAY_SECONDS = Histogram(
    "fanfold_usage_event_delay_seconds",
    "From the time of the newest event of a batch to counted; a rise means that totals and balances are old",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 3600),
)


def observe_batch(batch: RatedBatch, seconds: float, now: datetime) -> None:
    settlement = batch.settlement
    counted = [posting for posting in settlement.postings if isinstance(posting, Counted)]
    for state, count in Tally(posting.rated.state for posting in counted).items():
        RECORDS.labels(state).inc(count)
    for reason, count in Tally(posting.rated.reason for posting in counted if posting.rated.reason).items():
        UNRATED.labels(reason).inc(count)
    changed = Tally(posting.asked.event.type for posting in settlement.postings if isinstance(posting, Recounted))
    for kind, count in changed.items():
        CHANGES.labels(kind).inc(count)
    UNKNOWN_COSTS.inc(sum(not cost.known for posting in counted for cost in posting.rated.costs))
    FAILED.inc(sum(not posting.rated.success for posting in counted))
    DUPLICATES.inc(settlement.duplicates)
    REDELIVERED.inc(settlement.redelivered)
    DOCUMENTS.inc(batch.documents)
    FENCE_REFUSALS.inc(batch.refused)
    for reason, count in Tally(poison.reason for poison in batch.poisoned).items():
        DEAD_LETTERS.labels(reason).inc(count)
    BATCH_SECONDS.observe(seconds)
    if counted:
        newest = max(posting.heard.event.time for posting in counted)
        DELAY_SECONDS.observe(max(0.0, (now - newest).total_seconds()))
