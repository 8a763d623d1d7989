"""From a call's answer to its effect in a query, while 500 calls a second come in.

    python -m bench.visible [--rate 500] [--seconds 20] [--sampled 0.02]

The whole system runs as `fanfold up --ephemeral`. Every call is a signed
`loginCallBack`; for a part of them, each of an account of its own, `getUsers` is
asked from the moment of the answer until it shows the account. The ratio is to
the answer's own latency in the same run: what reading one's own write costs.
"""

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import aiohttp
import msgspec
from rich.console import Console
from rich.table import Table

from gateway.chat_auth import signature_of
from workers.embedded.child import Command, running
from workers.embedded.ports import LOOPBACK, free_port

SECRET_ID, SECRET, TOKEN = "bench", "bench-secret", "bench-token"
ASK_EVERY_SECONDS = 0.01
GIVE_UP_SECONDS = 120.0


class Client:
    """The chat API as its callers use it; collects seconds."""

    def __init__(self, http: aiohttp.ClientSession, base: str) -> None:
        self._http = http
        self._base = f"{base}/message/chat"
        self.answered: list[float] = []
        self.visible: list[float] = []

    async def log_in(self, number: int, account: str) -> None:
        unsigned = {
            "userId": account,
            "onOffline": 0,
            "timestamp": int(time.time() * 1000),
            "nonce": number,
            "secretId": SECRET_ID,
            "requestSeq": str(number),
        }
        started = time.perf_counter()
        await self._post("loginCallBack", unsigned | {"signature": signature_of(unsigned, SECRET)})
        self.answered.append(time.perf_counter() - started)

    async def log_in_and_look(self, number: int) -> None:
        account = f"sampled-{number}"
        await self.log_in(number, account)
        started = time.perf_counter()
        async with asyncio.timeout(GIVE_UP_SECONDS):
            while not await self._shows(account):  # noqa: ASYNC110 - another process's work
                await asyncio.sleep(ASK_EVERY_SECONDS)
        self.visible.append(time.perf_counter() - started)

    async def _shows(self, account: str) -> bool:
        page = await self._post(f"getUsers?accessToken={TOKEN}", {"userIds": [account]})
        return page["total"] == 1

    async def _post(self, operation: str, body: object) -> dict[str, int]:
        headers = {"Content-Type": "application/json"}
        async with self._http.post(f"{self._base}/{operation}", data=msgspec.json.encode(body), headers=headers) as got:
            answer = msgspec.json.decode(await got.read())
            if got.status != 200:
                raise SystemExit(f"{operation}: {got.status} {answer}")
            data: dict[str, int] = answer["data"]
            return data


async def load(client: Client, first: int, count: int, rate: int, sampled: float) -> None:
    """Calls at a steady pace, whatever the answers take."""
    every = round(1 / sampled)
    started = time.perf_counter()
    async with asyncio.TaskGroup() as calls:
        for number in range(first, first + count):
            await asyncio.sleep(max(0.0, started + (number - first) / rate - time.perf_counter()))
            if number % every == 0:
                calls.create_task(client.log_in_and_look(number))
            else:
                calls.create_task(client.log_in(number, f"account-{number % 500}"))


async def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rate", type=int, default=500)
    options.add_argument("--seconds", type=float, default=20)
    options.add_argument("--sampled", type=float, default=0.02)
    chosen = options.parse_args()
    port, metrics_port = free_port(), free_port()
    base = f"http://{LOOPBACK}:{port}"
    with TemporaryDirectory(prefix="fanfold-bench-") as work:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:

            async def probe() -> str | None:
                try:
                    async with http.get(f"http://{LOOPBACK}:{metrics_port}/readyz") as answer:
                        return None if answer.status == 200 else await answer.text()
                except aiohttp.ClientError as error:
                    return str(error)

            argv = (sys.executable, "-m", "workers.cli", "up", "--ephemeral", "--port", str(port))
            command = Command(
                name="fanfold up",
                argv=(*argv, "--metrics-port", str(metrics_port)),
                environment={
                    "FANFOLD_CHAT__SECRETS": f'{{"{SECRET_ID}": "{SECRET}"}}',
                    "FANFOLD_CHAT__ACCESS_TOKENS": f'["{TOKEN}"]',
                    "FANFOLD_LOG__LEVEL": "warning",
                },
                output=Path(work) / "up.log",
                probe=probe,
            )
            async with running(command):
                warm_up = chosen.rate * 2
                await load(Client(http, base), 0, warm_up, chosen.rate, chosen.sampled)
                client = Client(http, base)
                await load(client, warm_up, int(chosen.rate * chosen.seconds), chosen.rate, chosen.sampled)
    report(client, chosen.rate)


def report(client: Client, rate: int) -> None:
    table = Table(
        title=f"{rate} calls a second, {len(client.visible)} of {len(client.answered)} watched, {os.cpu_count()} cores"
    )
    for heading in ("", "p50", "p99"):
        table.add_column(heading, justify="right" if heading else "left")
    rows = {"call answered, ms": client.answered, "answer to visible, ms": client.visible}
    for title, seconds in rows.items():
        table.add_row(title, *(f"{percentile(seconds, share) * 1000:.1f}" for share in (0.5, 0.99)))
    ratios = (percentile(client.visible, share) / percentile(client.answered, share) for share in (0.5, 0.99))
    table.add_row("ratio", *(f"{ratio:.1f}" for ratio in ratios))
    Console().print(table)


def percentile(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


if __name__ == "__main__":
    asyncio.run(main())
