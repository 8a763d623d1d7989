"""`fanfold audit ...` as it is run, against what a run has left behind."""

import asyncio
import os
import sys

from config.settings import Settings
from tests.chaos.stage import environment

AUDITS = ("inboxes", "unread", "usage", "wallets")


async def audits(settings: Settings) -> list[str]:
    """What each of them says, where it does not end well."""
    return [mistake for name in AUDITS for mistake in await _audit(settings, name)]


async def _audit(settings: Settings, name: str) -> list[str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "workers.cli", "audit", name),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, **environment(settings, metrics_port=0), "COLUMNS": "160"},
    )
    said, _ = await process.communicate()
    if process.returncode == 0:
        return []
    return [f"fanfold audit {name} ended with {process.returncode}: {line}" for line in said.decode().splitlines()[-5:]]
