"""/mt/crm/index/bee/backlog: what waits for an operator.

Certifications (waitAuditAuthCount) are left out: registrations belong to a part of the contract that is not served.
"""

from collections.abc import Sequence

from gateway.mt.frame import Asked, MtOperation, Tools
from gateway.system import Reply
from handlers.products.moves import GrantState
from handlers.statements.statement import State
from schemas.mt.statistics import Backlog
from stores.mt.grants import GRANTS
from stores.mt.invoices import INVOICES, InvoiceState
from stores.mt.statements import STATEMENTS
from stores.mt.statistics import Statistics

TO_ISSUE = (InvoiceState.WAITING, InvoiceState.APPROVED)


class Waiting:
    def __init__(self, tools: Tools) -> None:
        self._statistics = Statistics(tools.database)

    async def backlog(self, asked: Asked) -> Reply:
        scope, count = asked.scope.match(), self._statistics.count
        return Reply(
            Backlog(
                wait_audit_item_count=await count(GRANTS, {**scope, "state": GrantState.WAITING, "deleted_at": None}),
                wait_recheck_bill_count=await count(STATEMENTS, {**scope, "state": State.MADE}),
                wait_invoice_count=await count(INVOICES, {**scope, "state": {"$in": list(TO_ISSUE)}}),
            )
        )


def operations(tools: Tools) -> Sequence[MtOperation]:
    return (MtOperation("crmIndexBeeBacklog", "GET", "/mt/crm/index/bee/backlog", Waiting(tools).backlog),)
