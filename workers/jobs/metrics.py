"""What the jobs worker reports."""

from prometheus_client import Counter, Gauge, Histogram

STEPS = Counter(
    "fanfold_jobs_steps_total",
    "Steps of jobs by what came of them: done, finished (the last one), failed (tried again), given_up, "
    "waiting (something was away), lost (another worker or an operator has the job)",
    ["kind", "outcome"],
)
STEP_SECONDS = Histogram(
    "fanfold_jobs_step_duration_seconds",
    "How long steps take; jobs wait for their turn as long as the others' steps last",
    ["kind"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300),
)
JOBS = Gauge(
    "fanfold_jobs_jobs",
    "Jobs in the store; a rise of failed asks for an operator, one of queued means that the workers do not keep up",
    ["kind", "state"],
    multiprocess_mode="mostrecent",
)
UNDER_WAY = Gauge("fanfold_jobs_steps_under_way", "Steps under way in this process", multiprocess_mode="livesum")
