"""`fanfold up --ephemeral` as a child, on free ports, with keys of its own."""

import asyncio
import os
import re
import shlex
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import orjson

from config.settings import ENV_PREFIX, KafkaSettings, MongoSettings
from workers.demo import messages, traffic, usage
from workers.embedded.child import Command, running
from workers.embedded.ports import LOOPBACK, free_port

READY = re.compile(r"Fanfold is ready: .* (?P<environment>\S+)$", re.MULTILINE)


class Place(msgspec.Struct, frozen=True):
    """Where everything is, once it is ready."""

    api: str
    metrics: str
    kafka: KafkaSettings
    mongo: MongoSettings


@asynccontextmanager
async def everything(folder: Path) -> AsyncIterator[Place]:
    """All of Fanfold, ready; stopped at the end. Raises CannotStart."""
    port, metrics_port, output = free_port(), free_port(), folder / "up.log"
    options = ("--ephemeral", "--port", str(port), "--metrics-port", str(metrics_port))

    async def probe() -> str | None:
        text = await asyncio.to_thread(output.read_text)
        return None if READY.search(text) else "it has not said that it is ready"

    command = Command(
        name="fanfold up",
        argv=(sys.executable, "-m", "workers.cli", "up", *options),
        probe=probe,
        environment=_keys(),
        output=output,
        ready_seconds=60,
        drain_seconds=30,
    )
    async with running(command):
        kafka, mongo = _addresses(output.read_text())
        yield Place(f"http://{LOOPBACK}:{port}", f"http://{LOOPBACK}:{metrics_port}", kafka, mongo)


def forget_other_settings(folder: Path) -> None:
    """Nothing that is set in this shell or folder is for the demo."""
    os.chdir(folder)
    for name in [name for name in os.environ if name.startswith(ENV_PREFIX)]:
        del os.environ[name]


def _keys() -> dict[str, str]:
    values = {
        "CHAT__SECRETS": {traffic.SECRET_ID: traffic.SECRET},
        "CHAT__ACCESS_TOKENS": [traffic.CHAT_TOKEN],
        "EVENTS__TOKENS": [traffic.EVENTS_TOKEN],
        "OPERATORS__TOKENS": [traffic.OPERATORS_TOKEN],
        "IM__APPS": {messages.APP: {"key": messages.KEY, "admins": [messages.ADMIN]}},
        "METERING__TOKENS": {usage.OPERATOR_TOKEN: {"role": "operator", "user_id": 1, "name": "demo"}},
        "PUSH__TOKENS": [traffic.PUSH_TOKEN],
        # The demo's own receiver; elsewhere pushes reach no private address.
        "PUSH__ALLOW_NETWORKS": [f"{LOOPBACK}/32"],
    }
    return {ENV_PREFIX + name: orjson.dumps(value).decode() for name, value in values.items()}


def _addresses(output: str) -> tuple[KafkaSettings, MongoSettings]:
    """Broker and store, from the file that `up` names for other commands."""
    ready = READY.search(output)
    if ready is None:
        raise RuntimeError("fanfold up no longer says where its addresses are")
    [file] = shlex.split(ready["environment"])
    lines = Path(file).read_text().splitlines()
    known = {name: value for [line] in map(shlex.split, lines) for name, _, value in [line.partition("=")]}

    def part(name: str) -> dict[str, str]:
        prefix = f"{ENV_PREFIX}{name}__"
        return {key.removeprefix(prefix).lower(): value for key, value in known.items() if key.startswith(prefix)}

    return KafkaSettings.model_validate(part("KAFKA")), MongoSettings.model_validate(part("MONGO"))
