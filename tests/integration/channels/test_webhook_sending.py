"""Webhooks over real sockets, checked as their receivers check them."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator

import pytest
from channel_peers import a_channel, a_peer, a_push, a_raw_peer, answering
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from standardwebhooks import Webhook, WebhookVerificationError

from channels.channel import Came, Channel, Target
from channels.signing import new_key_pair, new_secret

SECRET = new_secret()


@pytest.fixture(scope="module")
async def webhook() -> AsyncIterator[Channel]:
    async with a_channel("webhook") as channel:
        yield channel


async def test_the_receivers_package_takes_what_is_sent(webhook: Channel) -> None:
    async with a_peer() as peer:
        receipt = await webhook.send(a_push(), Target(address=f"{peer.url}/in?a=b", secrets=(SECRET,)))

    assert (receipt.came, receipt.status, receipt.response) == (Came.DELIVERED, 200, "fine")
    [got] = peer.got
    assert Webhook(SECRET).verify(got.body, got.headers) == {
        "type": "detection.noticed",
        "timestamp": "2026-03-01T12:30:00Z",
        "data": {
            "recipient": "user/7",
            "urgency": "high",
            "title": "Ban",
            "body": "An account was banned.",
            "fields": {"account": "u1"},
        },
    }
    assert (got.path, got.query) == ("/in", {"a": "b"})
    assert got.headers["webhook-id"] == "dl_1"
    assert got.headers["content-type"] == "application/json"


async def test_during_a_rotation_old_and_new_secret_are_good_and_others_are_not(webhook: Channel) -> None:
    new, old = new_secret(24), new_secret(64)
    async with a_peer() as peer:
        await webhook.send(a_push(), Target(address=peer.url, secrets=(new, old)))

    [got] = peer.got
    assert Webhook(new).verify(got.body, got.headers) == Webhook(old).verify(got.body, got.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(new_secret()).verify(got.body, got.headers)


async def test_a_receiver_with_the_public_key_alone_can_check(webhook: Channel) -> None:
    private, public = new_key_pair()
    async with a_peer() as peer:
        await webhook.send(a_push(), Target(address=peer.url, secrets=(private, SECRET)))

    [got] = peer.got
    Webhook(SECRET).verify(got.body, got.headers)
    [signature] = [part for part in got.headers["webhook-signature"].split() if part.startswith("v1a,")]
    signed = f"{got.headers['webhook-id']}.{got.headers['webhook-timestamp']}.".encode() + got.body
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public.removeprefix("whpk_")))
    key.verify(base64.b64decode(signature.removeprefix("v1a,")), signed)


async def test_a_repeat_has_the_same_id_and_body(webhook: Channel) -> None:
    async with a_peer() as peer:
        for _ in range(2):
            await webhook.send(a_push(), Target(address=peer.url, secrets=(SECRET,)))

    first, second = peer.got
    assert (first.headers["webhook-id"], first.body) == (second.headers["webhook-id"], second.body)


async def test_many_at_once_are_each_signed_for_themselves(webhook: Channel) -> None:
    secrets = [new_secret() for _ in range(50)]
    async with a_peer() as peer:
        await asyncio.gather(
            *(
                webhook.send(a_push(id=f"dl_{number}"), Target(address=peer.url, secrets=(secret,)))
                for number, secret in enumerate(secrets)
            )
        )

    assert len(peer.got) == 50
    for got in peer.got:
        secret = secrets[int(got.headers["webhook-id"].removeprefix("dl_"))]
        Webhook(secret).verify(got.body, got.headers)


async def test_headers_of_the_endpoint_go_along_and_are_not_shown_in_what_comes_back(webhook: Channel) -> None:
    async with a_peer(answering(400, "Bearer of-good-news is not welcome")) as peer:
        options = {"headers": {"Authorization": "Bearer of-good-news"}}
        receipt = await webhook.send(a_push(), Target(address=peer.url, secrets=(SECRET,), options=options))

    assert peer.got[0].headers["authorization"] == "Bearer of-good-news"
    assert (receipt.came, receipt.response) == (Came.REFUSED, "*** is not welcome")


async def test_a_payload_that_is_too_large_is_refused_whole(webhook: Channel) -> None:
    async with a_peer() as peer:
        receipt = await webhook.send(a_push(body="x" * 20_480), Target(address=peer.url, secrets=(SECRET,)))

    assert receipt.came == Came.REFUSED
    assert receipt.response is not None
    assert "at most 20480 are sent" in receipt.response
    assert not peer.got


async def test_nothing_is_sent_without_a_signature(webhook: Channel) -> None:
    async with a_peer() as peer:
        for secrets in ((), ("not-a-secret",)):
            receipt = await webhook.send(a_push(), Target(address=peer.url, secrets=secrets))
            assert receipt.came == Came.REFUSED
            assert "not-a-secret" not in (receipt.response or "")

    assert not peer.got


@pytest.mark.parametrize(
    ("status", "headers", "came", "wait"),
    [
        (204, {}, Came.DELIVERED, None),
        (410, {}, Came.GONE, None),
        (429, {"Retry_After": "17"}, Came.RETRY, 17.0),
        (503, {"Retry_After": "Thu, 01 Jan 1970 00:00:00 GMT"}, Came.RETRY, 0.0),
        (500, {}, Came.RETRY, None),
        (404, {}, Came.REFUSED, None),
        (413, {}, Came.REFUSED, None),
    ],
)
async def test_what_the_receiver_answers_is_what_came_of_it(
    webhook: Channel, status: int, headers: dict[str, str], came: Came, wait: float | None
) -> None:
    async with a_peer(answering(status, "said", **headers)) as peer:
        receipt = await webhook.send(a_push(), Target(address=peer.url, secrets=(SECRET,)))

    assert (receipt.came, receipt.status, receipt.retry_after_seconds) == (came, status, wait)


async def test_a_receiver_that_hangs_is_tried_again() -> None:
    never = asyncio.Event()

    async def hang(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await never.wait()

    async with a_raw_peer(hang) as url, a_channel("webhook", timeout_seconds=0.2) as channel:
        receipt = await channel.send(a_push(), Target(address=url, secrets=(SECRET,)))
        never.set()

    assert (receipt.came, receipt.status, receipt.response) == (Came.RETRY, None, "no answer within 0.2 s")


async def test_an_answer_that_trickles_counts_by_its_status() -> None:
    never = asyncio.Event()

    async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nbegun")
        await never.wait()

    async with a_raw_peer(trickle) as url, a_channel("webhook", timeout_seconds=0.5) as channel:
        receipt = await channel.send(a_push(), Target(address=url, secrets=(SECRET,)))
        never.set()

    assert (receipt.came, receipt.status, receipt.response) == (Came.DELIVERED, 200, "begun")


async def test_an_endless_answer_is_read_to_its_beginning_and_cut_off(webhook: Channel) -> None:
    cut_off, written = asyncio.Event(), 0

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal written
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n")
        try:
            while True:
                writer.write(b"x" * 65_536)
                await writer.drain()
                written += 65_536
        finally:
            cut_off.set()

    async with a_raw_peer(endless) as url:
        receipt = await webhook.send(a_push(), Target(address=url, secrets=(SECRET,)))
        await cut_off.wait()

    assert receipt.came == Came.DELIVERED
    assert receipt.response == "x" * 500
    assert written < 64 * 1024 * 1024  # what the buffers of two sockets hold, with room


@pytest.mark.parametrize("said", [b"", b"SSH-2.0-OpenSSH_9.6\r\n", b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000])
async def test_what_is_no_http_is_tried_again(webhook: Channel, said: bytes) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(said)
        await writer.drain()

    async with a_raw_peer(talk) as url:
        receipt = await webhook.send(a_push(), Target(address=f"{url}/secret-path", secrets=(SECRET,)))

    assert (receipt.came, receipt.status) == (Came.RETRY, None)
    assert "secret-path" not in (receipt.response or "")


async def test_cookies_are_not_kept_and_answers_not_unpacked(webhook: Channel) -> None:
    async with a_peer(answering(200, "plain", Set_Cookie="a=b; Path=/", Content_Encoding="gzip")) as peer:
        for _ in range(2):
            receipt = await webhook.send(a_push(), Target(address=peer.url, secrets=(SECRET,)))

    assert receipt.response == "plain"
    assert [got.headers.get("cookie") for got in peer.got] == [None, None]
    assert peer.got[0].headers["accept-encoding"] == "identity"
    assert json.loads(peer.got[0].body)["type"] == "detection.noticed"
