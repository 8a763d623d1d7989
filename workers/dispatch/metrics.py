"""What the dispatcher reports."""

from prometheus_client import Counter, Gauge, Histogram

ATTEMPTS = Counter(
    "fanfold_dispatcher_attempts_total", "Attempts to deliver, by what came of them", ["channel", "outcome"]
)
ATTEMPT_SECONDS = Histogram(
    "fanfold_dispatcher_attempt_duration_seconds",
    "How long receivers take to answer",
    ["channel"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 30),
)
DELAY_SECONDS = Histogram(
    "fanfold_dispatcher_delivery_delay_seconds",
    "From when a push was asked for (or was to leave) to when it was delivered",
    ["channel"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 1800, 7200, 36000),
)
DEAD = Counter("fanfold_dispatcher_dead_total", "Deliveries given up, by why", ["channel", "reason"])
DISABLED = Counter("fanfold_dispatcher_endpoints_disabled_total", "Endpoints disabled", ["channel", "reason"])
DUPLICATES = Counter(
    "fanfold_dispatcher_duplicates_dropped_total", "Deliveries read again, after a crash, a rebalance or a repeat"
)
RECORDED_BEFORE = Counter(
    "fanfold_dispatcher_recorded_before_total",
    "Results of deliveries that another worker had recorded meanwhile: each was sent twice",
)
PARKED = Counter("fanfold_dispatcher_parked_total", "Deliveries put into the store behind others of their lane")
DEAD_LETTERS = Counter("fanfold_dispatcher_dead_letters_total", "Records set aside as poison", ["reason"])
IN_FLIGHT = Gauge("fanfold_dispatcher_in_flight", "Attempts under way", multiprocess_mode="livesum")
IN_MEMORY = Gauge(
    "fanfold_dispatcher_deliveries_in_memory", "Deliveries under way or next in their lane", multiprocess_mode="livesum"
)
LANES_OPEN = Gauge(
    "fanfold_dispatcher_lanes_held_back",
    "Lanes left alone for a while after a run of failures",
    multiprocess_mode="livesum",
)
