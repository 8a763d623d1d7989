"""The kinds of jobs, one module each: `KIND` in it is what `workers.jobs.kind` describes."""
