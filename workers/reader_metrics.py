"""What every worker that reads from Kafka reports, by consumer group."""

from prometheus_client import Counter, Gauge

LAG = Gauge(
    "fanfold_reader_lag_events",
    "Events published and not yet dealt with",
    ["topic", "partition"],
    multiprocess_mode="mostrecent",
)
WAITS = Counter("fanfold_reader_waits_total", "Times a step had to be repeated because something was away", ["away"])
HALTED = Gauge(
    "fanfold_reader_partitions_halted",
    "Partitions stopped by the poison ceiling; each needs a person",
    ["group"],
    multiprocess_mode="livesum",
)
STUCK = Gauge(
    "fanfold_reader_partitions_stuck",
    "Partitions with lag that stand still without a reason; the consumer is restarted",
    ["group"],
    multiprocess_mode="livesum",
)
RESTARTS = Counter("fanfold_reader_restarts_total", "Consumers opened again after a failure", ["group", "reason"])
COMMIT_FAILURES = Counter(
    "fanfold_reader_commit_failures_total",
    "Commits Kafka refused; the batch is read again and changes nothing",
    ["group"],
)
