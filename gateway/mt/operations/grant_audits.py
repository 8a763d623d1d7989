"""/mt/crm/checkItem/deptItem: what accounts applied for, approved or rejected."""

from collections.abc import Sequence

from gateway.mt.frame import Asked, MtOperation, Tools
from gateway.mt.grant_desk import GrantDesk, check_item, rejected
from gateway.mt.grant_lists import GrantLists, as_query
from gateway.system import Reply
from handlers.products.moves import Move, moved
from schemas.errors import Refused
from schemas.mt.grants import AuditGrant, AuditItem, BatchAudit, CheckItemGrantQuery, GrantFields, SourcePriority
from stores.mt.assignments import Wanted, assign
from stores.mt.grants import Grant, change_grant, find_grants

PASS = "pass"  # noqa: S105 - the contract's word for "approve"


class GrantAudits:
    def __init__(self, tools: Tools) -> None:
        self._database = tools.database
        self._desk = GrantDesk(tools.database)
        self._lists = GrantLists.of(tools)

    async def page(self, asked: Asked) -> Reply:
        query = as_query(asked.body, ("dept_id_list", "state_list", "check_item_list", "query_spreader"))
        return Reply(await self._lists.page(asked, query))

    async def audit(self, asked: Asked) -> Reply:
        """Approve or reject one that waits, on the terms that are sent."""
        body: AuditGrant = asked.body
        [grant] = await self._desk.of_account(body.dept_id, [body.dept_item_id], asked.scope)
        check_item(grant, body.item_code)
        if body.audit_type != PASS:
            await change_grant(self._database, grant.id, rejected(body.reject_reason, asked.at), asked.at)
            return Reply()
        wanted = await self._desk.wanted_sources(grant.item, body.source_list or ())
        await self._desk.edit(grant, body, asked.principal, asked.at, approve=True, audit=True)
        await assign(self._database, grant, wanted, asked.at)
        return Reply()

    async def batch_audit(self, asked: Asked) -> Reply:
        """All of them or (refused) none."""
        body: BatchAudit = asked.body
        grants = await self._asked_grants(body, asked)
        if body.audit_type != PASS:
            for grant in grants:
                moved(Move.REJECT, grant.known_state, f"{grant.item} of account {grant.dept_id}")
            for grant in grants:
                await change_grant(self._database, grant.id, rejected(body.reject_reason, asked.at), asked.at)
            return Reply()
        checked: list[tuple[Grant, GrantFields, list[Wanted]]] = []
        for grant, item in zip(grants, body.item_list, strict=True):
            fields = _fields(item)
            await self._desk.check_approval(grant, fields, asked.principal)
            checked.append((grant, fields, await self._wanted(grant, item.source_list)))
        for grant, fields, wanted in checked:
            await self._desk.edit(grant, fields, asked.principal, asked.at, approve=True, audit=True)
            await assign(self._database, grant, wanted, asked.at)
        return Reply()

    async def _wanted(self, grant: Grant, priorities: Sequence[SourcePriority] | None) -> list[Wanted]:
        return await self._desk.wanted_sources(grant.item, priorities or ())

    async def _asked_grants(self, body: BatchAudit, asked: Asked) -> list[Grant]:
        """In the order in which they were sent."""
        numbers = [item.dept_item_id for item in body.item_list]
        if len(set(numbers)) < len(numbers):
            raise Refused("bad_field", "itemList: a grant is named twice")
        found = await find_grants(self._database, numbers, asked.scope)
        for item in body.item_list:
            grant = found[item.dept_item_id]
            check_item(grant, item.item_code)
            await self._desk.of_account(item.dept_id, [grant.id], asked.scope)
        return [found[number] for number in numbers]


def _fields(item: AuditItem) -> GrantFields:
    return GrantFields(
        item_code=item.item_code,
        charge_type=item.charge_type,
        fee_type=item.fee_type,
        fee_detail=item.fee_detail,
        fee=item.fee,
        free_count=item.free_count,
    )


def operations(tools: Tools) -> Sequence[MtOperation]:
    own = GrantAudits(tools)
    base = "/mt/crm/checkItem/deptItem/"
    return (
        MtOperation("crmCheckItemDeptItemList", "POST", base + "list", own.page, CheckItemGrantQuery),
        MtOperation("crmCheckItemDeptItemAudit", "POST", base + "audit", own.audit, AuditGrant),
        MtOperation("crmCheckItemDeptItemBatchAudit", "POST", base + "batchAudit", own.batch_audit, BatchAudit),
    )
