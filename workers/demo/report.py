"""The demo's result as tables; a number that is not what was sent is marked."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from workers.demo.expected import World
from workers.demo.seeing import Panel
from workers.demo.sending import Phase

CENT = 10_000
"""In micro-units."""
SHOWN_ANSWERS = 10
NAME_WIDTH = 46
"""The same for all tables, so that they stand in line."""


class Line(msgspec.Struct, frozen=True):
    """One number, as it must be and as it is."""

    name: str
    expected: int
    found: int

    @property
    def agrees(self) -> bool:
        return self.expected == self.found


def compare(
    expected: World, found: World, shown: Panel, lifted: tuple[int, int], surplus: int
) -> dict[str, list[Line]]:
    """All numbers, by table.

    `lifted`: bans that ended by themselves, expected and found. `surplus`: webhooks too many.
    """
    online, banned = (sum(state[i] for state in expected.accounts.values()) for i in (0, 1))
    return {
        "Accounts": [
            Line("accounts", len(expected.accounts), shown.accounts),
            Line("online", online, shown.online),
            Line("banned", banned, shown.banned),
            Line("bans that ended by themselves", *lifted),
            Line("accounts in another state than they must be", 0, _differing(expected.accounts, found.accounts)),
            Line("logins and logouts", expected.login_log, shown.login_log),
        ],
        "Detections": [
            Line("detection notices", expected.detections, found.detections),
            Line("customers", expected.customers, found.customers),
        ],
        "Pushes": [
            *_by_name("asked for, to {}", expected.pushes, found.pushes),
            Line("unread in inboxes", sum(expected.unread.values()), sum(found.unread.values())),
            Line("inboxes with another count than they must have", 0, _differing(expected.unread, found.unread)),
            Line("webhooks that readers received", expected.webhooks, found.webhooks),
            Line("webhooks that came twice, or forged", 0, surplus),
        ],
        "Instant messages": [
            Line("messages", expected.messages, found.messages),
            Line("unread, of all users", sum(expected.unread_messages.values()), sum(found.unread_messages.values())),
            Line(
                "users with another count than they must have",
                0,
                _differing(expected.unread_messages, found.unread_messages),
            ),
        ],
        "Usage": [
            Line("calls recorded", expected.calls, found.calls),
            Line("charged", expected.calls_charged, found.calls_charged),
            Line("free of charge", expected.calls_free, found.calls_free),
            Line(
                "left in all wallets, in cents",
                sum(expected.balances.values()) // CENT,
                sum(found.balances.values()) // CENT,
            ),
            Line("wallets with a balance they must not have", 0, _differing(expected.balances, found.balances)),
        ],
        "Sent more than once": [
            Line("calls answered as before", expected.answered_from_memory, found.answered_from_memory),
            Line("events dropped as duplicates", expected.duplicates_dropped, found.duplicates_dropped),
            Line("calls reported more than once", expected.calls_repeated, found.calls_repeated),
        ],
        "Refused": list(_by_name("{}", expected.refused, found.refused)),
        "Dead letters": list(_by_name("{}", expected.dead_letters, found.dead_letters)),
    }


def _by_name(pattern: str, expected: Mapping[str, int], found: Mapping[str, int]) -> Iterable[Line]:
    for name in sorted(expected.keys() | found.keys()):
        yield Line(pattern.format(name), expected.get(name, 0), found.get(name, 0))


def _differing(expected: Mapping[Any, object], found: Mapping[Any, object]) -> int:
    return sum(expected.get(name) != found.get(name) for name in expected.keys() | found.keys())


def judge(console: Console, tables: Mapping[str, Sequence[Line]], unexpected: Sequence[str]) -> int:
    """The last word, and the exit status: 0 only where everything agrees."""
    lines = list(chain(*tables.values()))
    differing = [line.name for line in lines if not line.agrees]
    for answer in unexpected[:SHOWN_ANSWERS]:
        console.print(f"Unexpected answer: {answer}", markup=False, style="red")
    if differing or unexpected:
        names = f": {', '.join(differing)}" if differing else ""
        console.print(
            f"[bold red]{len(differing)} numbers differ{names}. {len(unexpected)} answers were unexpected.[/]"
        )
        return 1
    console.print(f"[bold green]All {len(lines)} numbers agree with what was sent.[/]")
    return 0


def show(console: Console, tables: Mapping[str, Sequence[Line]]) -> None:
    for title, lines in tables.items():
        table = Table(title=title, title_justify="left")
        table.add_column("", min_width=NAME_WIDTH)
        for column in ("sent", "found", ""):
            table.add_column(column, justify="right")
        for line in lines:
            sign = "[green]agrees[/]" if line.agrees else "[bold red]differs[/]"
            table.add_row(line.name, f"{line.expected:,}", f"{line.found:,}", sign)
        console.print(table)


def show_speed(console: Console, phases: Sequence[Phase], events: int, busy_seconds: float) -> None:
    """How quick it was; nothing is judged by it."""
    table = Table(title="Speed", title_justify="left")
    table.add_column("", min_width=NAME_WIDTH)
    for column in ("p50", "p99"):
        table.add_column(f"{column} ms", justify="right")
    for phase in phases:
        rate = f"{phase.name}, {len(phase.requests) / phase.took:,.0f} requests a second"
        table.add_row(f"[bold]{rate}[/]", "", "")
        table.add_row("  from request to answer", *_percentiles(phase.answered))
        table.add_row("  from answer to visible in a query", *_percentiles(phase.visible))
    console.print(table)
    console.print(f"{events:,} events folded in {busy_seconds:.1f} s, {events / busy_seconds:,.0f} a second")


def _percentiles(seconds: Sequence[float]) -> list[str]:
    if not seconds:
        return ["-", "-"]
    ordered = sorted(seconds)
    return [f"{ordered[int((len(ordered) - 1) * share)] * 1000:,.1f}" for share in (0.5, 0.99)]
