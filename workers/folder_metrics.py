"""What the folder reports. Counted per batch, not per event: the hot path stays hot."""

from collections import Counter as Tally
from datetime import datetime

from prometheus_client import Counter, Histogram

from workers.fold_batch import Folded

FOLDED = Counter("fanfold_folder_events_total", "Events folded, by type", ["type"])
EFFECTS = Counter("fanfold_folder_effects_total", "Field effects asked for by handlers, by kind", ["kind"])
DOCUMENTS = Counter("fanfold_folder_documents_total", "Documents written; far below the effects where merging pays")
DUPLICATES = Counter(
    "fanfold_folder_duplicates_dropped_total", "Events that a sender had sent before; a rise means clients resend"
)
REDELIVERED = Counter(
    "fanfold_folder_redelivered_total", "Events read again after a crash or rebalance; harmless, but each is work twice"
)
FENCE_REFUSALS = Counter(
    "fanfold_folder_fence_refusals_total",
    "Updates that a fence refused and cut: part of them was in already, as after a redelivery",
)
DEAD_LETTERS = Counter("fanfold_folder_dead_letters_total", "Events set aside as poison", ["reason"])
EMITTED = Counter("fanfold_folder_emitted_total", "Events emitted by handlers")
BATCH_EVENTS = Histogram(
    "fanfold_folder_batch_events", "Events per batch", buckets=(1, 5, 20, 50, 100, 250, 500, 1000, 2000, 5000)
)
FOLD_SECONDS = Histogram(
    "fanfold_folder_fold_duration_seconds",
    "From records in hand to the committed offset, per batch",
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
DELAY_SECONDS = Histogram(
    "fanfold_folder_event_delay_seconds",
    "From the time of the oldest event of a batch to folded; a rise means readers see old numbers",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 3600),
)


def observe_batch(folded: Folded, seconds: float, now: datetime) -> None:
    applied = folded.applied
    for kind, count in Tally(step.event.type for step in applied.fresh).items():
        FOLDED.labels(kind).inc(count)
    effects = Tally(
        type(effect).__name__
        for step in applied.fresh
        for change in step.outcome.effects
        for effect in change.change.values()
    )
    for kind, count in effects.items():
        EFFECTS.labels(kind.lower()).inc(count)
    for reason, count in Tally(poison.reason for poison in folded.poisoned).items():
        DEAD_LETTERS.labels(reason).inc(count)
    DOCUMENTS.inc(applied.documents)
    DUPLICATES.inc(len(applied.duplicates))
    REDELIVERED.inc(applied.redelivered)
    FENCE_REFUSALS.inc(applied.refused)
    EMITTED.inc(folded.emitted)
    BATCH_EVENTS.observe(len(applied.fresh) + len(applied.duplicates) + len(folded.poisoned))
    FOLD_SECONDS.observe(seconds)
    if applied.fresh:
        oldest = min(step.event.time for step in applied.fresh)
        DELAY_SECONDS.observe(max(0.0, (now - oldest).total_seconds()))
