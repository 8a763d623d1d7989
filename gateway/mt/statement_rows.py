"""Statements as the API shows them: rows, lines, and the workbook that is mailed."""

import hashlib
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime

import msgspec

from gateway.mt.sheets import Cell, Column
from handlers.statements.statement import Line, PaymentState, Send, State, Statement
from schemas.mt.common import Zone, yuan
from schemas.mt.statements import BillLine, BillSendRecord, BillStatement, InvoicedStatement

LINE_IDS = 100_000
"""A line's id in the API is its statement's id and its number within it: who has the one finds the other."""

STATE_TEXTS = {
    State.DELETED: "已删除",
    State.INVALID: "已作废",
    State.MADE: "待审核",
    State.CHECKED: "待确认",
    State.CONFIRMED: "已确认",
    State.ARCHIVED: "已归档",
}
PAYMENT_TEXTS = {PaymentState.UNPAID: "未付款", PaymentState.PARTLY: "部分付款", PaymentState.PAID: "已付款"}

LINE_COLUMNS = (
    Column("月份 Month", 12),
    Column("产品 Product", 18),
    Column("产品名称 Name", 28),
    Column("标签 Tag", 14),
    Column("调用量 Calls", 14),
    Column("免费 Free", 12),
    Column("计费量 Charged", 14),
    Column("单价 Price", 14),
    Column("金额 Fee", 16),
)
STATEMENT_COLUMNS = (
    Column("账单号 Statement", 20),
    Column("账期 Month", 12),
    Column("机构 Organisation", 28),
    Column("App ID", 20),
    Column("状态 State", 14),
    Column("金额 Total", 16),
    Column("已结算 Settled", 16),
    Column("未结算 Receivable", 16),
    Column("已开票 Invoiced", 16),
    Column("未开票 Not invoiced", 16),
    Column("付款状态 Payment", 14),
    Column("确认时间 Confirmed", 20),
)

Url = Callable[[str], str | None]
"""Where a file can be fetched, by its id; None where no links can be made."""


def line_id(statement: Statement, line: Line) -> int:
    return statement.id * LINE_IDS + line.no


def place_of(number: int) -> tuple[int, int]:
    """Id of the statement, and number of the line in it."""
    return divmod(number, LINE_IDS)


class Rows:
    """Makes rows of statements, in one time zone."""

    def __init__(self, zone: Zone, url: Url) -> None:
        self._zone = zone
        self._url = url

    def statement(self, statement: Statement, *, whole: bool = False) -> BillStatement:
        """`whole`: with its lines."""
        last = statement.sends[-1] if statement.sends else None
        return BillStatement(
            id=statement.id,
            statement_no=statement.statement_no,
            bill_date=statement.month,
            user_id=statement.user_id,
            dept_id=statement.dept_id,
            dept_name=statement.dept_name,
            app_id=statement.app_id,
            state=statement.state.value,
            state_desc=STATE_TEXTS[statement.state],
            invoice_state=statement.invoice_state.value,
            total_amount=yuan(statement.total_micro),
            invoiced_amount=yuan(statement.invoiced_micro),
            not_invoiced_amount=yuan(statement.not_invoiced_micro),
            confirm_date=self._time(statement.confirmed_at),
            invoice_time=self._time(statement.invoiced_at),
            bill_detail_list=[self._line(statement, line) for line in statement.shown_lines] if whole else None,
            emails=statement.emails,
            attachment_url=None if last is None else self._url(last.file_id),
            settled_amount=yuan(statement.settled_micro),
            overdraft_type=statement.overdraft.value,
            send_record_list=[self._send(send) for send in statement.sends],
            payment_state_desc=PAYMENT_TEXTS[statement.payment_state],
        )

    def invoiced(self, statement: Statement) -> InvoicedStatement:
        return InvoicedStatement(
            id=statement.id,
            statement_no=statement.statement_no,
            bill_date=statement.month,
            dept_id=statement.dept_id,
            dept_name=statement.dept_name,
            app_id=statement.app_id,
            state=statement.state.value,
            invoice_state=statement.invoice_state.value,
            invoiced_amount=yuan(statement.invoiced_micro),
            invoice_time=self._time(statement.invoiced_at),
        )

    def cells(self, statement: Statement) -> Sequence[Cell]:
        """As STATEMENT_COLUMNS."""
        return (
            statement.statement_no,
            statement.month,
            statement.dept_name,
            statement.app_id,
            STATE_TEXTS[statement.state],
            yuan(statement.total_micro),
            yuan(statement.settled_micro),
            yuan(statement.open_micro),
            yuan(statement.invoiced_micro),
            yuan(statement.not_invoiced_micro),
            PAYMENT_TEXTS[statement.payment_state],
            self._time(statement.confirmed_at),
        )

    def _line(self, statement: Statement, line: Line) -> BillLine:
        price = line.shown_price_micro
        return BillLine(
            id=line_id(statement, line),
            bill_date=line.month,
            bill_type="cust_monthly",
            dept_id=statement.dept_id,
            dept_name=statement.dept_name,
            app_id=statement.app_id,
            check_item=line.item,
            check_item_name=line.item_name,
            tag=line.tag,
            count=line.figures.count,
            free_count=line.figures.free,
            charge_count=line.figures.charged,
            price=None if price is None else yuan(price),
            total_fee=yuan(line.figures.fee_micro),
            settled_amount=yuan(line.settled_micro),
            statement_no=statement.statement_no,
            create_date=self._zone.text(line.made_at),
        )

    def _send(self, send: Send) -> BillSendRecord:
        return BillSendRecord(
            receiver_list=send.receivers,
            cc_list=send.copies,
            attachment_url=self._url(send.file_id),
            send_time=self._zone.text(send.at),
            state=send.state.value,
        )

    def _time(self, at: datetime | None) -> str | None:
        return None if at is None else self._zone.text(at)


async def line_cells(statement: Statement) -> AsyncIterator[Sequence[Cell]]:
    """As LINE_COLUMNS; the total at the end."""
    for line in statement.shown_lines:
        price = line.shown_price_micro
        yield (
            line.month,
            line.item,
            line.item_name,
            line.tag,
            line.figures.count,
            line.figures.free,
            line.figures.charged,
            None if price is None else yuan(price),
            yuan(line.figures.fee_micro),
        )
    yield ("合计 Total", None, None, None, None, None, None, None, yuan(statement.total_micro))


def file_id(statement: Statement) -> str:
    """Of the workbook of a statement as it is: another one when its lines change."""
    shown = [
        (line.month, line.item, line.item_name, line.tag, line.figures, line.price_micro)
        for line in statement.shown_lines
    ]
    digest = hashlib.sha256(msgspec.json.encode(shown)).hexdigest()
    return f"statements/{statement.statement_no}/{digest[:16]}"
