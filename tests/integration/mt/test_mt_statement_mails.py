"""Statements leave as mails with a workbook, by the way of every push; what became of them is shown."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from io import BytesIO
from typing import Any

import pytest
from mt_api import Portals
from openpyxl import load_workbook
from statement_scenes import Scene

from config.settings import SmtpSettings
from handlers.statements.mails import asked_for
from schemas.mt.access import EVERYTHING
from stores.mongo import Database
from stores.mt.statements import Statements
from streams.publisher import Publisher
from tests.integration.chat_api import eventually
from tests.integration.mail_server import HOST, Mailbox, Taken, a_mail_server
from tests.integration.pushing import push_settings, pushing
from workers.statement_duties import StatementMails

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@pytest.fixture
async def mailbox() -> AsyncIterator[Mailbox]:
    async with a_mail_server() as mailbox:
        yield mailbox


@asynccontextmanager
async def clock_at_work(portals: Portals, database: Database) -> AsyncIterator[None]:
    """The clock's duty, ticking."""
    async with Publisher(portals.settings.kafka) as publisher:
        await publisher.wait_connected()
        mails = StatementMails(database, publisher)

        async def tick() -> None:
            while True:
                await mails.tick(datetime.now(UTC))
                await asyncio.sleep(0.05)

        task = asyncio.create_task(tick())
        try:
            yield
        finally:
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task


async def test_a_checked_statement_is_mailed_with_a_workbook_that_opens(
    portals: Portals, mt_database: Database, mailbox: Mailbox
) -> None:
    smtp = SmtpSettings(host=HOST, port=mailbox.port, security="none", sender="Billing <billing@example.org>")
    settings = push_settings(portals.settings).model_copy(update={"smtp": smtp})
    scene = Scene(portals, mt_database)

    async def recorded(statement: dict[str, Any], sends: int) -> Any:
        records = (await scene.detail(statement))["sendRecordList"]
        done = len(records) == sends and all(record["state"] != 0 for record in records)
        return records if done else None

    async with pushing(settings), clock_at_work(portals, mt_database):
        statement = await scene.checked(emails=("wang@example.com", "li@example.com"))
        first = await eventually(lambda: recorded(statement, 1))
        mailbox.answers("RCPT", "550 nobody here")
        url = await portals.operator.ok("/mt/crm/bill/gainAttachment", {"billId": statement["id"]})
        again = {"billId": statement["id"], "receiverList": ["gone@example.com"], "attachmentUrl": url}
        await portals.operator.ok("/mt/crm/bill/resend", again)
        second = await eventually(lambda: recorded(statement, 2))

    assert [(record["state"], record["receiverList"]) for record in (*first, second[1])] == [
        (1, ["wang@example.com", "li@example.com"]),
        (-1, ["gone@example.com"]),
    ]
    assert sorted(taken.recipients[0] for taken in mailbox.taken) == ["li@example.com", "wang@example.com"]
    assert_holds(mailbox.taken[0], statement)


def assert_holds(taken: Taken, statement: dict[str, Any]) -> None:
    assert taken.mail["Subject"] == "Statement for 2026-02"
    text = taken.mail.get_body(("plain",))
    assert text is not None
    assert all(part in text.get_content() for part in (statement["_id"], "10.00"))
    (attached,) = taken.mail.iter_attachments()
    assert (attached.get_filename(), attached.get_content_type()) == (f"{statement['_id']}.xlsx", XLSX)
    rows = list(load_workbook(BytesIO(attached.get_content())).active.iter_rows(values_only=True))
    assert [Decimal(str(row[-1])) for row in rows[1:]] == [Decimal("9.999"), Decimal("0.001"), Decimal(10)]


async def test_where_nothing_sends_mail_the_record_says_so(portals: Portals, mt_database: Database) -> None:
    scene = Scene(portals, mt_database)

    async def failed() -> bool:
        return bool((await scene.detail(statement))["sendRecordList"][0]["state"] == -1)

    async with pushing(push_settings(portals.settings)), clock_at_work(portals, mt_database):
        statement = await scene.checked(emails=("wang@example.com",))
        assert await eventually(failed)


async def test_a_caller_cannot_have_a_file_sent_to_themselves(portals: Portals, mt_database: Database) -> None:
    scene = Scene(portals, mt_database)
    statement = await Statements(mt_database).find(
        EVERYTHING, {"_id": (await scene.checked(emails=("wang@example.com",)))["_id"]}
    )
    (push,) = asked_for(statement, statement.sends[0])
    headers = {"Authorization": "Bearer events-token", "Content-Type": "application/json", "ce-specversion": "1.0"}
    headers |= {"ce-id": "1", "ce-source": "somebody", "ce-type": push.type}

    async with portals.http.post("/events", data=push.data, headers=headers) as answer:
        assert answer.status == 400
        assert "attachments" in await answer.text()
