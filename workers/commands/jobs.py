"""`fanfold jobs`: what `/jobs` does, for operators."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime

import orjson
from rich.markup import escape
from rich.table import Table

from config.settings import Settings
from gateway import job_desk as desk
from gateway.jobs import page_of
from gateway.questions import cursor_in
from schemas.errors import Refused
from stores.job_desk import JobDesk, Summary
from stores.jobs import Job, Progress
from stores.mongo import open_database
from workers.commands.console import WRONG, out, print_json, say
from workers.commands.endpoints import plain
from workers.commands.letters import printable

Act = Callable[[JobDesk, str, datetime], Awaitable[Job]]


async def show_list(
    settings: Settings, asked: Mapping[str, str], *, after: str | None, limit: int, as_json: bool
) -> None:
    which = desk.which(asked)
    async with open_database(settings.mongo) as database:
        found = await JobDesk(database).page(which, after=cursor_in(after), limit=limit)
    page = page_of(found, limit)
    if as_json:
        print_json(plain(page))
        return
    console = out()
    if not found:
        console.print("No jobs of this choice.")
        return
    for each in found:
        # The id on a line of its own, never cut: it is there to be copied.
        console.print(printable(each.id), style="bold", markup=False, soft_wrap=True)
        console.print(f"  {_line(each)}", markup=False, no_wrap=True, overflow="ellipsis")
    if page.next is not None:
        console.print(f"There may be more: --after '{page.next}'", markup=False, soft_wrap=True)


def _line(job: Summary) -> str:
    parts = [f"{job.state:9}", _time(job.created_at), f"{job.kind} for {job.owner}", shown(job.progress)]
    if job.failures:
        parts.append(f"{job.failures} failed in a row")
    if job.error is not None:
        parts.append(job.error)
    return printable("  ".join(parts)).replace("\n", " ")


def shown(progress: Progress) -> str:
    """How far, for people: `1,200 of 5,000 (24 %)`, or the number alone."""
    if progress.total is None:
        return f"{progress.done:,}"
    share = 100 * progress.done // progress.total if progress.total else 100
    return f"{progress.done:,} of {progress.total:,} ({share} %)"


async def show_one(settings: Settings, job_id: str, *, as_json: bool) -> None:
    async with open_database(settings.mongo) as database:
        job = await desk.find(JobDesk(database), job_id)
    if as_json:
        print_json(plain(job))
        return
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in _lines(job):
        table.add_row(f"[bold]{name}[/]", escape(printable(value)))
    out().print(table)


def _lines(job: Job) -> list[tuple[str, str]]:
    lines = [
        ("id", job.id),
        ("kind", job.kind),
        ("owner", job.owner),
        ("state", job.state),
        ("progress", shown(job.progress)),
        ("asked for", _time(job.created_at)),
        ("not before", _time(job.not_before)),
        ("started", _time(job.started_at)),
        ("next step", _time(job.due_at)),
        ("under way until", _time(job.claimed_until)),
        ("finished", _time(job.finished_at)),
        ("failures", str(job.failures or "")),
        ("error", job.error or ""),
        ("given", _json(job.args)),
        ("stands at", _json(job.cursor)),
        ("came to", _json(job.result)),
    ]
    return [(name, value) for name, value in lines if value]


async def cancel(settings: Settings, ids: Sequence[str], *, as_json: bool) -> None:
    await _for_each("cancelled", settings, ids, desk.cancel, as_json=as_json)


async def retry(settings: Settings, ids: Sequence[str], *, as_json: bool) -> None:
    await _for_each("to be gone on with", settings, ids, desk.retry, as_json=as_json)


async def _for_each(done: str, settings: Settings, ids: Sequence[str], act: Act, *, as_json: bool) -> None:
    """One after another. Ends with status 1 if one was refused."""
    acted = []
    async with open_database(settings.mongo) as database:
        jobs = JobDesk(database)
        for job_id in ids:
            try:
                acted.append(await act(jobs, job_id, datetime.now(UTC)))
            except Refused as refused:
                say(str(refused))
    if as_json:
        print_json({"jobs": [plain(job) for job in acted]})
    else:
        out().print(f"{len(acted)} of {len(ids)} {done}")
    if len(acted) < len(ids):
        raise SystemExit(WRONG)


def _json(value: Mapping[str, object] | None) -> str:
    return orjson.dumps(value, option=orjson.OPT_UTC_Z).decode() if value else ""


def _time(time: datetime | None) -> str:
    return "" if time is None else f"{time:%Y-%m-%d %H:%M:%S}Z"
