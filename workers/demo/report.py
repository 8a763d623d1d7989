"""The demo's result as tables; a number that is not what was sent is marked."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain

import msgspec
from rich.console import Console
from rich.table import Table

from workers.demo.expected import World
from workers.demo.seeing import Panel
from workers.demo.sending import Measured


class Line(msgspec.Struct, frozen=True):
    """One number, as it must be and as it is."""

    name: str
    expected: int
    found: int

    @property
    def agrees(self) -> bool:
        return self.expected == self.found


def compare(expected: World, found: World, shown: Panel, lifted: tuple[int, int]) -> dict[str, list[Line]]:
    """All numbers, by table. `lifted`: bans that ended by themselves, expected and found."""
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
            Line("notices raised for readers", expected.notices, found.notices),
            Line("unread notices", sum(expected.unread.values()), sum(found.unread.values())),
            Line("readers with another count than they must have", 0, _differing(expected.unread, found.unread)),
            *_by_name("pushes asked for, by {}", expected.pushes, found.pushes),
            Line("customers", expected.customers, found.customers),
        ],
        "Sent more than once": [
            Line("calls answered as before", expected.answered_from_memory, found.answered_from_memory),
            Line("events dropped as duplicates", expected.duplicates_dropped, found.duplicates_dropped),
        ],
        "Refused": list(_by_name("{}", expected.refused, found.refused)),
        "Dead letters": list(_by_name("{}", expected.dead_letters, found.dead_letters)),
    }


def _by_name(pattern: str, expected: Mapping[str, int], found: Mapping[str, int]) -> Iterable[Line]:
    for name in sorted(expected.keys() | found.keys()):
        yield Line(pattern.format(name), expected.get(name, 0), found.get(name, 0))


def _differing(expected: Mapping[str, object], found: Mapping[str, object]) -> int:
    return sum(expected.get(name) != found.get(name) for name in expected.keys() | found.keys())


def disagreeing(tables: Mapping[str, Sequence[Line]]) -> list[Line]:
    return [line for line in chain(*tables.values()) if not line.agrees]


def show(console: Console, tables: Mapping[str, Sequence[Line]]) -> None:
    for title, lines in tables.items():
        table = Table(title=title, title_justify="left")
        table.add_column("", min_width=46)
        for column in ("sent", "found", ""):
            table.add_column(column, justify="right")
        for line in lines:
            sign = "[green]agrees[/]" if line.agrees else "[bold red]differs[/]"
            table.add_row(line.name, f"{line.expected:,}", f"{line.found:,}", sign)
        console.print(table)


def show_speed(console: Console, measured: Measured, events: int, busy_seconds: float) -> None:
    """How quick it was; nothing is judged by it."""
    table = Table(title="Speed", title_justify="left")
    for column in ("", "p50", "p90", "p99", "worst"):
        table.add_column(column, justify="left" if not column else "right", min_width=0 if column else 46)
    table.add_row("from request to answer", *_percentiles(measured.answered))
    table.add_row("from a login's answer to its account in a query", *_percentiles(measured.visible))
    console.print(table)
    requests = len(measured.answered)
    console.print(f"{requests:,} requests in {measured.took:.1f} s: {requests / measured.took:,.0f} a second")
    console.print(f"{events:,} events folded in {busy_seconds:.1f} s: {events / busy_seconds:,.0f} a second")


def _percentiles(seconds: Sequence[float]) -> list[str]:
    if not seconds:
        return ["-"] * 4
    ordered = sorted(seconds)
    ranks = [ordered[min(len(ordered) - 1, int(len(ordered) * share))] for share in (0.5, 0.9, 0.99)]
    return [f"{value * 1000:.1f} ms" for value in (*ranks, ordered[-1])]
