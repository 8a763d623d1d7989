"""What channels reach the network with: one guarded HTTP session for all of them."""

from contextlib import AbstractAsyncContextManager

import aiohttp


class Net:
    """Made by `open_net`; channels make no connections but through it."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.session = session


def open_net() -> AbstractAsyncContextManager[Net]:
    raise NotImplementedError
