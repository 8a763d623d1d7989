"""What `fanfold up` itself reports; in a registry of its own, for the children's metrics come from their files."""

from prometheus_client import CollectorRegistry, Counter, Gauge

REGISTRY = CollectorRegistry()

DEATHS = Counter(
    "fanfold_up_child_deaths_total",
    "Children that ended unasked and were started again; a rise means one crashes",
    ["child"],
    registry=REGISTRY,
)
READY = Gauge(
    "fanfold_up_child_ready",
    "1 while the child runs and is ready to work, by its own word",
    ["child"],
    registry=REGISTRY,
)
