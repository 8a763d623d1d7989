"""Statements: crm/bill of the operators' platform, billStatement of the client console.

Whatever changes one is refused as a whole where its state does not allow it, and is kept
with who did it, when, and what it was before.
"""

from collections.abc import Sequence
from functools import partial

from gateway.mt.frame import Asked, MtOperation, Tools
from gateway.mt.sheets import download, xlsx
from gateway.mt.statement_desk import StatementDesk, sending
from gateway.mt.statement_rows import STATEMENT_COLUMNS, file_id, place_of
from gateway.system import Reply
from handlers.statements import lines
from handlers.statements.moves import To, limit_invoices, move
from handlers.statements.statement import State, Statement
from schemas.errors import Refused
from schemas.mt.codes import MtRefused
from schemas.mt.common import IdRequest, IdsRequest, micro_of, price_of, yuan
from schemas.mt.statement_codes import CHANGED_MEANWHILE, NOT_MERGED, NOTHING_OPEN
from schemas.mt.statements import (
    BillAttachmentRequest,
    BillDetailRequest,
    BillIdRequest,
    BillReceivers,
    BillTotals,
    ConfirmRequest,
    MergeBillDetailRequest,
    ModifyStatementRequest,
    SaveSubBillRequest,
    SendBillRequest,
    StatementQuery,
)
from stores.mongo import translated
from stores.mt.statements import STATEMENTS, Change, actor_of

CHECKED = frozenset({State.CHECKED})


