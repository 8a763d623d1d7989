"""Telegram: messages of a bot to chats.

A long message goes out in parts, one after another. When one of them fails the next
attempt begins with it, as long as this process lives; after a restart, and where the
answer to a part was lost, what had arrived arrives again.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp

from channels.channel import Came, Channel, Message, Receipt, Target, Way
from channels.http import check_http_url
from channels.net import Net, new_session
from channels.telegram_api import TelegramApi
from channels.telegram_text import parts_of
from channels.unset import NotSetUp
from config.settings import Settings

AT_ONCE = 16
"""Enough for 25 messages a second where an answer takes half of one."""
REMEMBERED = 10_000
"""Messages known to have arrived in part."""


class Telegram:
    def __init__(self, api: TelegramApi, timeout_seconds: float) -> None:
        self._api = api
        self._timeout_seconds = timeout_seconds
        self._arrived: dict[tuple[str, str], int] = {}
        """Parts that arrived, of messages that failed later on."""

    async def send(self, message: Message, target: Target) -> Receipt:
        now = asyncio.get_running_loop().time
        parts, key = parts_of(message), (message.id, target.address)
        first = self._arrived.pop(key, 0)
        started = now()
        for number, part in enumerate(parts[first:], first):
            if number > first and now() - started > self._timeout_seconds:
                receipt = Receipt(came=Came.RETRY, response=f"{number} of {len(parts)} parts arrived in time")
            else:
                receipt = await self._api.send_message(target.address, part)
            if receipt.came != Came.DELIVERED:
                if receipt.came == Came.RETRY and number > 0:
                    self._remember(key, number)
                return receipt
        return Receipt(came=Came.DELIVERED, status=200)

    def _remember(self, key: tuple[str, str], parts: int) -> None:
        if len(self._arrived) >= REMEMBERED:
            del self._arrived[next(iter(self._arrived))]
        self._arrived[key] = parts


@asynccontextmanager
async def open_telegram(settings: Settings, net: Net) -> AsyncIterator[Channel]:
    """Without the guard: the operator names the server, and it may be one of their own.

    Raises ValueError for a URL that is none.
    """
    telegram = settings.telegram
    if telegram.bot_token is None:
        yield NotSetUp("FANFOLD_TELEGRAM__BOT_TOKEN")
        return
    try:
        check_http_url(telegram.api_url)
    except ValueError as error:
        raise ValueError(f"telegram.api_url: {error}") from None
    async with new_session(aiohttp.TCPConnector(limit=0), net.timeout_seconds) as session:
        api = TelegramApi(
            Net(session, (), net.timeout_seconds),
            telegram.api_url,
            telegram.bot_token.get_secret_value(),
            telegram.messages_per_second,
        )
        yield Telegram(api, net.timeout_seconds)


def is_configured(settings: Settings) -> bool:
    return settings.telegram.bot_token is not None


WAY = Way("telegram", open_telegram, configured=is_configured, concurrency=AT_ONCE)
