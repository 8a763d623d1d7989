"""`fanfold dead-letters`: what was set aside, and what becomes of it."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import msgspec
import orjson
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from config.settings import Settings
from gateway import repair
from handlers.letters import record_of
from schemas.errors import Refused
from schemas.events import Record
from stores.dead_letters import DeadLetters, Letter, State, Which
from stores.mongo import open_database
from stores.usage.personal import SETTING as PERSONAL_KEYS
from stores.vault import Vault
from streams.records import open_sender
from workers.commands.console import MISUSED, WRONG, fail, out, print_json, say

Act = Callable[[str], Awaitable[None]]
SHOWN_VALUE_CHARS = 10_000
SEALED = "(sealed: it may hold personal data)"


async def show_list(settings: Settings, which: Which, *, after: str | None, limit: int, as_json: bool) -> None:
    async with _letters(settings) as letters:
        page = await letters.page(which, after=after, limit=limit)
    following = page[-1].id if len(page) == limit else None
    if as_json:
        print_json({"letters": msgspec.to_builtins(page, builtin_types=(datetime,)), "next": following})
        return
    if not page:
        out().print("No dead letters" + (" of this choice." if which.filter or after else "."))
        return
    console = out()
    for letter in page:
        # The id on a line of its own, never cut: it is there to be copied.
        console.print(letter.id, style="bold", markup=False, soft_wrap=True)
        detail = letter.letter.detail.strip().splitlines() or [""]
        # The last line of a stack is the error itself.
        line = f"  {letter.state:9} {_time(letter.at)}  {letter.letter.reason:16}  {printable(detail[-1])}"
        console.print(line, markup=False, no_wrap=True, overflow="ellipsis")
    if following is not None:
        console.print(f"There may be more: --after '{following}'", markup=False, soft_wrap=True)


async def show_one(settings: Settings, letter_id: str, *, as_json: bool) -> None:
    async with _letters(settings) as letters:
        letter = await repair.find(letters, letter_id)
    if as_json:
        print_json(msgspec.to_builtins(letter, builtin_types=(datetime,)))
        return
    console = out()
    table = Table(show_header=False, box=None, pad_edge=False)
    for name, value in _lines(letter):
        table.add_row(f"[bold]{name}[/]", escape(value))
    console.print(table)
    console.print(f"\n[bold]value[/]\n{escape(_value(letter))}", soft_wrap=True)
    console.print(f"\n[bold]what went wrong[/]\n{escape(printable(letter.letter.detail))}", soft_wrap=True)


def _value(letter: Letter) -> str:
    """What is sealed is not for a terminal: a replay opens it."""
    return SEALED if letter.letter.sealed is not None else readable(_shown_record(letter).value)


def _shown_record(letter: Letter) -> Record:
    return record_of(letter.letter, lambda _sealed: b"")


def _lines(letter: Letter) -> list[tuple[str, str]]:
    record = _shown_record(letter)
    return [
        ("id", letter.id),
        ("state", letter.state if letter.closed_at is None else f"{letter.state} at {_time(letter.closed_at)}"),
        ("time", _time(letter.at)),
        ("set aside", _time(letter.set_aside_at)),
        ("reason", letter.letter.reason),
        ("topic", record.topic),
        ("partition", str(record.partition)),
        ("offset", str(record.offset)),
        ("key", readable(record.key)),
        *((f"header {name}", readable(value)) for name, value in record.headers),
    ]


def readable(data: bytes | None) -> str:
    """Bytes as text for a terminal: JSON spread out, what is no text as a Python literal; long ones are cut."""
    if data is None:
        return "(none)"
    try:
        text = orjson.dumps(orjson.loads(data), option=orjson.OPT_INDENT_2).decode() if data[:1] in b"{[" else None
    except orjson.JSONDecodeError:
        text = None
    if text is None:
        text = printable(data.decode("utf-8", "backslashreplace"))
    return text if len(text) <= SHOWN_VALUE_CHARS else f"{text[:SHOWN_VALUE_CHARS]}… ({len(data)} bytes)"


def printable(text: str) -> str:
    """With its control characters spelled out: those of a stranger's record could drive the operator's terminal."""
    return text if text.isprintable() else "".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in text)


async def replay(settings: Settings, ids: Sequence[str], which: Which | None) -> None:
    """Replay the named letters, or all open ones of a choice."""
    vault = Vault(settings.metering.secrets_keys, PERSONAL_KEYS)
    async with _letters(settings) as letters, open_sender(settings.kafka) as sender:

        async def act(letter_id: str) -> None:
            await repair.replay(letters, sender, letter_id, datetime.now(UTC), vault.unseal)

        await _for_each("replayed", await _chosen(letters, ids, which), act)


async def discard(settings: Settings, ids: Sequence[str], which: Which | None) -> None:
    """Discard the named letters, or all open ones of a choice."""
    async with _letters(settings) as letters:

        async def act(letter_id: str) -> None:
            await repair.discard(letters, letter_id, datetime.now(UTC))

        await _for_each("discarded", await _chosen(letters, ids, which), act)


async def _chosen(letters: DeadLetters, ids: Sequence[str], which: Which | None) -> Sequence[str]:
    return ids if which is None else await letters.ids(msgspec.structs.replace(which, state=State.OPEN))


async def _for_each(done: str, ids: Sequence[str], act: Act) -> None:
    """One after another, for they may belong together in order. Ends with status 1 if one was refused."""
    count = 0
    with _progress() as progress:
        for letter_id in progress.track(ids, description=done):
            try:
                await act(letter_id)
                count += 1
            except Refused as refused:
                say(str(refused))
    out().print(f"{count} of {len(ids)} {done}")
    if count < len(ids):
        raise SystemExit(WRONG)


def _progress() -> Progress:
    """A bar on a terminal, nothing elsewhere."""
    console = out()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    return Progress(*columns, console=console, disable=not console.is_terminal)


def check_choice(ids: Sequence[str], everything: bool, which: Which) -> Which | None:
    """What to act on: a choice among all, or None for the ids. Ends the command where it is neither or both."""
    if everything == bool(ids) or (ids and which.filter):
        fail("Give ids, or --all with --reason and --topic to choose among all open letters.", MISUSED)
    return which if everything else None


@asynccontextmanager
async def _letters(settings: Settings) -> AsyncIterator[DeadLetters]:
    async with open_database(settings.mongo) as database:
        yield DeadLetters(database)


def _time(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S}Z"
