"""Messages to Telegram: to telegram-test-api, and to a Bot API server that refuses and hangs as it is told."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from bot_api import TOKEN, BotApi, a_bot_api, units
from channel_peers import a_net, a_peer, a_push
from telegram_server import TelegramServer, a_telegram_server

from channels.channel import Came, Channel, Receipt, Target
from channels.registry import ways
from config.settings import Settings

CHAT = Target(address="77")
LONG = "\n\n".join(f"Paragraph {n}: " + "word " * 100 for n in range(30))
"""Seven paragraphs fit into a part: five parts."""


@asynccontextmanager
async def a_bot(
    api_url: str, token: str | None = TOKEN, timeout_seconds: float = 10.0, **telegram: Any
) -> AsyncIterator[Channel]:
    settings = Settings.model_validate(
        {"telegram": {"bot_token": token, "api_url": api_url, "messages_per_second": 1000, **telegram}}
    )
    # The guard allows nothing here: the operator's own server needs no leave of it.
    async with a_net((), timeout_seconds=timeout_seconds) as net, ways()["telegram"].open(settings, net) as channel:
        yield channel


@pytest.fixture(scope="module")
async def telegram() -> AsyncIterator[TelegramServer]:
    async with a_telegram_server() as server:
        yield server


@pytest.fixture
async def api() -> AsyncIterator[BotApi]:
    async with a_bot_api() as api:
        yield api


@pytest.fixture
async def bot(api: BotApi) -> AsyncIterator[Channel]:
    async with a_bot(api.url) as channel:
        yield channel


async def test_a_message_arrives_as_it_was_written_with_its_title_bold(telegram: TelegramServer) -> None:
    async with a_bot(telegram.url, telegram.token) as bot:
        receipt = await bot.send(a_push(title="封号 <b> & 😀", body="*x* _y_ [z](https://a.de) </b> &lt;"), CHAT)

    [told] = await telegram.told(77)
    assert receipt == Receipt(came=Came.DELIVERED, status=200)
    assert told["text"] == "封号 <b> & 😀\n*x* _y_ [z](https://a.de) </b> &lt;"
    assert told["entities"] == [{"type": "bold", "offset": 0, "length": 11}]
    assert "parse_mode" not in told


async def test_a_long_message_arrives_in_parts_in_their_order(telegram: TelegramServer) -> None:
    async with a_bot(telegram.url, telegram.token) as bot:
        receipt = await bot.send(a_push(title="Long", body=LONG), Target(address="78"))

    told = await telegram.told(78)
    assert receipt.came == Came.DELIVERED
    assert len(told) == 5
    assert " ".join(message["text"] for message in told).split() == f"Long {LONG}".split()
    assert max(units(message["text"]) for message in told) <= 4096
    assert all(message["text"].startswith("Paragraph ") for message in told[1:])


async def test_messages_to_many_chats_go_out_side_by_side(telegram: TelegramServer) -> None:
    async with a_bot(telegram.url, telegram.token) as bot:
        chats = range(100, 130)
        receipts = await asyncio.gather(
            *(bot.send(a_push(title=str(n), body=None), Target(address=str(n))) for n in chats)
        )

    assert {receipt.came for receipt in receipts} == {Came.DELIVERED}
    assert [[message["text"] for message in await telegram.told(n)] for n in chats] == [[str(n)] for n in chats]


async def test_the_documented_server_takes_what_is_sent(api: BotApi, bot: Channel) -> None:
    hard = "😀" * 5_000 + "\u200d" + "e\u0301" * 3_000 + "\n\n" + "字" * 9_000
    receipt = await bot.send(a_push(title="😀" * 4_000, body=hard), CHAT)

    assert receipt.came == Came.DELIVERED
    assert "".join(message["text"] for message in api.sent).replace("\n", "") == ("😀" * 4_000 + hard).replace("\n", "")
    assert sum(message.get("entities", [{"length": 0}])[0]["length"] for message in api.sent) == 8_000


async def test_a_bot_that_is_too_fast_is_told_when_to_come_back(api: BotApi, bot: Channel) -> None:
    api.refuses(429, "Too Many Requests: retry after 35", retry_after=35)
    receipt = await bot.send(a_push(), CHAT)

    assert (receipt.came, receipt.status, receipt.retry_after_seconds) == (Came.RETRY, 429, 35)


async def test_a_blocked_bot_reaches_nobody(api: BotApi, bot: Channel) -> None:
    api.refuses(403, "Forbidden: bot was blocked by the user")
    receipt = await bot.send(a_push(body=LONG), CHAT)

    assert receipt == Receipt(came=Came.GONE, status=403, response="Forbidden: bot was blocked by the user")
    assert api.requests == 1


async def test_a_group_is_followed_to_its_new_id(api: BotApi, bot: Channel) -> None:
    moved = "Bad Request: group chat was upgraded to a supergroup chat"
    api.refuses(400, moved, migrate_to_chat_id=-100_123)
    followed = await bot.send(a_push(), Target(address="-55"))
    api.refuses(400, moved, migrate_to_chat_id=-100_123)
    api.refuses(400, moved, migrate_to_chat_id=-100_124)
    led_around = await bot.send(a_push(), Target(address="-55"))

    assert (followed.came, [message["chat_id"] for message in api.sent]) == (Came.DELIVERED, [-100_123])
    assert (led_around.came, api.requests) == (Came.REFUSED, 4)


@pytest.mark.parametrize("status", [401, 404])
async def test_a_wrong_token_loses_no_message(api: BotApi, bot: Channel, status: int) -> None:
    api.refuses(status, "Unauthorized" if status == 401 else "Not Found")
    receipt = await bot.send(a_push(), CHAT)

    assert (receipt.came, receipt.status) == (Came.RETRY, status)
    assert "token" in (receipt.response or "")


@pytest.mark.parametrize(
    "failure",
    [
        web.Response(status=502, text="<html>Bad Gateway"),
        web.Response(status=404, text="<html>Not here"),
        web.Response(status=200, text="<html>Welcome to our hotel"),
        web.Response(status=302, headers={"Location": "https://example.org/login"}),
        web.Response(status=500, body=b"\xff\x00"),
        web.Response(status=200, text='{"ok": "perhaps"}'),
    ],
)
async def test_what_is_not_the_bot_api_loses_no_message(api: BotApi, bot: Channel, failure: web.Response) -> None:
    api.failures.append(failure)
    receipt = await bot.send(a_push(), CHAT)

    assert (receipt.came, receipt.status) == (Came.RETRY, failure.status)
    assert (await bot.send(a_push(), CHAT)).came == Came.DELIVERED


async def test_the_next_attempt_begins_with_the_part_that_failed(api: BotApi, bot: Channel) -> None:
    message = a_push(title=None, body=LONG)
    async with a_bot_api() as whole, a_bot(whole.url) as other:
        await other.send(message, CHAT)

    api.failures += [web.json_response({"ok": True}), web.json_response({"ok": True})]
    api.refuses(429, "Too Many Requests: retry after 1", retry_after=1)
    first = await bot.send(message, CHAT)
    elsewhere = await bot.send(a_push(id="dl_2", body="Meanwhile"), CHAT)
    second = await bot.send(message, CHAT)

    assert [first.came, elsewhere.came, second.came] == [Came.RETRY, Came.DELIVERED, Came.DELIVERED]
    assert [sent["text"] for sent in api.sent[1:]] == [sent["text"] for sent in whole.sent[2:]]
    assert api.requests == len(whole.sent) + 2  # the failed part, and the one to another


async def test_a_message_that_arrived_whole_is_sent_whole_when_it_is_sent_again(api: BotApi, bot: Channel) -> None:
    await bot.send(a_push(body=LONG), CHAT)
    once = len(api.sent)
    await bot.send(a_push(body=LONG), CHAT)

    assert len(api.sent) == 2 * once


async def test_a_server_that_hangs_is_given_up_in_time() -> None:
    given_up = asyncio.Event()

    async def hang(_: web.Request) -> web.Response:
        await given_up.wait()
        return web.Response()

    async with a_peer(hang) as peer, a_bot(peer.url, timeout_seconds=0.2) as bot:
        receipt = await bot.send(a_push(), CHAT)
        given_up.set()

    assert receipt == Receipt(came=Came.RETRY, response="no answer within 0.2 s")


async def test_parts_end_with_the_time_of_an_attempt_and_go_on_in_the_next(api: BotApi) -> None:
    async with a_bot(api.url, timeout_seconds=0.1, messages_per_second=10) as bot:
        receipts = [await bot.send(a_push(title=None, body=LONG), CHAT) for _ in range(5)]

    came = [receipt.came for receipt in receipts]
    delivered = came.index(Came.DELIVERED)
    assert came[0] == Came.RETRY
    assert "parts arrived in time" in (receipts[0].response or "")
    assert set(came[:delivered]) == {Came.RETRY}
    assert " ".join(sent["text"] for sent in api.sent).split()[: len(LONG.split())] == LONG.split()


async def test_a_bot_keeps_its_pace(api: BotApi) -> None:
    async with a_bot(api.url, messages_per_second=50) as bot:
        started = time.perf_counter()
        await asyncio.gather(*(bot.send(a_push(), CHAT) for _ in range(11)))
        seconds = time.perf_counter() - started

    # Ten waits of a fiftieth; a busy machine can only take longer.
    assert seconds >= 0.19


async def test_the_token_is_nowhere_to_be_seen(api: BotApi, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever goes wrong: a refusal that repeats it, a server that is away, an URL that fails."""
    caplog.set_level("DEBUG")
    receipts = []
    async with a_bot(api.url) as bot:
        api.refuses(400, f"Bad Request: in /bot{TOKEN}/sendMessage")
        receipts.append(await bot.send(a_push(), CHAT))
        api.failures.append(web.Response(status=500, text=f"/bot{TOKEN}/sendMessage failed"))
        receipts.append(await bot.send(a_push(), CHAT))
    async with a_bot("http://127.0.0.1:1") as bot:
        receipts.append(await bot.send(a_push(), CHAT))
    async with a_bot("http://no-such-host.invalid") as bot:
        receipts.append(await bot.send(a_push(), CHAT))

    assert [receipt.came for receipt in receipts] == [Came.REFUSED, Came.RETRY, Came.RETRY, Came.RETRY]
    assert TOKEN not in str(receipts)
    # The server that plays the Bot API logs what it is asked, as servers do.
    assert [
        record for record in caplog.records if record.name != "aiohttp.access" and TOKEN in record.getMessage()
    ] == []


async def test_without_a_bot_messages_wait() -> None:
    async with a_bot("http://127.0.0.1:1", token=None) as bot:
        receipt = await bot.send(a_push(), CHAT)

    assert receipt == Receipt(came=Came.RETRY, response="FANFOLD_TELEGRAM__BOT_TOKEN is not set")
    assert not ways()["telegram"].configured(Settings())


async def test_an_api_url_that_is_none_is_found_at_the_start() -> None:
    with pytest.raises(ValueError, match=r"telegram\.api_url"):
        async with a_bot("ftp://example.org"):
            pass
