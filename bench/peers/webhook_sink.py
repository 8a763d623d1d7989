"""A receiver of webhooks that costs next to nothing: answers 204 at once, or never under /hangs.

    python -m bench.peers.webhook_sink PORT

`GET /seen` answers how many it took, when (monotonic seconds) the first and the last came,
and for those under /timed how many seconds after their own `timestamp`; then it forgets them.
"""

import asyncio
import sys
import time
from datetime import datetime

import httptools
import msgspec
from uvloop import run

from workers.embedded.ports import LOOPBACK

NO_CONTENT = b"HTTP/1.1 204 No Content\r\n\r\n"


class Body(msgspec.Struct):
    timestamp: datetime


class Seen(msgspec.Struct):
    count: int = 0
    first: float = 0.0
    last: float = 0.0
    delays: list[float] = []


class Connection(asyncio.Protocol):
    def __init__(self, seen: Seen, decode: msgspec.json.Decoder[Body]) -> None:
        self._seen = seen
        self._decode = decode

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._parser = httptools.HttpRequestParser(self)
        self._url, self._body = b"", b""

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        self._url = url

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        body, self._body = self._body, b""
        if self._url == b"/seen":
            self._tell()
        elif not self._url.startswith(b"/hangs"):
            seen, now = self._seen, time.monotonic()
            seen.count += 1
            seen.first, seen.last = seen.first or now, now
            if self._url.startswith(b"/timed"):
                seen.delays.append(time.time() - self._decode.decode(body).timestamp.timestamp())
            self._transport.write(NO_CONTENT)  # type: ignore[attr-defined]

    def _tell(self) -> None:
        told = msgspec.json.encode(self._seen)
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(told)
        self._transport.write(head + told)  # type: ignore[attr-defined]
        self._seen.count, self._seen.first, self._seen.last, self._seen.delays = 0, 0.0, 0.0, []


async def main(port: int) -> None:
    seen, decoder = Seen(delays=[]), msgspec.json.Decoder(Body)
    server = await asyncio.get_running_loop().create_server(lambda: Connection(seen, decoder), LOOPBACK, port)
    await server.serve_forever()


if __name__ == "__main__":
    run(main(int(sys.argv[1])))
