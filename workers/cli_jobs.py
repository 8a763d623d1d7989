"""`fanfold jobs`: long pieces of work. As in `workers.cli`, a command imports what it needs when it runs."""

from enum import StrEnum
from typing import Annotated

import typer

from workers.commands.running import Json, Limit, effective_settings, run_quietly

jobs = typer.Typer(help="Long pieces of work, done in steps: how far they are.", no_args_is_help=True)

JobIds = Annotated[list[str], typer.Argument(metavar="ID...", help="Jobs, as `list` shows them.")]


class JobState(StrEnum):
    queued = "queued"
    running = "running"
    done = "done"
    failed = "failed"
    cancelled = "cancelled"


@jobs.command("list")
def list_jobs(
    state: Annotated[JobState | None, typer.Option(help="Only those in this state.")] = None,
    kind: Annotated[str | None, typer.Option(help="Only of this kind.")] = None,
    owner: Annotated[str | None, typer.Option(metavar="OWNER", help="Only of this owner: im/1400000001.")] = None,
    after: Annotated[str | None, typer.Option(metavar="PLACE", help="Start behind: `next` of the last page.")] = None,
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """List jobs, newest first, each with how far it is."""
    from workers.commands.jobs import show_list

    asked = {"state": state and state.value, "kind": kind, "owner": owner}
    chosen = {name: value for name, value in asked.items() if value is not None}
    run_quietly(show_list(effective_settings(), chosen, after=after, limit=limit, as_json=as_json))


@jobs.command("show")
def show_job(
    job_id: Annotated[str, typer.Argument(metavar="ID", help="The job, as `list` shows it.")],
    as_json: Json = False,
) -> None:
    """Show one job whole: what it was given, where it stands, what it came to."""
    from workers.commands.jobs import show_one

    run_quietly(show_one(effective_settings(), job_id, as_json=as_json))


@jobs.command("cancel")
def cancel_jobs(ids: JobIds, as_json: Json = False) -> None:
    """Take no further step of jobs that are queued or running."""
    from workers.commands.jobs import cancel

    run_quietly(cancel(effective_settings(), ids, as_json=as_json))


@jobs.command("retry")
def retry_jobs(ids: JobIds, as_json: Json = False) -> None:
    """Go on, where they stood, with jobs that have failed or were cancelled."""
    from workers.commands.jobs import retry

    run_quietly(retry(effective_settings(), ids, as_json=as_json))
