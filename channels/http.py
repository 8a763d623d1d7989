"""One HTTP POST by a channel, and what the answer means where HTTP alone says it."""

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache

import aiohttp
import msgspec
from yarl import URL

from channels.addresses import AddressRefused
from channels.channel import Came, Receipt
from channels.net import Net

READ_BYTES = 4096
"""Read of an answer where no more is needed; a connection with more to come is closed."""
RESPONSE_CHARS = 500
SECRET_CHARS = 8
"""Shorter ones are left where they stand: they are words that occur in answers anyway."""
URL_CHARS = 2_000
JSON = "application/json"

RETRIED = frozenset({408, 425, 429})


class Answer(msgspec.Struct, frozen=True):
    """What came back, of any status."""

    status: int
    body: bytes
    """Its beginning."""
    retry_after_seconds: float | None = None


async def post(
    net: Net, url: URL, body: bytes, headers: Mapping[str, str], most_bytes: int = READ_BYTES
) -> Answer | Receipt:
    """Send once, and read so much of the answer. A receipt where nobody answered.

    Raises nothing that the other side can cause.
    """
    try:
        async with net.session.post(url, data=body, headers=headers, allow_redirects=False) as response:
            status = response.status
            return Answer(
                status=status,
                body=await read_beginning(response, most_bytes),
                retry_after_seconds=None if 200 <= status < 300 else retry_after(response.headers.get("Retry-After")),
            )
    except aiohttp.ClientSSLError:
        return Receipt(came=Came.RETRY, response="no connection: TLS failed, or the certificate is not to be trusted")
    except aiohttp.ClientConnectorError as error:
        return unconnected(error)
    except TimeoutError:
        return Receipt(came=Came.RETRY, response=f"no answer within {net.timeout_seconds:g} s")
    except aiohttp.InvalidURL:
        return Receipt(came=Came.REFUSED, response="the URL is not usable")
    except (aiohttp.ClientError, OSError) as error:
        # The kind of error alone: its text may name the URL, which may hold a key.
        return Receipt(came=Came.RETRY, response=f"the exchange broke off: {type(error).__name__}")


async def read_beginning(response: aiohttp.ClientResponse, most_bytes: int) -> bytes:
    """As much of the body as is looked at. The status stands, however the body ends."""
    read = b""
    try:
        while len(read) < most_bytes and (chunk := await response.content.read(most_bytes - len(read))):
            read += chunk
    except (aiohttp.ClientError, OSError):
        # A time-out is one of them; what was read so far is what there is.
        response.close()
    if not response.content.at_eof():
        response.close()
    return read


def unconnected(error: aiohttp.ClientConnectorError) -> Receipt:
    if isinstance(error.os_error, AddressRefused):
        return Receipt(came=Came.REFUSED, response=str(error.os_error))
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return Receipt(came=Came.RETRY, response="no connection: the name does not resolve")
    number = error.os_error.errno
    reason = os.strerror(number) if number is not None and number > 0 else type(error).__name__
    return Receipt(came=Came.RETRY, response=f"no connection: {reason}")


def judge(answer: Answer, hide: tuple[str, ...] = ()) -> Receipt:
    """What came of it, by the status (Standard Webhooks 1.0, "Delivery success and failure").

    3xx is refused: whoever moved tells us the new URL. 4xx that cannot heal is refused.
    """
    status = answer.status
    if 200 <= status < 300:
        came = Came.DELIVERED
    elif status == 410:
        came = Came.GONE
    elif status in RETRIED or status >= 500:
        came = Came.RETRY
    else:
        came = Came.REFUSED
    return Receipt(
        came=came,
        status=status,
        response=beginning(answer.body, hide),
        retry_after_seconds=answer.retry_after_seconds,
    )


def beginning(body: bytes, hide: tuple[str, ...] = ()) -> str | None:
    """An answer's first words as text, without what it repeats of our secrets."""
    if not body:
        return None
    text = body.decode("utf-8", "replace").replace("\0", "")
    for secret in hide:
        if len(secret) >= SECRET_CHARS:
            text = text.replace(secret, "***")
    return text[:RESPONSE_CHARS]


def retry_after(header: str | None, now: datetime | None = None) -> float | None:
    """The seconds that `Retry-After` asks for (RFC 9110, 10.2.3: seconds or a date); None where it is neither."""
    if header is None:
        return None
    header = header.strip()
    if header.isascii() and header.isdecimal():
        return float(header[:10])
    try:
        at = parsedate_to_datetime(header)
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0.0, (at - (now or datetime.now(UTC))).total_seconds())


@lru_cache(maxsize=10_000)
def http_url(text: str) -> URL:
    """An http or https URL with a host. Raises ValueError, without the URL in it, for anything else."""
    if len(text) > URL_CHARS:
        raise ValueError(f"a URL of at most {URL_CHARS} characters is expected")
    if any(character <= " " or character == "\x7f" for character in text):
        raise ValueError("a URL has no spaces and no control characters")
    try:
        url = URL(text)
        scheme, host, user = url.scheme, url.host, url.user or url.password
    except ValueError:
        raise ValueError("not a URL") from None
    if scheme not in ("http", "https") or not host:
        raise ValueError("an http or https URL with a host is expected")
    if user:
        raise ValueError("a URL holds no user name or password; an Authorization header can")
    return url


def check_http_url(text: str) -> None:
    """Raise ValueError, without the URL in it, unless it is one that a POST can go to."""
    http_url(text)
