"""Callbacks in while Kafka is away: decisions are given all the same, what is told is to be told again."""

import asyncio
from collections.abc import Sequence

import aiohttp
import pytest
from callbacks_api import TOKEN, ImServer, a_sent, example_of
from im_api import APP, IM
from prometheus_client import REGISTRY

from config.settings import GatewaySettings, ImSettings
from gateway.app import build_app, serving
from gateway.im.callbacks_in import im_callbacks_system
from gateway.system import System
from schemas.errors import BrokerAway
from schemas.events import Event
from schemas.im.callbacks import AFTER_SEND, BEFORE_SEND
from workers.embedded.ports import LOOPBACK


class Silent:
    """A broker that is away, or, with `seconds`, does not acknowledge and is given up then."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    async def publish(self, events: Sequence[Event]) -> None:
        await asyncio.sleep(self._seconds)
        raise BrokerAway("no acknowledgement")


@pytest.fixture
def system() -> System:
    rules = [{"action": "deny", "code": 120001}]
    app = {**IM["apps"][APP], "callbacks_in": {"token": TOKEN, "rules": rules}}
    return im_callbacks_system(ImSettings.model_validate({"apps": {APP: app}}))


def unrecorded() -> float:
    return REGISTRY.get_sample_value("fanfold_gateway_decisions_unrecorded_total", {"system": "im-callbacks"}) or 0


@pytest.mark.parametrize("seconds", [0, 4])
async def test_what_is_forbidden_is_denied_though_the_record_of_it_is_lost(system: System, seconds: float) -> None:
    limits = GatewaySettings(port=0)
    app = build_app(limits, (system,), Silent(seconds), dict)
    async with serving(app, limits) as port, aiohttp.ClientSession(f"http://{LOOPBACK}:{port}") as http:
        before = unrecorded()

        answer = await ImServer(http).ok(BEFORE_SEND, example_of(BEFORE_SEND))

    assert (answer["ErrorCode"], unrecorded() - before) == (120001, 1)


async def test_what_is_told_is_refused_until_it_is_kept(system: System) -> None:
    limits = GatewaySettings(port=0)
    app = build_app(limits, (system,), Silent(0), dict)
    async with serving(app, limits) as port, aiohttp.ClientSession(f"http://{LOOPBACK}:{port}") as http:
        called = await ImServer(http).call(AFTER_SEND, a_sent("bob", "al", 1, 1_700_000_000))

    assert (called.status, called.body["ActionStatus"]) == (503, "FAIL")
