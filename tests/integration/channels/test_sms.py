"""Mobile texts against an SMS gateway that checks signatures as Standard Webhooks says."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from channel_peers import a_net, a_peer, a_push
from pydantic import SecretStr
from standardwebhooks import Webhook

from channels.channel import Came, Channel, Target
from channels.registry import ways
from channels.signing import new_secret
from config.settings import Settings, SmsSettings

NUMBER = "+8613812345678"
SECRET = new_secret()


def with_gateway(url: str | None) -> Settings:
    sms = SmsSettings() if url is None else SmsSettings(url=SecretStr(url), secret=SecretStr(SECRET))
    return Settings().model_copy(update={"sms": sms})


@asynccontextmanager
async def a_sms(url: str | None) -> AsyncIterator[Channel]:
    """Opened without a network that is allowed: the operator names the gateway."""
    async with a_net(()) as net, ways()["sms"].open(with_gateway(url), net) as channel:
        yield channel


async def test_a_text_is_one_signed_post_to_the_gateway() -> None:
    async with a_peer() as peer, a_sms(f"{peer.url}/texts?key=abcdefgh") as sms:
        receipt = await sms.send(
            a_push(id="dl_7", title="Errors", body="3 calls failed"), Target(address=f"tel:{NUMBER}")
        )

    [got] = peer.got
    assert receipt.came == Came.DELIVERED
    assert (got.path, got.query) == ("/texts", {"key": "abcdefgh"})
    Webhook(SECRET).verify(got.body, got.headers)
    assert json.loads(got.body) == {"id": "dl_7", "to": NUMBER, "text": "Errors\n3 calls failed"}


async def test_a_long_text_is_shortened() -> None:
    async with a_peer() as peer, a_sms(peer.url) as sms:
        await sms.send(a_push(body="很" * 2_000), Target(address=f"tel:{NUMBER}"))

    [got] = peer.got
    assert len(json.loads(got.body)["text"].encode()) <= 1_000


async def test_what_is_no_number_is_refused_and_no_gateway_is_waited_for() -> None:
    async with a_peer() as peer, a_sms(peer.url) as sms:
        refused = await sms.send(a_push(), Target(address="https://example.com"))
    async with a_sms(None) as unset:
        waiting = await unset.send(a_push(), Target(address=f"tel:{NUMBER}"))

    assert (refused.came, waiting.came) == (Came.REFUSED, Came.RETRY)
    assert peer.got == []
    assert ways()["sms"].configured(with_gateway("http://127.0.0.1/"))
    assert not ways()["sms"].configured(with_gateway(None))


@pytest.mark.parametrize(
    "sms", [{"url": "ftp://a"}, {"url": "http://a"}, {"url": "http://a", "secret": "whsec_c2hvcnQ="}]
)
def test_a_gateway_without_a_usable_address_and_secret_is_refused_at_the_start(sms: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="expected"):
        SmsSettings.model_validate(sms)
