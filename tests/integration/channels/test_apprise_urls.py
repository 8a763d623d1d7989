"""Apprise, in its helper process: it delivers, and keeps in bounds whatever a URL asks for."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from channel_peers import Peer, a_channel, a_peer, a_push, a_raw_peer, answering

from channels.addresses import AddressRefused
from channels.channel import Came, Channel, Target

REFUSED = str(AddressRefused())


@pytest.fixture(scope="module")
async def apprise() -> AsyncIterator[Channel]:
    async with a_channel("apprise") as channel:
        yield channel


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    async with a_peer() as peer:
        yield peer


def json_url(peer: Peer, path: str = "/in", host: str = "127.0.0.1") -> Target:
    return Target(address=f"json://{host}:{peer.port}{path}")


async def test_a_message_reaches_an_apprise_url(apprise: Channel, peer: Peer) -> None:
    receipt = await apprise.send(a_push(), json_url(peer))

    assert receipt.came == Came.DELIVERED
    [got] = peer.got
    sent = json.loads(got.body)
    assert (got.path, sent["title"], sent["message"], sent["type"]) == (
        "/in",
        "Ban",
        "An account was banned.",
        "warning",
    )


async def test_a_title_alone_is_the_message(apprise: Channel, peer: Peer) -> None:
    await apprise.send(a_push(body=None, urgency="low"), json_url(peer))

    sent = json.loads(peer.got[0].body)
    assert (sent["title"], sent["message"], sent["type"]) == ("", "Ban", "info")


async def test_messages_go_out_beside_one_another(apprise: Channel) -> None:
    together, arrived = asyncio.Event(), 0

    async def wait_for_all(_: web.Request) -> web.Response:
        nonlocal arrived
        arrived += 1
        if arrived == 5:
            together.set()
        await together.wait()
        return web.Response()

    async with a_peer(wait_for_all) as peer:
        receipts = await asyncio.gather(*(apprise.send(a_push(id=f"dl_{n}"), json_url(peer)) for n in range(5)))

    assert {receipt.came for receipt in receipts} == {Came.DELIVERED}


async def test_what_does_not_work_is_tried_again(apprise: Channel) -> None:
    async with a_peer(answering(500)) as peer:
        receipt = await apprise.send(a_push(), Target(address=f"json://127.0.0.1:{peer.port}/?retry=5"))

    assert receipt.came == Came.RETRY
    assert len(peer.got) == 1


@pytest.mark.parametrize("url", ["nosuchservice://host", "json://", "not a url", "syslog://", "dbus://"])
async def test_a_url_that_apprise_cannot_use_is_refused(apprise: Channel, url: str) -> None:
    receipt = await apprise.send(a_push(), Target(address=url))

    assert receipt.came == Came.REFUSED
    assert url not in (receipt.response or "")


async def test_the_guard_holds_for_apprise_by_address_name_and_datagram(peer: Peer) -> None:
    async with a_channel("apprise", allow=()) as channel:
        for host in ("127.0.0.1", "localhost", "0.0.0.0"):
            receipt = await channel.send(a_push(), json_url(peer, host=host))
            assert (receipt.came, receipt.response) == (Came.REFUSED, REFUSED)
        receipt = await channel.send(a_push(), Target(address="rsyslog://localhost"))
        assert (receipt.came, receipt.response) == (Came.REFUSED, REFUSED)

    assert not peer.got


async def test_a_redirect_is_not_followed_even_if_the_url_says_so(apprise: Channel, peer: Peer) -> None:
    async with a_peer(answering(307, Location=f"{peer.url}/inside")) as redirecting:
        receipt = await apprise.send(a_push(), json_url(redirecting, "/?redirect=yes"))

    assert receipt.came == Came.RETRY
    assert not peer.got


async def test_files_that_a_url_names_are_not_read(apprise: Channel, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text('{"text": "of this machine"}')
    slack = "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"
    receipt = await apprise.send(a_push(), Target(address=f"{slack}?template={tmp_path}/secret"))

    assert (receipt.came, receipt.response) == (Came.REFUSED, "files of this machine are not for a push to read")


async def test_a_receiver_that_hangs_is_given_up_whatever_patience_the_url_asks_for() -> None:
    never = asyncio.Event()

    async def hang(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await never.wait()

    async with a_raw_peer(hang) as url, a_channel("apprise", timeout_seconds=3.0) as channel:
        receipt = await channel.send(a_push(), Target(address=url.replace("http", "json") + "/?rto=1000&cto=1000"))
        never.set()

    assert (receipt.came, receipt.response) == (Came.RETRY, "not delivered within 3 s")


async def test_an_endless_answer_ends_the_attempt_and_not_the_process(apprise: Channel, peer: Peer) -> None:
    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n")
        while True:
            writer.write(b"x" * 1_000_000)
            await writer.drain()

    async with a_raw_peer(endless) as url:
        receipt = await apprise.send(a_push(), Target(address=url.replace("http", "json")))

    assert (receipt.came, receipt.response) == (Came.RETRY, "Apprise could not deliver it, and does not say why")
    assert (await apprise.send(a_push(), json_url(peer))).came == Came.DELIVERED


async def test_the_helper_is_started_again_after_it_ended(peer: Peer) -> None:
    async with a_channel("apprise") as channel:
        assert (await channel.send(a_push(), json_url(peer))).came == Came.DELIVERED
        process = channel._helper._process  # nothing else names it
        os.killpg(process.pid, signal.SIGKILL)
        await process.wait()

        assert (await channel.send(a_push(), json_url(peer))).came == Came.DELIVERED


async def test_what_is_under_way_when_the_helper_ends_is_tried_again() -> None:
    never, begun = asyncio.Event(), asyncio.Event()

    async def hang(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        begun.set()
        await never.wait()

    async with a_raw_peer(hang) as url, a_channel("apprise") as channel:
        sending = asyncio.create_task(channel.send(a_push(), Target(address=url.replace("http", "json"))))
        await begun.wait()
        os.killpg(channel._helper._process.pid, signal.SIGKILL)
        receipt = await sending
        never.set()

    assert (receipt.came, receipt.response) == (Came.RETRY, "the process that sends by Apprise ended")


async def test_nothing_of_ours_is_in_the_helpers_environment(
    apprise: Channel, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    async with a_channel("apprise") as channel:
        receipt = await channel.send(a_push(), json_url(peer))

    assert receipt.came == Came.DELIVERED
