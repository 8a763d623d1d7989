"""A mail server on loopback that keeps what it takes: aiosmtpd, with STARTTLS and accounts, and faults on demand."""

import asyncio
import ipaddress
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTPUTF8
from pathlib import Path
from typing import Any

import msgspec
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HOST = "127.0.0.1"
USERNAME, PASSWORD = "fanfold", "a-password-nobody-must-see"

Fault = Callable[["Mailbox", "Connection"], str | None]


class Taken(msgspec.Struct, frozen=True):
    """A mail that was taken: what the envelope said, and the mail."""

    sender: str
    recipients: list[str]
    mail: EmailMessage
    encrypted: bool
    connection: int


class Connection(SMTP):
    """One connection; `number` counts them."""

    number = 0

    def cut(self) -> None:
        """Gone without a word."""
        self.transport.abort()


class Mailbox:
    """What arrived. `faults` by command, or `END` after a mail's content: what is answered in place of yes."""

    def __init__(self, port: int = 0) -> None:
        self.port = port
        self.taken: list[Taken] = []
        self.commands: list[str] = []
        self.connections: list[Connection] = []
        self.faults: dict[str, Fault] = {}
        self.held: dict[str, asyncio.Event] = {}
        """Commands that are answered when their event is set, and not before."""

    def answers(self, command: str, answer: str, times: int = 1_000_000) -> None:
        """Answer so, so many times."""
        left = [times]

        def fault(*_: object) -> str | None:
            left[0] -= 1
            return answer if left[0] >= 0 else None

        self.faults[command] = fault

    def cuts(self, command: str, times: int = 1) -> None:
        """Break the connection there, so many times."""
        left = [times]

        def fault(_: "Mailbox", connection: Connection) -> str | None:
            left[0] -= 1
            if left[0] < 0:
                return None
            connection.cut()
            return "250 nobody hears this"

        self.faults[command] = fault

    async def handle_MAIL(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:  # noqa: N802
        if answer := await self._said("MAIL", server):
            return answer
        envelope.mail_from, envelope.mail_options = address, options
        return "250 OK"

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:  # noqa: N802
        if answer := await self._said("RCPT", server):
            return answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if answer := await self._said("DATA", server):
            return answer
        mail = message_from_bytes(envelope.content, policy=SMTPUTF8)
        encrypted = session.ssl is not None
        self.taken.append(Taken(envelope.mail_from, list(envelope.rcpt_tos), mail, encrypted, server.number))
        return await self._said("END", server) or "250 OK, taken"

    async def handle_RSET(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        self.commands.append("RSET")
        return "250 OK"

    async def _said(self, command: str, connection: Connection) -> str | None:
        self.commands.append(command)
        if command in self.held:
            await self.held[command].wait()
        fault = self.faults.get(command)
        return None if fault is None else fault(self, connection)


@asynccontextmanager
async def a_mail_server(
    context: ssl.SSLContext | None = None, *, accounts: bool = False, utf8: bool = True, tls: bool = False
) -> AsyncIterator[Mailbox]:
    """With a context STARTTLS has to be used, or TLS from the beginning (`tls`)."""
    mailbox = Mailbox()

    def authenticate(server: Any, session: Any, envelope: Any, mechanism: str, given: LoginPassword) -> AuthResult:
        right = (given.login, given.password) == (USERNAME.encode(), PASSWORD.encode())
        return AuthResult(success=right, handled=right)

    def connect() -> Connection:
        connection = Connection(
            mailbox,
            hostname="mail.test",
            enable_SMTPUTF8=utf8,
            tls_context=None if tls else context,
            require_starttls=context is not None and not tls,
            auth_required=accounts,
            auth_require_tls=context is not None and not tls,
            authenticator=authenticate if accounts else None,
            loop=asyncio.get_running_loop(),
        )
        connection.number = len(mailbox.connections)
        mailbox.connections.append(connection)
        return connection

    server = await asyncio.get_running_loop().create_server(connect, HOST, 0, ssl=context if tls else None)
    mailbox.port = server.sockets[0].getsockname()[1]
    try:
        yield mailbox
    finally:
        server.close()
        for connection in mailbox.connections:
            if connection.transport is not None:
                connection.cut()
        await server.wait_closed()


def a_certificate(folder: Path) -> Path:
    """A key and its certificate for this machine, signed by itself, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail.test")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(HOST))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / "certificate.pem"
    file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return file


def server_context(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context
