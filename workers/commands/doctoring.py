"""`fanfold doctor`: the effective settings and the findings, as tables."""

from rich.markup import escape
from rich.table import Table

from config.settings import Settings, settings_file
from workers.commands.console import WRONG, out, print_json
from workers.doctor import Finding, Verdict, examine, something_wrong

SIGNS = {Verdict.OK: "[green]ok[/]", Verdict.NOTE: "[yellow]note[/]", Verdict.WRONG: "[red]wrong[/]"}


async def report(settings: Settings, *, as_json: bool) -> None:
    """Show everything. Ends with status 1 if something is wrong."""
    findings = await examine(settings)
    # Secrets show as asterisks, for that is how pydantic serialises them.
    effective = settings.model_dump(mode="json")
    if as_json:
        shown = [{"subject": f.subject, "verdict": f.verdict, "text": f.text, "remedy": f.remedy} for f in findings]
        print_json({"settings": effective, "findings": shown, "healthy": not something_wrong(findings)})
    else:
        _show_settings(effective, type(settings).model_construct().model_dump(mode="json"))
        _show_findings(findings)
    if something_wrong(findings):
        raise SystemExit(WRONG)


def _show_settings(effective: dict[str, dict[str, object]], defaults: dict[str, dict[str, object]]) -> None:
    source = settings_file() or "no fanfold.toml here"
    table = Table(title=f"Settings (environment, then {source}, then defaults)", title_justify="left")
    table.add_column("setting", no_wrap=True)
    table.add_column("value", overflow="fold")
    for part, values in effective.items():
        for name, value in values.items():
            changed = value != defaults[part][name]
            shown = escape(str(value))
            table.add_row(f"{part}.{name}", f"[bold]{shown}[/]" if changed else f"[dim]{shown}[/]")
        table.add_section()
    out().print(table)


def _show_findings(findings: list[Finding]) -> None:
    table = Table(title="Findings", title_justify="left")
    for column in ("what", "is", "found", "what to do"):
        table.add_column(column, overflow="fold")
    for finding in findings:
        table.add_row(finding.subject, SIGNS[finding.verdict], escape(finding.text), escape(finding.remedy))
    out().print(table)