class StatementOperations:
    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._desk = StatementDesk(tools)

    # ---- looking -----------------------------------------------------------------------------------------------------

    async def page(self, asked: Asked) -> Reply:
        """The latest month first. Without `stateList` all that hold or were voided; customers see checked ones."""
        return Reply(await self._desk.page(asked))

    async def totals(self, asked: Asked) -> Reply:
        """Sums of what a list of the same query shows. Void statements count only where they are asked for."""
        query: StatementQuery = asked.body
        match = self._desk.match(asked)
        if not query.state_list:
            match["state"] = {"$gte": State.MADE.value}
        sums = {f"{name}_micro": {"$sum": f"${name}_micro"} for name in ("total", "invoiced", "settled", "open")}
        with translated():
            found = await (
                await self._tools.database[STATEMENTS].aggregate([{"$match": match}, {"$group": {"_id": None, **sums}}])
            ).to_list()
        summed = found[0] if found else {}
        return Reply(
            BillTotals(
                total_amount_sum=yuan(summed.get("total_micro", 0)),
                invoiced_amount_sum=yuan(summed.get("invoiced_micro", 0)),
                settled_amount_sum=yuan(summed.get("settled_micro", 0)),
                receivable_amount_sum=yuan(summed.get("open_micro", 0)),
            )
        )

    async def export(self, asked: Asked) -> Reply:
        """A workbook of all statements of the query, whatever page it asks for."""
        table = xlsx("statements", STATEMENT_COLUMNS, self._desk.cells(asked))
        return Reply(await download("statements.xlsx", table))

    async def detail(self, asked: Asked) -> Reply:
        wanted: BillDetailRequest = asked.body
        found = await self._desk.find(asked, _id=wanted.statement_no, dept_id=wanted.dept_id)
        return Reply(self._desk.rows(asked.at).statement(found, whole=True))

    async def own_detail(self, asked: Asked) -> Reply:
        found = await self._desk.find(asked, _id=asked.param("statementNo"))
        return Reply(self._desk.rows(asked.at).statement(found, whole=True))

    async def receivers(self, asked: Asked) -> Reply:
        """Those of the account and of its customer."""
        text = asked.param("deptId")
        if not (text.isascii() and text.isdigit() and len(text) < 19):
            raise Refused("bad_field", "deptId: an integer is expected")
        return Reply(BillReceivers(receiver_list=await self._desk.receivers(asked.scope, int(text)), cc_list=()))

    async def attachment(self, asked: Asked) -> Reply:
        """A link to the workbook, which is built where it is not there."""
        wanted: BillAttachmentRequest = asked.body
        found = await self._desk.find(asked, id=wanted.bill_id)
        file = await self._desk.attachment(found, asked.at, rebuild=wanted.rebuild_force)
        return Reply(self._desk.link(file, asked.at))

    # ---- lines -------------------------------------------------------------------------------------------------------

    async def merge(self, asked: Asked) -> Reply:
        wanted: MergeBillDetailRequest = asked.body
        found = await self._desk.find(asked, _id=wanted.statement_no, dept_id=wanted.dept_id)
        places = [place_of(number) for number in wanted.merge_detail_ids]
        if any(statement_id != found.id for statement_id, _ in places):
            raise MtRefused(NOT_MERGED, "lines of one statement can be merged")
        return await self._change(asked, found, "merge lines", partial(lines.merge, numbers=[no for _, no in places]))

    async def save_line(self, asked: Asked) -> Reply:
        """With an id: that line, where what is left out stays as it is. Else a line more."""
        wanted: SaveSubBillRequest = asked.body
        edit = edit_of(wanted)
        if wanted.id is not None:
            statement_id, no = place_of(wanted.id)
            found = await self._desk.find(asked, id=statement_id)
            return await self._change(asked, found, "edit line", partial(lines.edit, no=no, wanted=edit))
        if wanted.statement_no is None:
            raise Refused("bad_field", "statementNo: required for a new line")
        found = await self._desk.find(asked, _id=wanted.statement_no)
        return await self._change(asked, found, "add line", partial(lines.add, wanted=edit, at=asked.at))

    async def remove_line(self, asked: Asked) -> Reply:
        """Its usage is waived: it is not billed by a later statement either."""
        wanted: IdRequest = asked.body
        statement_id, no = place_of(wanted.id)
        found = await self._desk.find(asked, id=statement_id)
        return await self._change(asked, found, "remove line", partial(lines.remove, no=no))

    async def modify(self, asked: Asked) -> Reply:
        """How much of it may be invoiced."""
        wanted: ModifyStatementRequest = asked.body
        micro = price_of(wanted.can_invoice_amount, "canInvoiceAmount")
        found = await self._desk.find(asked, _id=wanted.statement_no)
        return await self._change(asked, found, "limit invoices", partial(limit_invoices, micro=micro))

    # ---- states ------------------------------------------------------------------------------------------------------

    async def check(self, asked: Asked) -> Reply:
        """Approve it; it is mailed to the addresses of its account, where there are any."""
        wanted: BillIdRequest = asked.body
        found = await self._desk.find(asked, id=wanted.bill_id)
        move(found, To.CHECK, asked.at)  # refused before a workbook is built for nothing
        file = await self._desk.attachment(found, asked.at)
        receivers = await self._desk.receivers_of(found)

        def checked(statement: Statement) -> Statement:
            if file_id(statement) != file.id:
                raise MtRefused(CHANGED_MEANWHILE, "its lines have just changed: look at them again")
            moved = move(statement, To.CHECK, asked.at)
            return sending(moved, receivers, (), file, asked.at) if receivers else moved

        return await self._change(asked, found, To.CHECK, checked)

    async def resend(self, asked: Asked) -> Reply:
        wanted: SendBillRequest = asked.body
        found = await self._desk.find(asked, id=wanted.bill_id)
        file = await self._desk.named(found, wanted.attachment_url, asked.at)
        await self._desk.send(asked, found, wanted.receiver_list, wanted.cc_list or (), file)
        return Reply()

    async def confirm(self, asked: Asked) -> Reply:
        """Those that are named, or all that wait for it."""
        wanted: ConfirmRequest = asked.body
        found = await self._desk.chosen(asked, wanted.statement_no_list, CHECKED)
        if not found:
            raise MtRefused(NOTHING_OPEN, "no statement waits for a confirmation")
        return await self._move_all(asked, found, To.CONFIRM)

    async def invalidate(self, asked: Asked) -> Reply:
        return await self._move_ids(asked, To.INVALIDATE)

    async def archive(self, asked: Asked) -> Reply:
        return await self._move_ids(asked, To.ARCHIVE)

    async def delete(self, asked: Asked) -> Reply:
        """As if it had never been made: what it covers can be billed anew."""
        return await self._move_ids(asked, To.DELETE)

    async def _move_ids(self, asked: Asked, to: To) -> Reply:
        wanted: IdsRequest = asked.body
        return await self._move_all(asked, await self._desk.of_ids(asked, wanted.ids), to)

    async def _move_all(self, asked: Asked, statements: Sequence[Statement], to: To) -> Reply:
        await self._desk.statements.change_all(
            statements, to, actor_of(asked.principal), asked.at, partial(move, to=to, at=asked.at)
        )
        return Reply()

    async def _change(self, asked: Asked, statement: Statement, what: str, how: Change) -> Reply:
        actor = actor_of(asked.principal)
        await self._desk.statements.change(statement.statement_no, what, actor, asked.at, how)
        return Reply()


