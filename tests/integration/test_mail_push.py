"""Pushes that leave as mails: the text of a template, in the recipient's language, to a real mail server."""

from collections.abc import AsyncIterator

import pytest
from chat_api import eventually, folding, publish
from mail_server import HOST, Mailbox, Taken, a_mail_server
from pushing import a_push, push_settings, pushing

from config.settings import Settings, SmtpSettings
from config.topics import Topic
from stores.mongo import Database


@pytest.fixture
async def mailbox() -> AsyncIterator[Mailbox]:
    async with a_mail_server() as mailbox:
        yield mailbox


async def test_a_template_makes_the_mail_and_a_repeat_makes_none(
    settings: Settings, synced: tuple[Topic, ...], database: Database, mailbox: Mailbox
) -> None:
    smtp = SmtpSettings(host=HOST, port=mailbox.port, security="none", sender="Fanfold <fanfold@example.org>")
    settings = push_settings(settings).model_copy(update={"smtp": smtp})
    fields = {"endpoint": "ep_1", "channel": "webhook", "reason": "gone"}
    asked = {"title": None, "body": None, "kind": "endpoint.disabled", "fields": fields, "language": "zh"}
    push, last = a_push("email/li@example.com", **asked), a_push("email/li@example.com", title="Last")

    async def all_there() -> list[Taken] | None:
        return mailbox.taken if len(mailbox.taken) >= 2 else None

    async with pushing(settings), folding(settings):
        await publish(settings, push, push)
        await publish(settings, last)
        first, second = await eventually(all_there)

    delivery = await database["deliveries"].find_one({"push": push.identity})
    assert delivery is not None
    assert first.mail["Message-ID"] == f"<{delivery['_id']}@example.org>"
    assert (first.mail["Subject"], first.mail["Content-Language"]) == ("推送端点已停用", "zh")
    assert "对方答复该地址已永久失效" in first.mail.get_body(("plain",)).get_content()
    assert second.mail["Subject"] == "Last"
    assert len(mailbox.connections) == 1
