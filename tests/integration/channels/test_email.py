"""Mails to a real mail server: aiosmtpd takes them, encrypted, and refuses and breaks off as it is told."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from channel_peers import a_net, a_push, a_raw_peer
from chat_api import eventually
from mail_server import HOST, PASSWORD, USERNAME, Mailbox, a_certificate, a_mail_server, server_context

from channels.channel import Came, Channel, Receipt, Target
from channels.registry import ways
from channels.smtp import IDLE_SECONDS, Envelope, MailServer
from config.settings import Settings, SmtpSettings

LI = Target(address="li@example.com")
ENVELOPE = Envelope(sender="fanfold@localhost", recipient="li@example.com", content=b"Subject: Hi\r\n\r\nHello\r\n")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return a_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(scope="module")
def context(certificate: Path) -> ssl.SSLContext:
    return server_context(certificate)


@pytest.fixture
async def mailbox() -> AsyncIterator[Mailbox]:
    """Without encryption, for what has nothing to do with it."""
    async with a_mail_server() as mailbox:
        yield mailbox


@pytest.fixture
async def email(mailbox: Mailbox) -> AsyncIterator[Channel]:
    async with a_sender(mailbox, security="none") as channel:
        yield channel


@asynccontextmanager
async def a_sender(mailbox: Mailbox, timeout_seconds: float = 10.0, **smtp: Any) -> AsyncIterator[Channel]:
    settings = Settings.model_validate({"smtp": {"host": HOST, "port": mailbox.port, **smtp}})
    async with a_net(timeout_seconds=timeout_seconds) as net, ways()["email"].open(settings, net) as channel:
        yield channel


@asynccontextmanager
async def a_connection(mailbox: Mailbox, **how: Any) -> AsyncIterator[MailServer]:
    server = MailServer(SmtpSettings(host=HOST, port=mailbox.port, security="none"), 10.0, **how)
    try:
        yield server
    finally:
        await server.close()


def body_of(mail: EmailMessage, kind: str) -> str:
    part = mail.get_body((kind,))
    assert isinstance(part, EmailMessage)
    content: str = part.get_content()
    return content


async def test_a_mail_arrives_encrypted_as_text_and_html_by_an_account(
    context: ssl.SSLContext, certificate: Path
) -> None:
    async with (
        a_mail_server(context, accounts=True) as mailbox,
        a_sender(
            mailbox, username=USERNAME, password=PASSWORD, ca_file=certificate, sender="云枢 <no-reply@example.org>"
        ) as email,
    ):
        receipt = await email.send(a_push(title="封号 <b>", body="见 https://example.org/?a=1&b=2", language="zh"), LI)

    [taken] = mailbox.taken
    assert (receipt.came, receipt.status, receipt.response) == (Came.DELIVERED, 250, "OK, taken")
    assert (taken.encrypted, taken.sender, taken.recipients) == (True, "no-reply@example.org", ["li@example.com"])
    assert taken.mail["Subject"] == "封号 <b>"
    assert taken.mail["From"] == "云枢 <no-reply@example.org>"
    assert taken.mail["Message-ID"] == "<dl_1@example.org>"
    assert taken.mail["Auto-Submitted"] == "auto-generated"
    assert body_of(taken.mail, "plain").split() == ["封号", "<b>", "见", "https://example.org/?a=1&b=2"]
    assert "封号 &lt;b&gt;" in body_of(taken.mail, "html")
    assert 'href="https://example.org/?a=1&amp;b=2"' in body_of(taken.mail, "html")


async def test_tls_from_the_beginning_works_as_well(context: ssl.SSLContext, certificate: Path) -> None:
    async with (
        a_mail_server(context, tls=True) as mailbox,
        a_sender(mailbox, security="tls", ca_file=certificate) as email,
    ):
        assert (await email.send(a_push(), LI)).came == Came.DELIVERED


async def test_nothing_is_said_to_a_server_that_cannot_be_trusted(context: ssl.SSLContext) -> None:
    async with (
        a_mail_server(context, accounts=True) as mailbox,
        a_sender(mailbox, username=USERNAME, password=PASSWORD) as email,
    ):
        receipt = await email.send(a_push(), LI)

    assert receipt.came == Came.RETRY
    assert "certificate" in (receipt.response or "")
    assert mailbox.taken == []


async def test_nothing_is_said_to_a_server_without_encryption_where_it_is_asked_for(mailbox: Mailbox) -> None:
    async with a_sender(mailbox) as email:
        receipt = await email.send(a_push(), LI)

    assert (receipt.came, mailbox.commands) == (Came.RETRY, [])
    assert "STARTTLS" in (receipt.response or "")


@pytest.mark.parametrize("given", ["wrong-password", None])
async def test_an_account_that_is_refused_is_a_matter_for_later(
    context: ssl.SSLContext, certificate: Path, given: str | None
) -> None:
    account = {} if given is None else {"username": USERNAME, "password": given}
    async with (
        a_mail_server(context, accounts=True) as mailbox,
        a_sender(mailbox, ca_file=certificate, **account) as email,
    ):
        receipt = await email.send(a_push(), LI)

    assert (receipt.came, receipt.status) == (Came.RETRY, 530 if given is None else 535)
    assert "wrong-password" not in str(receipt)
    assert mailbox.taken == []


async def test_one_connection_serves_mail_after_mail_whoever_sends_them(mailbox: Mailbox, email: Channel) -> None:
    receipts = await asyncio.gather(*(email.send(a_push(id=f"dl_{n}"), LI) for n in range(20)))

    assert {receipt.came for receipt in receipts} == {Came.DELIVERED}
    assert len(mailbox.connections) == 1
    assert {taken.mail["Message-ID"] for taken in mailbox.taken} == {f"<dl_{n}@localhost>" for n in range(20)}


async def test_a_mail_that_is_sent_again_has_the_same_message_id(mailbox: Mailbox, email: Channel) -> None:
    await email.send(a_push(), LI)
    await email.send(a_push(), LI)

    assert len({taken.mail["Message-ID"] for taken in mailbox.taken}) == 1


async def test_a_connection_is_made_anew_after_so_many_mails(mailbox: Mailbox) -> None:
    async with a_connection(mailbox, most_mails=3) as server:
        for _ in range(7):
            assert (await server.deliver(ENVELOPE)).came == Came.DELIVERED

    assert [taken.connection for taken in mailbox.taken] == [0, 0, 0, 1, 1, 1, 2]


async def test_a_connection_that_has_rested_is_made_anew(mailbox: Mailbox) -> None:
    now = 0.0
    async with a_connection(mailbox, clock=lambda: now) as server:
        for rest in (0.0, IDLE_SECONDS - 1, IDLE_SECONDS + 1):
            now += rest
            assert (await server.deliver(ENVELOPE)).came == Came.DELIVERED

    assert [taken.connection for taken in mailbox.taken] == [0, 0, 1]


async def test_a_connection_that_the_server_closed_meanwhile_costs_no_attempt(mailbox: Mailbox, email: Channel) -> None:
    await email.send(a_push(), LI)
    mailbox.connections[0].cut()
    receipt = await email.send(a_push(), LI)

    assert receipt.came == Came.DELIVERED
    assert [taken.connection for taken in mailbox.taken] == [0, 1]


async def test_a_server_that_says_it_closes_a_used_connection_costs_no_attempt(
    mailbox: Mailbox, email: Channel
) -> None:
    await email.send(a_push(), LI)
    mailbox.answers("MAIL", "421 4.4.2 idle for too long", times=1)

    assert (await email.send(a_push(), LI)).came == Came.DELIVERED
    assert [taken.connection for taken in mailbox.taken] == [0, 1]


@pytest.mark.parametrize("command", ["MAIL", "RCPT", "DATA", "END"])
async def test_a_connection_that_breaks_is_a_matter_for_later_and_then_made_anew(
    mailbox: Mailbox, email: Channel, command: str
) -> None:
    mailbox.cuts(command)
    broken = await email.send(a_push(), LI)
    again = await email.send(a_push(), LI)

    assert (broken.came, again.came) == (Came.RETRY, Came.DELIVERED)
    # Only one that broke after the whole mail was sent may have been taken.
    assert len(mailbox.taken) == (2 if command == "END" else 1)


@pytest.mark.parametrize(
    ("command", "answer", "came"),
    [
        ("RCPT", "550 5.1.1 no such user here", Came.GONE),
        ("RCPT", "550 5.7.1 relaying denied", Came.REFUSED),
        ("RCPT", "452 4.2.2 mailbox full", Came.RETRY),
        ("MAIL", "550 5.1.0 not from you", Came.RETRY),
        ("MAIL", "552 5.3.4 too large", Came.REFUSED),
        ("DATA", "554 5.6.0 spam", Came.REFUSED),
        ("DATA", "451 4.3.0 greylisted", Came.RETRY),
    ],
)
async def test_a_refused_mail_leaves_the_connection_to_the_next_one(
    mailbox: Mailbox, email: Channel, command: str, answer: str, came: Came
) -> None:
    mailbox.answers(command, answer, times=1)
    refused = await email.send(a_push(), LI)
    taken = await email.send(a_push(), LI)

    code, _, text = answer.partition(" ")
    assert refused == Receipt(came=came, status=int(code), response=text)
    assert taken.came == Came.DELIVERED
    assert len(mailbox.connections) == 1


async def test_a_server_that_goes_down_is_a_matter_for_later(mailbox: Mailbox, email: Channel) -> None:
    mailbox.answers("RCPT", "421 4.3.2 shutting down", times=1)
    receipt = await email.send(a_push(), LI)

    assert (receipt.came, receipt.status) == (Came.RETRY, 421)
    assert (await email.send(a_push(), LI)).came == Came.DELIVERED


async def test_a_server_that_says_nothing_is_given_up_in_time() -> None:
    listener = socket.create_server((HOST, 0))
    with listener:
        async with a_sender(Mailbox(listener.getsockname()[1]), timeout_seconds=0.2, security="none") as email:
            receipt = await email.send(a_push(), LI)

    assert (receipt.came, receipt.status) == (Came.RETRY, None)
    assert "0.2 s" in (receipt.response or "") or "Timed out" in (receipt.response or "")


async def test_a_server_that_is_away_is_a_matter_for_later() -> None:
    async with a_sender(Mailbox(port=1), security="none") as email:
        receipt = await email.send(a_push(), LI)

    assert (receipt.came, receipt.status) == (Came.RETRY, None)


async def test_a_server_that_hangs_in_the_middle_is_left_and_the_next_mail_has_a_connection_of_its_own(
    mailbox: Mailbox,
) -> None:
    mailbox.held["RCPT"] = asyncio.Event()
    async with a_sender(mailbox, timeout_seconds=0.2, security="none") as email:
        hung = await email.send(a_push(), LI)
        mailbox.held.clear()
        receipt = await email.send(a_push(id="dl_2"), LI)

    assert (hung.came, hung.status, receipt.came) == (Came.RETRY, None, Came.DELIVERED)
    assert [taken.mail["Message-ID"] for taken in mailbox.taken] == ["<dl_2@localhost>"]


async def test_a_cancelled_attempt_does_not_answer_for_the_next_one(mailbox: Mailbox, email: Channel) -> None:
    mailbox.held["RCPT"] = asyncio.Event()
    attempt = asyncio.create_task(email.send(a_push(), LI))

    async def stands_there() -> bool:
        return "RCPT" in mailbox.commands

    await eventually(stands_there)
    attempt.cancel()
    with pytest.raises(asyncio.CancelledError):
        await attempt
    mailbox.held.clear()
    receipt = await email.send(a_push(id="dl_2"), LI)

    assert receipt.came == Came.DELIVERED
    assert [(taken.connection, taken.mail["Message-ID"]) for taken in mailbox.taken] == [(1, "<dl_2@localhost>")]


async def test_international_addresses_go_to_servers_that_take_them(mailbox: Mailbox, email: Channel) -> None:
    receipt = await email.send(a_push(), Target(address="用户@例子.公司"))

    [taken] = mailbox.taken
    assert receipt.came == Came.DELIVERED
    assert taken.recipients == ["用户@xn--fsqu00a.xn--55qx5d"]
    assert taken.mail["To"] == "用户@xn--fsqu00a.xn--55qx5d"


async def test_international_addresses_are_refused_where_the_server_does_not_take_them() -> None:
    async with a_mail_server(utf8=False) as mailbox, a_sender(mailbox, security="none") as email:
        refused = await email.send(a_push(), Target(address="用户@example.com"))
        domain = await email.send(a_push(), Target(address="user@例子.公司"))

    assert (refused.came, domain.came) == (Came.REFUSED, Came.DELIVERED)
    assert [taken.recipients for taken in mailbox.taken] == [["user@xn--fsqu00a.xn--55qx5d"]]


@pytest.mark.parametrize("address", ["nobody", "a@b.de\r\nRCPT TO:<x@y.de>", "a@b.de>\r\nDATA", "a@b.de c@d.de"])
async def test_what_is_no_address_is_not_said_to_the_server(mailbox: Mailbox, email: Channel, address: str) -> None:
    receipt = await email.send(a_push(), Target(address=address))

    assert receipt == Receipt(came=Came.REFUSED, response="not an e-mail address")
    assert mailbox.commands == []


async def test_a_line_with_a_dot_alone_does_not_end_a_mail(mailbox: Mailbox, email: Channel) -> None:
    await email.send(a_push(body="before\n.\nafter\n..\n.x"), LI)

    assert body_of(mailbox.taken[0].mail, "plain").replace("\r\n", "\n").endswith("before\n.\nafter\n..\n.x\n")


async def test_what_a_server_says_in_no_encoding_can_be_kept() -> None:
    async def talk(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"554 caf\xe9\r\n")

    async with a_raw_peer(talk) as url, a_sender(Mailbox(int(url.rpartition(":")[2])), security="none") as email:
        receipt = await email.send(a_push(), LI)

    assert (receipt.came, receipt.status, receipt.response) == (Came.RETRY, 554, "caf\ufffd")


async def test_without_a_server_mails_wait() -> None:
    way, settings = ways()["email"], Settings()
    async with a_net() as net, way.open(settings, net) as email:
        receipt = await email.send(a_push(), LI)

    assert (way.configured(settings), receipt.came) == (False, Came.RETRY)
