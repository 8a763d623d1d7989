"""`fanfold` as it is run: a process of its own, with the test's settings in its environment."""

import asyncio
import json
import os
import sys
from typing import Any

import msgspec

from config.settings import Settings


class Ended(msgspec.Struct):
    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Fanfold:
    """Runs `fanfold` with the test's settings in its environment."""

    def __init__(self, settings: Settings, **environment: str) -> None:
        self._environment = {
            "FANFOLD_KAFKA__BOOTSTRAP": settings.kafka.bootstrap,
            "FANFOLD_KAFKA__PREFIX": settings.kafka.prefix,
            "FANFOLD_KAFKA__IDEMPOTENT": str(settings.kafka.idempotent),
            "FANFOLD_MONGO__URI": settings.mongo.uri.get_secret_value(),
            "FANFOLD_MONGO__DATABASE": settings.mongo.database,
            "FANFOLD_MONGO__TIMEOUT_SECONDS": "1",
            "FANFOLD_CHAT__SECRETS": '{"demo":"a-secret-of-the-test"}',
            **environment,
        }

    async def __call__(self, *arguments: str, typed: str = "", **environment: str) -> Ended:
        """`typed` is its standard input."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "workers.cli", *arguments),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "COLUMNS": "160", **self._environment, **environment},
        )
        out, err = await process.communicate(typed.encode())
        return Ended(await process.wait(), out.decode(), err.decode())
