"""The operator's mail server, by one connection that serves mail after mail.

A connection that the server has closed meanwhile is noticed before a mail's content is
sent, so it is made anew and nothing repeats. When it breaks after that, the mail may
have been taken: it is tried again with the same Message-ID.
"""

import asyncio
import re
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Literal

import msgspec
from aiosmtplib import (
    SMTP,
    SMTPDataError,
    SMTPException,
    SMTPHeloError,
    SMTPRecipientRefused,
    SMTPResponseException,
    SMTPSenderRefused,
    SMTPServerDisconnected,
)

from channels.channel import Came, Receipt
from channels.http import beginning
from config.settings import SmtpSettings

MOST_MAILS = 100
"""By one connection: servers limit them."""
IDLE_SECONDS = 60.0
"""After which a connection is made anew: firewalls forget those at rest, and then an attempt would hang."""
QUIT_SECONDS = 2.0

CLOSING = 421
NO_ACCESS = frozenset({530, 534, 535, 538})
"""The account or its password is not right, or is missing: our mistake, not the mail's (RFC 4954, 6)."""
TOO_LARGE = frozenset({"5.2.3", "5.3.4"})
NOBODY = frozenset({"5.1.1", "5.1.6", "5.1.10"})
"""No such mailbox, moved without a forwarding address, a domain that takes no mail (RFC 3463, RFC 7505)."""
ENHANCED = re.compile(r"\s*([245]\.\d{1,3}\.\d{1,3})\b")

Step = Literal["session", "sender", "recipient", "content"]


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """A mail on its way. `international`: with addresses that only some servers take."""

    sender: str
    recipient: str
    content: bytes
    international: bool = False


class MailServer:
    def __init__(
        self,
        settings: SmtpSettings,
        timeout_seconds: float,
        most_mails: int = MOST_MAILS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Connects when there is something to send. Raises OSError for a file of certificates that is none."""
        password = settings.password
        self._hide = () if password is None else (password.get_secret_value(),)
        self._client = SMTP(
            hostname=settings.host,
            port=settings.port,
            username=settings.username,
            password=None if password is None else password.get_secret_value(),
            use_tls=settings.security == "tls",
            start_tls=settings.security == "starttls",
            tls_context=None if settings.security == "none" else _tls(settings),
            timeout=timeout_seconds,
        )
        self._timeout_seconds = timeout_seconds
        self._most_mails = most_mails
        self._clock = clock
        self._lock = asyncio.Lock()
        self._used_at = 0.0
        self._mails = 0

    async def deliver(self, mail: Envelope) -> Receipt:
        """Try once. One mail at a time: others wait for their turn."""
        async with self._lock:
            try:
                async with asyncio.timeout(self._timeout_seconds):
                    receipt = await self._exchange(mail)
            except (SMTPException, OSError) as error:
                # Where the exchange stands is not known: what is answered now must not be taken for the next mail's.
                self._client.close()
                return self._unsent(error)
            except asyncio.CancelledError:
                self._client.close()
                raise
            self._used_at = self._clock()
            self._mails += 1
            return receipt

    async def close(self) -> None:
        with suppress(SMTPException, OSError):
            async with asyncio.timeout(QUIT_SECONDS):
                await self._client.quit()
        self._client.close()

    async def _exchange(self, mail: Envelope) -> Receipt:
        if self._reusable():
            with suppress(NothingSent):
                return await self._send(mail)
        await self._connect()
        return await self._send(mail)

    def _reusable(self) -> bool:
        rested = self._clock() - self._used_at
        return self._client.is_connected and self._mails < self._most_mails and rested < IDLE_SECONDS

    async def _connect(self) -> None:
        await self.close()
        await self._client.connect()
        self._mails = 0
        if self._client.is_ehlo_or_helo_needed:
            # A server that knows HELO only has no extensions; the client finds out by itself.
            with suppress(SMTPHeloError):
                await self._client.ehlo()

    async def _send(self, mail: Envelope) -> Receipt:
        """Raises NothingSent where the connection turns out to be closed before anything was said by it."""
        if mail.international and not self._client.supports_extension("smtputf8"):
            return Receipt(came=Came.REFUSED, response="the mail server takes no internationalised addresses")
        encoding = "utf-8" if mail.international else "ascii"
        try:
            await self._begin(mail, encoding)
            await self._client.rcpt(mail.recipient, encoding=encoding)
            taken = await self._client.data(mail.content)
        except SMTPSenderRefused as error:
            return await self._refused("sender", error)
        except SMTPRecipientRefused as error:
            return await self._refused("recipient", error)
        except SMTPDataError as error:
            return await self._refused("content", error)
        return Receipt(came=Came.DELIVERED, status=taken.code, response=self._shown(taken.message))

    async def _begin(self, mail: Envelope, encoding: str) -> None:
        options = ["SMTPUTF8"] if mail.international else []
        if self._client.supports_extension("size"):
            options.append(f"SIZE={len(mail.content)}")
        try:
            await self._client.mail(mail.sender, options=options, encoding=encoding)
        except SMTPServerDisconnected as error:
            raise NothingSent(error.message) from None
        except SMTPSenderRefused as error:
            if error.code == CLOSING:
                raise NothingSent(error.message) from None
            raise

    async def _refused(self, step: Step, error: SMTPResponseException) -> Receipt:
        """What it means; the connection is made ready for another mail."""
        if error.code == CLOSING:
            self._client.close()
        else:
            await self._client.rset()
        came = judge(step, error.code, error.message)
        return Receipt(came=came, status=error.code, response=self._shown(error.message))

    def _unsent(self, error: SMTPException | OSError) -> Receipt:
        if isinstance(error, SMTPResponseException):
            return Receipt(
                came=judge("session", error.code, error.message), status=error.code, response=self._shown(error.message)
            )
        if isinstance(error, TimeoutError):
            return Receipt(came=Came.RETRY, response=f"the mail server did not answer in {self._timeout_seconds:g} s")
        return Receipt(came=Came.RETRY, response=self._shown(f"no connection to the mail server: {error}"))

    def _shown(self, text: str) -> str | None:
        # The client keeps bytes that are no UTF-8 as surrogates, which nothing else could store.
        return beginning(text.encode("utf-8", "surrogateescape"), self._hide)


class NothingSent(SMTPServerDisconnected):
    """The connection is closed, and nothing of the mail went by it."""


def judge(step: Step, code: int, text: str) -> Came:
    """What a server's refusal means for a mail (RFC 5321, 4.2.1; enhanced codes: RFC 3463).

    4xx may heal; so may what concerns us, our account or our sender, whatever the code:
    that is a mistake in the settings, and mails are not to be lost by it.
    """
    found = ENHANCED.match(text)
    enhanced = found[1] if found else ""
    if step == "session" or code < 500 or code in NO_ACCESS:
        return Came.RETRY
    if step == "sender":
        return Came.REFUSED if code == 552 or enhanced in TOO_LARGE else Came.RETRY
    return Came.GONE if enhanced in NOBODY else Came.REFUSED


def _tls(settings: SmtpSettings) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if settings.ca_file is not None:
        context.load_verify_locations(cadata=settings.ca_file.read_text())
    return context
