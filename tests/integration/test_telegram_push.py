"""From a link to a blocked bot: everything at work, and telegram-test-api for Telegram's servers."""

import itertools
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from chat_api import eventually, folding, publish
from pushing import a_push, push_settings, pushing
from telegram_server import TelegramServer, a_telegram_server
from tg_api import SECRET, Customer, serving, with_telegram

from config.settings import Settings
from handlers.tg import ANSWERS
from stores.mongo import open_database

BOUND, STOPPED = ANSWERS["bound"]["en"], ANSWERS["stopped"]["en"]


@pytest.fixture(scope="module")
async def telegram() -> AsyncIterator[TelegramServer]:
    async with a_telegram_server() as server:
        yield server


@pytest.fixture(scope="module")
def settings(shared_settings: Settings, telegram: TelegramServer) -> Settings:
    known = with_telegram(push_settings(shared_settings), "wang", "li", "zhao")
    bot = {"bot_token": telegram.token, "api_url": telegram.url, "messages_per_second": 1000}
    return known.model_copy(
        update={"telegram": type(known.telegram).model_validate({**known.telegram.model_dump(), **bot})}
    )


@pytest.fixture(scope="module")
async def customers(settings: Settings, telegram: TelegramServer) -> AsyncIterator[Iterator[Customer]]:
    """Customers whom nobody else uses, with everything at work for them."""
    async with serving(settings) as http, folding(settings), pushing(settings):
        await telegram.set_webhook(str(http._base_url).rstrip("/") + "/callbacks/telegram", SECRET)
        yield (Customer(http, name) for name in ("wang", "li", "zhao"))


@pytest.fixture
def customer(customers: Iterator[Customer]) -> Customer:
    return next(customers)


CHATS = itertools.count(1_000)


@pytest.fixture
def chat() -> int:
    return next(CHATS)


async def bind(telegram: TelegramServer, customer: Customer, chat: int) -> None:
    await telegram.says(chat, f"/start {await customer.token(lang='en')}")
    await customer.has(chat)
    await has_told(telegram, chat, BOUND)


async def has_told(telegram: TelegramServer, chat: int, *texts: str) -> list[dict[str, Any]]:
    """Wait until the bot has said these and no others."""

    async def told() -> list[dict[str, Any]] | None:
        messages = await telegram.told(chat)
        return messages if [message["text"] for message in messages] == list(texts) else None

    messages: list[dict[str, Any]] = await eventually(told)
    return messages


def of(customer: Customer) -> str:
    return "customer/" + customer.headers["Authorization"].removeprefix("Bearer token-of-")


async def test_a_customer_binds_is_pushed_to_once_and_stops(
    settings: Settings, telegram: TelegramServer, customer: Customer, chat: int
) -> None:
    await bind(telegram, customer, chat)
    push = a_push(of(customer), title="Order <1>", body="is *paid*")
    await publish(settings, push, push)
    await publish(settings, a_push(of(customer), title=None, body="After it"))
    messages = await has_told(telegram, chat, BOUND, "Order <1>\nis *paid*", "After it")
    await telegram.says(chat, "/stop")
    await customer.has()
    await has_told(telegram, chat, BOUND, "Order <1>\nis *paid*", "After it", STOPPED)

    assert [message.get("entities") for message in messages] == [
        None,
        [{"type": "bold", "offset": 0, "length": 9}],
        None,
    ]


async def test_a_bot_that_is_blocked_is_no_way_any_more(
    telegram: TelegramServer, customer: Customer, chat: int
) -> None:
    await bind(telegram, customer, chat)
    await telegram.blocks(chat)

    await customer.has()
    await has_told(telegram, chat, BOUND)


async def test_a_block_that_nobody_told_of_is_found_out_by_a_push(
    settings: Settings, telegram: TelegramServer, customer: Customer, chat: int
) -> None:
    await bind(telegram, customer, chat)
    bound_at = int(time.time())
    await telegram.blocks(chat, silently=True)

    async def the_second_is_over() -> bool:
        return time.time() >= bound_at + 1

    # Telegram tells time in whole seconds: what is found out within that of the binding counts as before it.
    await eventually(the_second_is_over)
    await publish(settings, a_push(of(customer)))
    await customer.has()

    async with open_database(settings.mongo) as database:

        async def given_up() -> Any:
            return await database["deliveries"].find_one({"recipient": of(customer), "state": "dead"})

        delivery = await eventually(given_up)
    assert (delivery["reason"], delivery["attempts"][-1]["status"]) == ("gone", 403)
    assert telegram.token not in str(delivery)
