"""SecantusDB: a store that speaks MongoDB's protocol, run as a process of its own (GPL-2.0, never imported)."""

import asyncio
import shutil
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from workers.embedded.child import Command
from workers.embedded.errors import NotInstalled
from workers.embedded.ports import LOOPBACK, answers

PROGRAM = "secantusd-py"
IN_MEMORY = ":memory:"
CACHE = "32G"
"""The most that it may hold in memory; no more is taken than there is to hold. It begins to make room at a twentieth
of this, which it cannot in memory, and then is busy with that for ever: the default came to it at 50 MB."""
WAKE_SECONDS = 0.1
PARALLEL_WRITES = 1
"""What its clients set `mongo.parallel_writes` to: it runs on one core, and takes turns better than it shares."""


def command(port: int, storage: Path | None, *, program: str | None = None, output: Path | None = None) -> Command:
    """The store on a loopback port; without a `storage` folder nothing is kept. Raises NotInstalled."""

    async def probe() -> str | None:
        return None if await answers(port) else f"nobody answers at {uri(port)}"

    # Without syncing each commit, a kill lost acknowledged inserts.
    kept = (
        ("--storage-path", IN_MEMORY, "--cache-size", CACHE)
        if storage is None
        else ("--storage-path", str(storage), "--sync-on-commit")
    )
    return Command(
        name="store",
        argv=(program or _installed(), "--host", LOOPBACK, "--port", str(port), *kept),
        probe=probe,
        output=output,
        stopping=partial(_wake, port),
    )


async def _wake(port: int, ask_again: Callable[[], None]) -> None:
    """Return once it has noticed that it is to stop.

    It waits 2 s for the thread that accepts connections, unless one more connection
    wakes that thread. If it goes on taking connections, the signal was lost: it does
    that to one that comes soon after its start.
    """
    while True:
        for _ in range(2):
            if not await answers(port):
                return
            await asyncio.sleep(WAKE_SECONDS)
        ask_again()


def uri(port: int) -> str:
    # It remembers 10,000 writes that a driver may repeat, and looks at all of them with each further one: after so
    # many, a write took 25 ms in place of 1. Without them one that is cut off is StoreAway: its caller decides.
    return f"mongodb://{LOOPBACK}:{port}/?retryWrites=false"


def port_of(address: str) -> int:
    """The port in what `uri` made."""
    return urlsplit(address).port or 27_017


def _installed() -> str:
    # Beside this interpreter first: a virtual environment need not be on PATH.
    beside = shutil.which(PROGRAM, path=str(Path(sys.executable).parent))
    if program := beside or shutil.which(PROGRAM):
        return program
    raise NotInstalled("The embedded store is not installed: run pip install 'fanfold[embedded]', or give --mongo URI")
