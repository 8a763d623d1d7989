"""What channels reach the network with: one guarded HTTP session for all of them.

The guard looks at the address in the moment a socket is made for it, so what is
connected to is what was checked: a name that resolves otherwise a moment later, an
address written into the URL, and the second address of a name all pass through it.
URLs, which carry keys, are neither logged nor part of an error here.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from channels.addresses import Network, addresses_of, check_address
from config.settings import PushSettings

RESOLVER_THREADS = 64
"""Name servers of others may hang for seconds; the loop's own pool has as few as five threads, and other users."""
HEADERS = {
    "User-Agent": "Fanfold",
    # Not unpacked here: a small answer could unpack to a large one.
    "Accept-Encoding": "identity",
}


class Net:
    """Channels make no connections but through it, except to servers that the operator names (bot API, mail)."""

    def __init__(self, session: aiohttp.ClientSession, allowed: Sequence[Network], timeout_seconds: float) -> None:
        self.session = session
        self.allowed = allowed
        """What the operator allows besides public addresses."""
        self.timeout_seconds = timeout_seconds
        """How long one attempt may take."""


@asynccontextmanager
async def open_net(push: PushSettings, resolver: AbstractResolver | None = None) -> AsyncIterator[Net]:
    """A session that reaches public and allowed addresses only. `resolver` in place of the system's, for tests.

    Connections are not limited here: lanes limit what an endpoint may
    have under way, and a limit per host would let one endpoint hold up its neighbours.
    """
    allowed = tuple(push.allow_networks)

    def guarded_socket(info: aiohttp.AddrInfoType) -> socket.socket:
        family, kind, protocol, _, address = info
        check_address(str(address[0]), allowed)
        return socket.socket(family, kind, protocol)

    threads = ThreadPoolExecutor(RESOLVER_THREADS, thread_name_prefix="resolve")
    connector = aiohttp.TCPConnector(
        limit=0, socket_factory=guarded_socket, resolver=resolver or ThreadsResolver(threads)
    )
    try:
        async with new_session(connector, push.timeout_seconds) as session:
            yield Net(session, allowed, push.timeout_seconds)
    finally:
        # Not waited for: a name server that hangs would hold up the end.
        threads.shutdown(wait=False, cancel_futures=True)


def new_session(connector: aiohttp.BaseConnector, timeout_seconds: float) -> aiohttp.ClientSession:
    """No cookies, no proxy from the environment, nothing unpacked, `timeout_seconds` for a whole exchange."""
    return aiohttp.ClientSession(
        connector=connector,
        timeout=aiohttp.ClientTimeout(total=timeout_seconds),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers=HEADERS,
        auto_decompress=False,
        trust_env=False,
    )


class ThreadsResolver(AbstractResolver):
    """The system's resolver, asked in threads of its own."""

    def __init__(self, threads: ThreadPoolExecutor) -> None:
        self._threads = threads

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._threads, addresses_of, host, family)
        return [
            ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=socket.AI_NUMERICHOST)
            for family, address in found
        ]

    async def close(self) -> None:
        """Nothing of its own to close."""
