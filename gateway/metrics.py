"""What the gateway reports. `system` and `operation` are those declared; `outcome` is ok or a refusal's reason."""

from prometheus_client import Counter, Gauge, Histogram

REQUESTS = Counter(
    "fanfold_gateway_requests_total",
    "Requests answered; a rise of broker_away or store_away means a server is away, of internal a defect",
    ["system", "operation", "outcome"],
)
REQUEST_SECONDS = Histogram(
    "fanfold_gateway_request_duration_seconds",
    "From a request's headers to its answer; a rise means a slow broker or store",
    ["system", "operation"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
BODY_BYTES = Histogram(
    "fanfold_gateway_request_body_bytes",
    "Size of the bodies read",
    ["system"],
    buckets=(64, 256, 1024, 4096, 16384, 65536, 262144, 1048576),
)
REPEATS = Counter(
    "fanfold_gateway_repeats_total",
    "Requests sent again and answered from memory, nothing published; a rise means clients that time out",
    ["system"],
)
UNRECORDED = Counter(
    "fanfold_gateway_decisions_unrecorded_total",
    "Decisions answered though Kafka had not acknowledged the record of them in time, so it may be lost; "
    "a rise means that Kafka is slow or away",
    ["system"],
)
TELEGRAM_UPDATES = Counter(
    "fanfold_gateway_telegram_updates_total",
    "Updates taken from Telegram: bound, refused (a link that is not good), stopped, blocked, ignored, malformed; "
    "a rise of malformed means that Telegram says something in a way unknown here",
    ["outcome"],
)
IM_CALLBACKS_ASKED = Counter(
    "fanfold_gateway_im_callbacks_asked_total",
    "Before-callbacks to IM apps: answered, timeout (no answer in 2 s), failed (none that can be read), unreachable; "
    "a rise of the last three means that messages go by the setting, not by the app",
    ["outcome"],
)
IN_FLIGHT = Gauge("fanfold_gateway_requests_in_flight", "Requests being worked on; a rise means answers are slow")
CONNECTIONS = Gauge("fanfold_gateway_connections", "Open connections, idle ones too")
MALFORMED = Counter(
    "fanfold_gateway_malformed_requests_total", "Connections that did not speak HTTP, answered 400 and closed"
)
HALF_OPEN = Counter(
    "fanfold_gateway_half_open_total",
    "Connections cut because no request came in time; a rise means an attack or a broken client",
)
