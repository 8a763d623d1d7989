"""What the clock reports."""

from prometheus_client import Counter, Gauge, Histogram

LEADING = Gauge(
    "fanfold_clock_leading",
    "1 where this process leads; over all processes the sum is 1, and 0 only for the length of a lease",
    multiprocess_mode="livesum",
)
TICK_SECONDS = Histogram(
    "fanfold_clock_tick_duration_seconds",
    "From looking for what is due to its publication; above the tick, ends of bans come late",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15),
)
EXPIRED = Counter(
    "fanfold_clock_bans_expired_total", "Ends of bans published; one that is published again counts again"
)
FILES_EXPIRED = Counter("fanfold_clock_files_expired_total", "Files cleared away because their time was over")
PLANNED = Counter("fanfold_clock_planned_changes_total", "Planned changes of prices and products that were executed")
STATEMENT_MAILS = Counter(
    "fanfold_clock_statement_mails_total", "Mails of statements asked for; one that is asked for again counts again"
)
LATE_SECONDS = Histogram(
    "fanfold_clock_lateness_seconds",
    "From the end of a ban to its publication; a rise means that nobody led, or the broker was away",
    buckets=(0.1, 0.5, 1, 2.5, 5, 15, 60, 300, 3600),
)
FAILURES = Counter("fanfold_clock_failures_total", "Ticks cut short because something was away", ["away"])
