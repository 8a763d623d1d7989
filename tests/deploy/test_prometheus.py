"""A real Prometheus, with the rules as deployed, looks at everything that `fanfold up` runs."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest

from workers.demo.running import Place, everything, forget_other_settings
from workers.embedded.child import Command, running
from workers.embedded.ports import LOOPBACK, free_port

ROOT = Path(__file__).parents[2]
RULES = ROOT / "deploy/prometheus/alerts.yml"
PROMETHEUS = """
global: {{scrape_interval: 500ms, evaluation_interval: 500ms}}
rule_files: [{rules}]
scrape_configs: [{{job_name: fanfold, static_configs: [{{targets: ["{target}"]}}]}}]
"""


def program(name: str) -> str:
    """From the folder of PROMTOOL, or from PATH."""
    beside = os.path.dirname(os.environ.get("PROMTOOL", "")) or None
    if found := shutil.which(name, path=beside):
        return found
    if os.environ.get("CI"):
        pytest.fail(f"{name} is not there: install Prometheus, or run `make promtool`")
    pytest.skip(f"{name} is not installed")


@pytest.fixture(scope="session")
async def place(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Place]:
    folder = tmp_path_factory.mktemp("up")
    before = Path.cwd()
    forget_other_settings(folder)
    async with everything(folder) as place:
        yield place
    os.chdir(before)


@pytest.fixture(scope="session")
async def prometheus(place: Place, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[aiohttp.ClientSession]:
    folder, port = tmp_path_factory.mktemp("prometheus"), free_port()
    settings = folder / "prometheus.yml"
    settings.write_text(PROMETHEUS.format(rules=RULES, target=urlsplit(place.metrics).netloc))

    async def probe() -> str | None:
        try:
            async with session.get("/-/ready") as answer:
                return None if answer.status == 200 else "it is not ready"
        except aiohttp.ClientError:
            return "it does not answer"

    options = (f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address={LOOPBACK}:{port}")
    argv = (program("prometheus"), f"--config.file={settings}", *options)
    async with (
        aiohttp.ClientSession(f"http://{LOOPBACK}:{port}") as session,
        running(Command(name="prometheus", argv=argv, probe=probe, output=folder / "log")),
    ):
        yield session


async def data(session: aiohttp.ClientSession, path: str, **query: str) -> Any:
    async with session.get(f"/api/v1/{path}", params=query, raise_for_status=True) as answer:
        return (await answer.json())["data"]


async def until(look: Callable[[], Awaitable[Any]]) -> Any:
    """What it sees, once it sees something."""
    async with asyncio.timeout(60):
        while not (seen := await look()):  # noqa: ASYNC110 - Prometheus tells nobody
            await asyncio.sleep(0.2)
        return seen


async def test_live_metrics_are_named_and_described_as_prometheus_wants_them(place: Place) -> None:
    async with aiohttp.ClientSession() as session, session.get(f"{place.metrics}/metrics") as answer:
        metrics = await answer.read()
    ended = await asyncio.to_thread(
        subprocess.run, [program("promtool"), "check", "metrics"], input=metrics, capture_output=True
    )

    assert ended.returncode == 0, ended.stdout + ended.stderr


async def test_prometheus_reaches_it_and_sees_the_clock_lead(prometheus: aiohttp.ClientSession) -> None:
    async def leader() -> Any:
        return (await data(prometheus, "query", query="sum(fanfold_clock_leading) == 1"))["result"]

    await until(leader)
    assert [target["health"] for target in (await data(prometheus, "targets"))["activeTargets"]] == ["up"]


async def test_prometheus_evaluates_every_rule_and_a_quiet_system_alarms_nobody(
    prometheus: aiohttp.ClientSession,
) -> None:
    async def evaluated() -> set[str]:
        groups = (await data(prometheus, "rules"))["groups"]
        health = {rule["health"] for group in groups for rule in group["rules"]}
        return set() if "unknown" in health else health

    assert await until(evaluated) == {"ok"}
    alerts = (await data(prometheus, "alerts"))["alerts"]
    assert [alert["labels"]["alertname"] for alert in alerts if alert["state"] == "firing"] == []
