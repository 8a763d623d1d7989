"""The command line `fanfold`. Every command imports what it needs when it runs: `--help` stays quick."""

import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from workers.cli_jobs import jobs
from workers.cli_products import products
from workers.cli_push import deliveries, endpoints
from workers.cli_statements import statements
from workers.cli_usage import usage
from workers.cli_wallets import recharges, sessions
from workers.commands.running import Json, Limit, effective_settings, run, run_quietly

app = typer.Typer(
    help="API calls and callbacks become Kafka events, folded exactly once into MongoDB documents.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
topics = typer.Typer(help="The topics of the registry.", no_args_is_help=True)
app.add_typer(topics, name="topics")
dead_letters = typer.Typer(
    help="Records that could not be folded: look at them, replay, discard.", no_args_is_help=True
)
app.add_typer(dead_letters, name="dead-letters")
app.add_typer(endpoints, name="endpoints")
app.add_typer(deliveries, name="deliveries")
app.add_typer(jobs, name="jobs")
app.add_typer(usage, name="usage")
app.add_typer(products, name="products")
app.add_typer(statements, name="statements")
app.add_typer(sessions, name="sessions")
app.add_typer(recharges, name="recharges")
audit = typer.Typer(help="Count anew, and compare with what is written down.", no_args_is_help=True)
app.add_typer(audit, name="audit")

Ids = Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Letters, as `list` shows them.")]
Reason = Annotated[str | None, typer.Option(help="Only letters of this reason.")]
TopicName = Annotated[str | None, typer.Option("--topic", help="Only letters from this topic, by its name in Kafka.")]
All = Annotated[bool, typer.Option("--all", help="All open letters, or those that --reason and --topic choose.")]


class Broker(StrEnum):
    tansu = "tansu"
    apache = "apache"


class LetterState(StrEnum):
    open = "open"
    replayed = "replayed"
    discarded = "discarded"


class WorkerName(StrEnum):
    folder = "folder"
    router = "router"
    dispatcher = "dispatcher"
    rater = "rater"
    sentinel = "sentinel"
    clock = "clock"
    jobs = "jobs"


@app.command()
def up(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the HTTP APIs.")] = 8080,
    metrics_port: Annotated[int, typer.Option(min=0, max=65535, help="Port of /metrics, /healthz and /readyz.")] = 9400,
    data: Annotated[Path, typer.Option(help="Folder of everything that is kept.")] = Path("var"),
    ephemeral: Annotated[bool, typer.Option("--ephemeral", help="Keep nothing.")] = False,
    broker: Annotated[
        Broker, typer.Option(help="Which broker to start: Tansu keeps its log in memory, Apache Kafka under --data.")
    ] = Broker.tansu,
    kafka: Annotated[str | None, typer.Option(metavar="HOST:PORT", help="Use this broker; start none.")] = None,
    mongo: Annotated[str | None, typer.Option(metavar="URI", help="Use this store; start none.")] = None,
) -> None:
    """Run everything on this machine, until Ctrl-C or SIGTERM."""
    from workers.up import UpOptions
    from workers.up import up as run_up

    effective_settings()
    options = UpOptions(
        port=port,
        metrics_port=metrics_port,
        data=data,
        ephemeral=ephemeral,
        broker=broker.value,
        kafka=kafka,
        mongo=mongo,
    )
    sys.exit(run(run_up(options)))


@app.command()
def gateway() -> None:
    """Run the HTTP gateway."""
    from workers.commands import process

    effective = effective_settings()
    process.gateway(effective)


@app.command()
def worker(names: Annotated[list[WorkerName], typer.Argument(help="Which to run, together in one process.")]) -> None:
    """Run workers.

    [b]folder[/] folds events into documents, [b]router[/] decides where pushes go, [b]dispatcher[/] delivers them,
    [b]rater[/] rates calls and adds them up, [b]sentinel[/] raises error alerts, [b]clock[/] does what is due at a
    time, [b]jobs[/] does long pieces of work step by step.
    """
    from workers.commands import process

    effective = effective_settings()
    process.worker(effective, dict.fromkeys(name.value for name in names))


@topics.command("sync")
def sync_topics() -> None:
    """Create the topics and the store's indexes that are missing. Safe to repeat."""
    from workers.commands.topics import sync

    effective = effective_settings()
    run_quietly(sync(effective))


@topics.command("list")
def list_topics(as_json: Json = False) -> None:
    """Show every topic: its key, partitions, retention, events, and whether Kafka has it."""
    from workers.commands.topics import show_topics

    effective = effective_settings()
    run_quietly(show_topics(effective, as_json=as_json))


@app.command()
def lag(as_json: Json = False) -> None:
    """Show how many events each partition still has to fold."""
    from workers.commands.topics import show_lag

    effective = effective_settings()
    run_quietly(show_lag(effective, as_json=as_json))


@dead_letters.command("list")
def list_letters(
    state: Annotated[LetterState | None, typer.Option(help="Only letters in this state.")] = None,
    reason: Reason = None,
    topic: TopicName = None,
    after: Annotated[str | None, typer.Option(metavar="ID", help="Start behind this letter.")] = None,
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """List dead letters, newest first."""
    from stores.dead_letters import State, Which
    from workers.commands.letters import show_list

    effective = effective_settings()
    which = Which(State(state.value) if state else None, reason, topic)
    run_quietly(show_list(effective, which, after=after, limit=limit, as_json=as_json))


@dead_letters.command("show")
def show_letter(
    letter_id: Annotated[str, typer.Argument(metavar="ID", help="The letter, as `list` shows it.")],
    as_json: Json = False,
) -> None:
    """Show one dead letter whole: where the record came from, what is in it, what went wrong."""
    from workers.commands.letters import show_one

    effective = effective_settings()
    run_quietly(show_one(effective, letter_id, as_json=as_json))


@dead_letters.command("replay")
def replay_letters(ids: Ids = None, everything: All = False, reason: Reason = None, topic: TopicName = None) -> None:
    """Put records back into their topics as they were; an event that was folded already does not count again."""
    from stores.dead_letters import Which
    from workers.commands.letters import check_choice, replay

    effective = effective_settings()
    which = check_choice(ids or [], everything, Which(reason=reason, topic=topic))
    run_quietly(replay(effective, ids or [], which))


@dead_letters.command("discard")
def discard_letters(ids: Ids = None, everything: All = False, reason: Reason = None, topic: TopicName = None) -> None:
    """Close dead letters without putting their records back."""
    from stores.dead_letters import Which
    from workers.commands.letters import check_choice, discard

    effective = effective_settings()
    which = check_choice(ids or [], everything, Which(reason=reason, topic=topic))
    run_quietly(discard(effective, ids or [], which))


@app.command()
def sign(
    secret_id: Annotated[
        str | None, typer.Option(help="Whose key signs; left out: the body's secretId, or the first.")
    ] = None,
) -> None:
    """Sign a JSON body from standard input for the chat API.

    fanfold sign < body.json | curl -d @- -H 'Content-Type: application/json' http://127.0.0.1:8080/message/chat/...
    """
    from datetime import UTC, datetime

    from workers.commands import signing

    secrets = effective_settings().chat.secrets
    typer.echo(signing.sign(sys.stdin.buffer.read(), secrets, secret_id, datetime.now(UTC)))


@app.command()
def usersig(
    im_app: Annotated[str | None, typer.Option("--app", metavar="SDKAPPID", help="Left out: the first.")] = None,
    identifier: Annotated[str | None, typer.Option(help="Who calls; left out: the app's first admin.")] = None,
    expire: Annotated[int, typer.Option(min=1, max=2**31, metavar="SECONDS", help="How long it is good for.")] = 86400,
) -> None:
    """Make a UserSig for the IM server API.

    curl -d '{}' "http://127.0.0.1:8080/v4/...?sdkappid=1400000001&identifier=administrator&usersig=$(fanfold usersig)"
    """
    from datetime import UTC, datetime

    from workers.commands.usersig import user_sig

    typer.echo(user_sig(effective_settings().im.apps, im_app, identifier, datetime.now(UTC), expire))


@app.command("hash-password")
def hash_password() -> None:
    """Hash an agent's password for `contact_binding.agents`; it is typed, or comes by standard input."""
    from workers.commands.passwords import hashed

    typer.echo(hashed())


@app.command()
def doctor(as_json: Json = False) -> None:
    """Show the effective settings, check everything they point to, and say what to do about what is wrong."""
    from workers.commands.doctoring import report

    effective = effective_settings()
    run_quietly(report(effective, as_json=as_json))


@audit.command("inboxes")
def audit_inboxes(as_json: Json = False) -> None:
    """Count what is unread in every inbox by its entries; ends with status 1 where a count differs.

    While the folder is behind ([b]fanfold lag[/]) an inbox may differ for a moment: one that does is looked at again.
    """
    from workers.commands.audits import inboxes

    effective = effective_settings()
    run_quietly(inboxes(effective, as_json=as_json))


@audit.command("unread")
def audit_unread(as_json: Json = False) -> None:
    """Count what is unread between users of IM apps by their messages; ends with status 1 where a count differs.

    While the folder is behind ([b]fanfold lag[/]) one may differ for a moment: one that does is looked at again.
    """
    from workers.commands.audits import unread

    effective = effective_settings()
    run_quietly(unread(effective, as_json=as_json))


@audit.command("usage")
def audit_usage(as_json: Json = False) -> None:
    """Add up all calls anew and compare with their totals, free calls and the ledger; status 1 where one differs.

    While the rater is behind ([b]fanfold lag[/]) one may differ for a moment: one that does is looked at again.
    """
    from workers.commands.usage import audit as audit_all

    run_quietly(audit_all(effective_settings(), as_json=as_json))


@audit.command("wallets")
def audit_wallets(as_json: Json = False) -> None:
    """Add up the ledger: balances, all accounts, and each day's usage by its calls; status 1 where one differs.

    While facts are folded ([b]fanfold lag[/]) one may differ for a moment: one that does is looked at again.
    """
    from workers.commands.audits import wallets

    run_quietly(wallets(effective_settings(), as_json=as_json))


@app.command()
def asyncapi() -> None:
    """Print the catalogue of events as an AsyncAPI document."""
    from workers.reference import asyncapi_text

    typer.echo(asyncapi_text(), nl=False)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command. What goes wrong without a bug is one sentence; a bug is a traceback."""
    try:
        app(arguments)
    except Exception as error:
        from workers.commands.console import say, told

        if (sentence := told(error)) is None:
            raise
        say(sentence[0])
        sys.exit(sentence[1])


if __name__ == "__main__":
    main()
