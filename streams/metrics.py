"""What the publisher and the consumer report."""

from prometheus_client import Counter, Histogram

PUBLISH_SECONDS = Histogram(
    "fanfold_publisher_publish_duration_seconds",
    "From sending a flight of batches to Kafka's acknowledgement; a rise means a slow broker",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
PUBLISHED = Counter("fanfold_publisher_events_total", "Events that Kafka has acknowledged")
PUBLISH_FAILURES = Counter(
    "fanfold_publisher_failures_total", "Flights that Kafka did not acknowledge; their callers were answered 503"
)
FLIGHT_EVENTS = Histogram(
    "fanfold_publisher_flight_events",
    "Events that shared one acknowledgement",
    buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096),
)
