"""What the sentinel reports."""

from prometheus_client import Counter, Gauge, Histogram

FAILURES = Counter(
    "fanfold_sentinel_failures_total",
    "Failed calls read, by what became of them: counted, known (read before, or one of too many), unwatched (no alert "
    "is set), late (older than what is kept) or early (of a time to come: a clock is wrong)",
    ["outcome"],
)
ALERTS = Counter("fanfold_sentinel_alerts_total", "Episodes of failing calls raised and closed", ["move"])
OPEN = Gauge(
    "fanfold_sentinel_open_alerts",
    "Episodes that have not ended, of all sentinels; many at once speak of a source that is down",
    multiprocess_mode="mostrecent",
)
WATCHED = Gauge(
    "fanfold_sentinel_watched_keys", "Accounts and products of which failures are kept", multiprocess_mode="livesum"
)
RULES = Gauge("fanfold_sentinel_rules", "Alerts that customers have set", multiprocess_mode="mostrecent")
DELAY_SECONDS = Histogram(
    "fanfold_sentinel_delay_seconds",
    "From a failed call to its being counted; a rise means that alerts come late",
    buckets=(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200),
)
DEAD_LETTERS = Counter("fanfold_sentinel_dead_letters_total", "Records that are no failed calls, by reason", ["reason"])
