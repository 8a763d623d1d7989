"""A load over keep-alive connections, as a process of its own: one request under way per connection.

Run as `python -m bench.load KIND PORT CONNECTIONS SECONDS RUN`; prints one line of JSON. For messages between two
RUN is FIRST+COUNT, their numbers. A
client library would cost more than the server under test, so requests are bytes and
answers are only counted.
"""

import asyncio
import itertools
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import msgspec
import uvloop

from gateway.chat_auth import signature_of
from schemas.im import usersig

WARM_UP_SECONDS = 1.0
SIGNED_A_SECOND = 20_000
"""Signed calls are made beforehand, for each is new; more than any server here answers."""
ACCOUNTS = 500
BODY = {
    "userId": "",
    "userName": "Someone",
    "requestId": "request-1",
    "onOffline": 0,
    "corpId": "corp-1",
    "corpName": "A Corporation",
    "loginType": 1,
    "name": "Li",
    "realName": "Li Lei",
    "email": "li@example.com",
    "mobile": "13800000000",
}
DATA = {
    "user_id": "",
    "online": True,
    "cause": "callback",
    "user_name": "Someone",
    "request_id": "request-1",
    "corp_id": "corp-1",
    "corp_name": "A Corporation",
    "name": "Li",
    "real_name": "Li Lei",
    "email": "li@example.com",
    "mobile": "13800000000",
}


APP, KEY, ADMIN = "1400000001", "key of the app", "administrator"
PAIRS = 1_000
WORDS = "Shall we meet at the station at seven?"


class Measured(msgspec.Struct):
    """Times are seconds; `refused` counts answers other than success."""

    requests: int
    warm_up: int
    """Requests before the measured ones."""
    seconds: float
    p50: float
    p99: float
    refused: int


def events(run: str) -> Iterator[bytes]:
    """A CloudEvent in binary mode each, from one of a few hundred accounts."""
    for number in itertools.count():
        user_id = f"account-{number % ACCOUNTS}"
        body = msgspec.json.encode(DATA | {"user_id": user_id})
        yield (
            b"POST /events HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer bench\r\n"
            b"Content-Type: application/json\r\nce-specversion: 1.0\r\nce-source: bench\r\n"
            b"ce-type: account.session.changed\r\nce-id: %s-%d\r\nce-subject: %s\r\nContent-Length: %d\r\n\r\n%s"
            % (run.encode(), number, user_id.encode(), len(body), body)
        )


def callbacks(run: str, count: int) -> Iterator[bytes]:
    """A signed login callback each."""
    now = int(time.time() * 1000)
    made = []
    for number in range(count):
        unsigned = BODY | {
            "userId": f"account-{number % ACCOUNTS}",
            "timestamp": now,
            "nonce": number,
            "secretId": "bench",
            "requestSeq": f"{run}-{number}",
        }
        body = msgspec.json.encode(unsigned | {"signature": signature_of(unsigned, "bench-secret")})
        made.append(
            b"POST /message/chat/loginCallBack HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
        )
    return iter(made)


def talkers(kind: str, number: int) -> tuple[str, str]:
    """Who sends message `number` to whom: one of many pairs, or always the same."""
    pair = "hot" if kind == "hot" else str(number % PAIRS)
    return f"sender-{pair}", f"receiver-{pair}"


def query() -> str:
    """What a call of the IM server API has in its URL."""
    signature = usersig.make(KEY, APP, ADMIN, int(time.time()), 86_400)
    return f"sdkappid={APP}&identifier={ADMIN}&usersig={signature}&random=7&contenttype=json"


def a_message(kind: str, number: int) -> bytes:
    """The body of a `sendmsg`."""
    sender, receiver = talkers(kind, number)
    element = {"MsgType": "TIMTextElem", "MsgContent": {"Text": WORDS}}
    body = {"From_Account": sender, "To_Account": receiver, "MsgRandom": number, "MsgBody": [element]}
    return msgspec.json.encode(body)


def messages(kind: str, first: int, count: int) -> Iterator[bytes]:
    head = f"POST /v4/openim/sendmsg?{query()} HTTP/1.1\r\nHost: gateway\r\n".encode()
    for number in range(first, first + count):
        body = a_message(kind, number)
        yield b"%sContent-Length: %d\r\n\r\n%s" % (head, len(body), body)


def good(head: bytes, body: bytes) -> bool:
    """Whether an answer is a success: the IM server API says so in the body alone."""
    return int(head[9:12]) in (200, 202) and b'"FAIL"' not in body


class Connection(asyncio.Protocol):
    """Sends a request, waits for its answer, sends the next; goes idle when there is none."""

    def __init__(
        self, next_request: Callable[[], bytes | None], report: Callable[[float, bool], None], idle: Callable[[], None]
    ) -> None:
        self._next_request = next_request
        self._report = report
        self._idle = idle
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]
        self._send()

    def _send(self) -> None:
        request = self._next_request()
        if request is None:
            self._idle()
            return
        self._sent_at = time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found:
            return
        lowered = head.lower()
        start = lowered.index(b"content-length:") + 15
        end = lowered.find(b"\r\n", start)
        if len(body) < int(lowered[start : end if end > 0 else None]):
            return
        self._received = b""
        self._report(time.perf_counter() - self._sent_at, good(head, body))
        self._send()

    def connection_lost(self, error: Exception | None) -> None:
        if error is not None:
            raise error


async def measure(
    port: int, connections: int, seconds: float, requests: Iterator[bytes], warm_up_seconds: float
) -> Measured:
    """Until the time is over, or there are no requests any more and all are answered."""
    loop = asyncio.get_running_loop()
    latencies: list[float] = []
    warm_up = refused = 0
    warm_at = time.perf_counter() + warm_up_seconds
    busy, over = connections, asyncio.Event()

    def report(latency: float, went_well: bool) -> None:
        nonlocal refused, warm_up
        if time.perf_counter() >= warm_at:
            latencies.append(latency)
            refused += not went_well
        else:
            warm_up += 1

    def idle() -> None:
        nonlocal busy
        busy -= 1
        if not busy:
            over.set()

    opened = [
        await loop.create_connection(lambda: Connection(lambda: next(requests, None), report, idle), "127.0.0.1", port)
        for _ in range(connections)
    ]
    with suppress(TimeoutError):
        async with asyncio.timeout(warm_up_seconds + seconds):
            await over.wait()
    elapsed = time.perf_counter() - warm_at
    for transport, _ in opened:
        transport.abort()
    latencies.sort()
    return Measured(
        len(latencies), warm_up, elapsed, latencies[len(latencies) // 2], latencies[len(latencies) * 99 // 100], refused
    )


def main(kind: str, port: str, connections: str, seconds: str, run: str) -> None:
    if kind == "callbacks":
        requests = callbacks(run, int((float(seconds) + WARM_UP_SECONDS) * SIGNED_A_SECOND))
    elif kind in ("pairs", "hot"):
        first, _, count = run.partition("+")
        requests = messages(kind, int(first), int(count))
    else:
        requests = events(run)
    # So many messages are a round by themselves, from the first to the last.
    warm_up = 0.0 if kind in ("pairs", "hot") else WARM_UP_SECONDS
    measured = uvloop.run(measure(int(port), int(connections), float(seconds), requests, warm_up))
    sys.stdout.buffer.write(msgspec.json.encode(measured) + b"\n")


if __name__ == "__main__":
    main(*sys.argv[1:6])
