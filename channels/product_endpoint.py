"""The endpoint of a product, as single tests and batch tasks call it: one try, and what came of it.

The operator names the addresses, so they may be on a network of their own.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import msgspec

from channels.channel import Receipt
from channels.http import RETRIED, http_url, post
from channels.net import Net, new_session
from config.settings import TasksSettings
from handlers.product_calls import Signed

ANSWER_BYTES = 64 * 1024


class Called(msgspec.Struct, frozen=True):
    """What came of a call. `status` None: nobody answered, and `text` says why."""

    status: int | None
    text: str

    @property
    def again(self) -> bool:
        """Whether it may go better another time."""
        return self.status is None or self.status in RETRIED or self.status >= 500


class ProductEndpoint:
    """Made by `open_products`."""

    def __init__(self, net: Net, settings: TasksSettings) -> None:
        self._net = net
        self._settings = settings

    async def call(self, item: str, signed: Signed) -> Called:
        """Raises nothing that the other side can cause; ValueError where the product has no usable address."""
        url = address_of(self._settings, item)
        if url is None:
            raise ValueError(f"FANFOLD_TASKS__ENDPOINTS names no address of {item}, and there is no default one")
        answer = await post(self._net, http_url(url), signed.body, signed.headers, ANSWER_BYTES)
        if isinstance(answer, Receipt):
            return Called(None, answer.response or "no answer")
        return Called(answer.status, answer.body.decode("utf-8", "replace").replace("\0", ""))


def address_of(settings: TasksSettings, item: str) -> str | None:
    """Where a product is called; None where nobody has said."""
    own = settings.endpoints.get(item)
    if own is not None:
        return own.get_secret_value()
    return None if settings.endpoint is None else settings.endpoint.get_secret_value()


@asynccontextmanager
async def open_products(settings: TasksSettings) -> AsyncIterator[ProductEndpoint]:
    async with new_session(aiohttp.TCPConnector(limit=0), settings.timeout_seconds) as session:
        yield ProductEndpoint(Net(session, (), settings.timeout_seconds), settings)
