"""E-mail by the operator's mail server."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from channels.channel import Came, Channel, Message, Receipt, Target, Way
from channels.mail import compose
from channels.net import Net
from channels.smtp import Envelope, MailServer
from channels.unset import NotSetUp
from config.settings import Settings
from schemas.mail_address import MailAddress, parse_address, parse_sender


class Email:
    def __init__(
        self, server: MailServer, sender: MailAddress, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._server = server
        self._sender = sender
        self._clock = clock

    async def send(self, message: Message, target: Target) -> Receipt:
        try:
            recipient = parse_address(target.address)
        except ValueError as error:
            return Receipt(came=Came.REFUSED, response=str(error))
        return await self._server.deliver(
            Envelope(
                sender=self._sender.spec,
                recipient=recipient.spec,
                content=compose(message, self._sender, recipient, self._clock()).as_bytes(),
                international=self._sender.international or recipient.international,
            )
        )


@asynccontextmanager
async def open_email(settings: Settings, net: Net) -> AsyncIterator[Channel]:
    """Without the guard: the operator names the server. Raises OSError for a `ca_file` that cannot be read."""
    if settings.smtp.host is None:
        yield NotSetUp("FANFOLD_SMTP__HOST")
        return
    server = MailServer(settings.smtp, net.timeout_seconds)
    try:
        yield Email(server, parse_sender(settings.smtp.sender))
    finally:
        await server.close()


def is_configured(settings: Settings) -> bool:
    return settings.smtp.host is not None


WAY = Way("email", open_email, configured=is_configured, concurrency=1, attaches=True)