def edit_of(wanted: SaveSubBillRequest) -> lines.Edit:
    """Refuses bad_field where the amounts contradict each other."""
    fee = None if wanted.total_fee is None else micro_of(wanted.total_fee, "totalFee")
    settled = None if wanted.settled_amount is None else micro_of(wanted.settled_amount, "settledAmount")
    if wanted.receivable_amount is not None:
        receivable = micro_of(wanted.receivable_amount, "receivableAmount")
        if fee is None:
            raise Refused("bad_field", "receivableAmount: totalFee is expected with it")
        if settled is not None and settled + receivable != fee:
            raise Refused("bad_field", "totalFee: settledAmount and receivableAmount add up to it")
        settled = fee - receivable
    return lines.Edit(
        item=wanted.check_item,
        item_name=wanted.check_item_name,
        count=wanted.count,
        charged=wanted.charge_count,
        price_micro=None if wanted.price is None else price_of(wanted.price, "price"),
        fee_micro=fee,
        settled_micro=settled,
    )


def operations(tools: Tools) -> Sequence[MtOperation]:
    own = StatementOperations(tools)
    crm, console = "/mt/crm/bill", "/mt/beeback/billStatement"
    return (
        MtOperation("billStatementList", "POST", f"{console}/list", own.page, StatementQuery),
        MtOperation("billStatementDetail", "GET", f"{console}/detail/{{statementNo}}", own.own_detail),
        MtOperation("billStatementConfirm", "POST", f"{console}/confirm", own.confirm, ConfirmRequest),
        MtOperation("crmBillList", "POST", f"{crm}/list", own.page, StatementQuery),
        MtOperation("crmBillStatistics", "POST", f"{crm}/statistics", own.totals, StatementQuery),
        MtOperation("crmBillExport", "POST", f"{crm}/export", own.export, StatementQuery),
        MtOperation("crmBillDetail", "POST", f"{crm}/detail", own.detail, BillDetailRequest),
        MtOperation("crmBillMergeDetail", "POST", f"{crm}/mergeDetail", own.merge, MergeBillDetailRequest),
        MtOperation("crmBillModifyStatement", "POST", f"{crm}/modifyStatement", own.modify, ModifyStatementRequest),
        MtOperation("crmBillSaveSubBill", "POST", f"{crm}/saveSubBill", own.save_line, SaveSubBillRequest),
        MtOperation("crmBillRemoveSubBill", "POST", f"{crm}/removeSubBill", own.remove_line, IdRequest),
        MtOperation("crmBillGainAttachment", "POST", f"{crm}/gainAttachment", own.attachment, BillAttachmentRequest),
        MtOperation("crmBillSelectReceivers", "GET", f"{crm}/selectReceivers/{{deptId}}", own.receivers),
        MtOperation("crmBillRecheck", "POST", f"{crm}/recheck", own.check, BillIdRequest),
        MtOperation("crmBillResend", "POST", f"{crm}/resend", own.resend, SendBillRequest),
        MtOperation("crmBillInvalidate", "POST", f"{crm}/invalidate", own.invalidate, IdsRequest),
        MtOperation("crmBillArchive", "POST", f"{crm}/archive", own.archive, IdsRequest),
        MtOperation("crmBillDelete", "POST", f"{crm}/delete", own.delete, IdsRequest),
    )
