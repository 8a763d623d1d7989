"""/mt/crm/customer/deptItem: what accounts may call, and at what price."""

from collections.abc import Sequence
from datetime import datetime

import msgspec
from ulid import ULID

from gateway.file_links import Links, Promised
from gateway.mt.call_records import EXPORTS_KEPT
from gateway.mt.frame import Asked, MtOperation, Tools
from gateway.mt.grant_desk import GrantDesk, Opening, check_free, check_item, fields_of, royalties_of
from gateway.mt.grant_export import GRANT_EXPORT
from gateway.mt.grant_lists import GrantLists
from gateway.mt.terms import wish_of
from gateway.system import Reply
from handlers.products.moves import GrantState, Move
from schemas.errors import Refused
from schemas.mt.codes import MtRefused, not_found
from schemas.mt.grants import (
    Accredit,
    AccreditFusion,
    Adjust,
    AdjustmentQuery,
    DealSub,
    EditCacheFetch,
    EditExtra,
    EditFreeCount,
    EditGrant,
    EditRoyalties,
    GrantItem,
    GrantQuery,
    GrantsRequest,
)
from schemas.mt.product_codes import NOT_A_BUNDLE
from stores.jobs import Jobs
from stores.mt.depts import find_dept
from stores.mt.grants import Grant, change_grant, find_grant, find_grants, held_by
from stores.mt.products import find_product, require_products

ADD = 10
"""Of the operations on sub-products the one that adds (contract, SubItemOperation)."""


class Grants:
    def __init__(self, tools: Tools) -> None:
        self._database = tools.database
        self._zone = tools.zone
        self._desk = GrantDesk(tools.database)
        self._lists = GrantLists.of(tools)
        self._jobs = Jobs(tools.database)
        self._links = Links(tools.settings.files)

    async def page(self, asked: Asked) -> Reply:
        return Reply(await self._lists.page(asked, asked.body))

    async def adjustments(self, asked: Asked) -> Reply:
        return Reply(await self._lists.adjustments(asked))

    async def export(self, asked: Asked) -> Reply:
        """A job makes the file. The contract leaves open how it reaches the user: here by the link that is answered."""
        query: GrantQuery = asked.body
        await self._lists.match(query, asked.scope, asked.principal.role)  # refuses now what the job could not do
        merchants = asked.scope.merchants
        job = await self._jobs.start(
            f"grant-export/{ULID.from_datetime(asked.at)}",
            kind=GRANT_EXPORT,
            owner=f"{asked.principal.role}/{asked.principal.user_id}",
            args={
                "query": msgspec.to_builtins(query),
                "merchants": None if merchants is None else sorted(merchants),
                "principal": msgspec.to_builtins(asked.principal),
                "asked_at": asked.at,
            },
            now=asked.at,
        )
        return Reply(self._links.promise(Promised(job.id, asked.at + EXPORTS_KEPT)).url)

    # ---- granting ---------------------------------------------------------------------------------------------------

    async def accredit(self, asked: Asked) -> Reply:
        body: Accredit = asked.body
        by_account: dict[int, list[GrantItem]] = {}
        for item in body.check_item_list:
            dept_id = item.dept_id if item.dept_id is not None else body.dept_id
            if dept_id is None:
                raise Refused("bad_field", "deptId: say which account")
            by_account.setdefault(dept_id, []).append(item)
        depts = [await find_dept(self._database, dept_id, asked.scope) for dept_id in by_account]
        openings = [await self._openings(by_account[dept.id], body.apply_remark, asked) for dept in depts]
        for dept, some in zip(depts, openings, strict=True):
            await self._desk.check_move(Move.ACCREDIT, dept, [opening.product.code for opening in some])
        for dept, some in zip(depts, openings, strict=True):
            await self._desk.open(dept, some, asked.principal.user_id, asked.at)
        return Reply()

    async def accredit_fusion(self, asked: Asked) -> Reply:
        """A bundle and its parts: those that the account does not hold yet are granted along with it."""
        body: AccreditFusion = asked.body
        dept = await find_dept(self._database, body.dept_id, asked.scope)
        bundle = await find_product(self._database, body.check_item)
        if not bundle.is_fusion:
            raise MtRefused(NOT_A_BUNDLE, f"{bundle.code} is no bundle")
        parts = list(dict.fromkeys(part.item_code for part in body.sub_item_list))
        await require_products(self._database, parts)
        added = [part for part in body.sub_item_list if part.is_added]
        await self._check_held(dept.id, {part.item_code for part in body.sub_item_list if not part.is_added})
        openings = await self._openings(added, body.apply_remark, asked)
        check_free(bundle, body.free_count, asked.principal)
        given = {
            "free_count": body.free_count,
            "apply_remark": body.apply_remark,
            "royalties": royalties_of(body.spreader_royalties, asked.at),
        }
        extra = {name: value for name, value in given.items() if value is not None}
        openings.append(await self._desk.opening(bundle, body, extra, parts))
        await self._desk.open(dept, openings, asked.principal.user_id, asked.at)
        return Reply()

    async def _openings(self, items: Sequence[GrantItem], remark: str | None, asked: Asked) -> list[Opening]:
        products = await require_products(self._database, [item.item_code for item in items])
        openings = []
        for item in items:
            product = products[item.item_code]
            check_free(product, item.free_count, asked.principal)
            extra = {**({} if remark is None else {"apply_remark": remark}), **fields_of(item, asked.at)}
            openings.append(await self._desk.opening(product, item, extra))
        return openings

    async def _check_held(self, dept_id: int, items: set[str]) -> None:
        """Refuses not_found for a part that is said to be granted and is not."""
        known = await held_by(self._database, dept_id, items)
        held = {item for item, grant in known.items() if grant.known_state == GrantState.OPEN}
        if missing := sorted(items - held):
            raise not_found(f"grant of {', '.join(missing)} to account {dept_id}")

    # ---- changing ---------------------------------------------------------------------------------------------------

    async def edit(self, asked: Asked) -> Reply:
        """Set fields; another price is an adjustment at once. One that waits is opened by `isAuditPass`."""
        body: EditGrant = asked.body
        [grant] = await self._desk.of_account(body.dept_id, [body.dept_item_id], asked.scope)
        check_item(grant, body.item_code)
        await self._desk.edit(grant, body, asked.principal, asked.at, approve=bool(body.is_audit_pass))
        return Reply()

    async def edit_cache(self, asked: Asked) -> Reply:
        body: EditCacheFetch = asked.body
        grant = await find_grant(self._database, body.dept_item_id, asked.scope)
        await self._desk.set_fields(grant.id, {"cache_days": body.cache_fetch_days}, asked.at)
        return Reply()

    async def edit_royalties(self, asked: Asked) -> Reply:
        body: EditRoyalties = asked.body
        grant = await find_grant(self._database, body.dept_item_id, asked.scope)
        royalties = royalties_of(body.spreader_royalties, asked.at) or ()
        await self._desk.set_fields(grant.id, {"royalties": royalties}, asked.at)
        return Reply()

    async def edit_free(self, asked: Asked) -> Reply:
        body: EditFreeCount = asked.body
        counts = {item.dept_item_id: item.free_count for item in body.item_list}
        await self._desk.set_free(counts, asked.principal, asked.scope, asked.at)
        return Reply()

    async def edit_extra(self, asked: Asked) -> Reply:
        body: EditExtra = asked.body
        items = body.item_list or []
        await find_grants(self._database, [item.dept_item_id for item in items], asked.scope)
        for item in items:
            fields = {"is_hidden": item.is_hidden, "used_version": item.used_version}
            given = {name: value for name, value in fields.items() if value is not None}
            await self._desk.set_fields(item.dept_item_id, given, asked.at)
        return Reply()

    async def adjust(self, asked: Asked) -> Reply:
        body: Adjust = asked.body
        wishes = {item.dept_item_id: wish_of(item) for item in body.item_list}
        if len(wishes) < len(body.item_list):
            raise Refused("bad_field", "itemList: a grant is named twice")
        grants = await find_grants(self._database, list(wishes), asked.scope)
        planned = self._effect_time(body.effect_time, asked.at)
        await self._desk.adjust(
            [(grants[number], wish) for number, wish in wishes.items()], planned, asked.principal.user_id, asked.at
        )
        return Reply()

    def _effect_time(self, text: str | None, at: datetime) -> datetime | None:
        planned = self._zone.moment(text, "effectTime") if text else None
        if planned is not None and planned <= at:
            raise Refused(
                "bad_field", "effectTime: a time to come is expected, or none: prices are not changed backwards"
            )
        return planned

    # ---- states -----------------------------------------------------------------------------------------------------

    async def enable(self, asked: Asked) -> Reply:
        await self._desk.move(Move.ENABLE, await self._asked_grants(asked), asked.at)
        return Reply()

    async def disable(self, asked: Asked) -> Reply:
        await self._desk.move(Move.DISABLE, await self._asked_grants(asked), asked.at)
        return Reply()

    async def delete(self, asked: Asked) -> Reply:
        await self._desk.delete(await self._asked_grants(asked), asked.at)
        return Reply()

    async def _asked_grants(self, asked: Asked) -> Sequence[Grant]:
        body: GrantsRequest = asked.body
        return await self._desk.of_account(body.dept_id, body.dept_item_ids, asked.scope)

    async def deal_sub(self, asked: Asked) -> Reply:
        """Add sub-products to a bundle, or take them out; it keeps one at least."""
        body: DealSub = asked.body
        grant = await find_grant(self._database, body.dept_item_id, asked.scope)
        if not (await find_product(self._database, grant.item)).is_fusion:
            raise MtRefused(NOT_A_BUNDLE, f"{grant.item} is no bundle")
        if body.deal_type == ADD:
            await require_products(self._database, body.check_item_list)

        def dealt(grant: Grant) -> Grant:
            return grant_with_parts(grant, body.check_item_list, add=body.deal_type == ADD)

        await change_grant(self._database, grant.id, dealt, asked.at)
        return Reply()


def grant_with_parts(grant: Grant, codes: Sequence[str], *, add: bool) -> Grant:
    """Refuses not_found for what is taken out and not there, and NOT_A_BUNDLE where nothing would be left."""
    if add:
        parts = list(dict.fromkeys([*grant.sub_items, *codes]))
    else:
        if missing := sorted(set(codes) - set(grant.sub_items)):
            raise not_found(f"sub-product {', '.join(missing)}")
        parts = [code for code in grant.sub_items if code not in codes]
    if not parts:
        raise MtRefused(NOT_A_BUNDLE, "a bundle has one sub-product at least")
    return msgspec.structs.replace(grant, sub_items=tuple(parts))


def operations(tools: Tools) -> Sequence[MtOperation]:
    own = Grants(tools)
    base = "/mt/crm/customer/deptItem/"
    return (
        MtOperation("crmCustomerDeptItemList", "POST", base + "list", own.page, GrantQuery),
        MtOperation("crmCustomerDeptItemAdjustList", "POST", base + "adjustList", own.adjustments, AdjustmentQuery),
        MtOperation("crmCustomerDeptItemExport", "POST", base + "export", own.export, GrantQuery),
        MtOperation("crmCustomerDeptItemAccredit", "POST", base + "accredit", own.accredit, Accredit),
        MtOperation(
            "crmCustomerDeptItemAccreditFusion", "POST", base + "accreditFusion", own.accredit_fusion, AccreditFusion
        ),
        MtOperation("crmCustomerDeptItemEdit", "POST", base + "edit", own.edit, EditGrant),
        MtOperation(
            "crmCustomerDeptItemEditCacheFetch", "POST", base + "editCacheFetch", own.edit_cache, EditCacheFetch
        ),
        MtOperation(
            "crmCustomerDeptItemEditSpreaderRoyalties",
            "POST",
            base + "editSpreaderRoyalties",
            own.edit_royalties,
            EditRoyalties,
        ),
        MtOperation("crmCustomerDeptItemEditFreeCount", "POST", base + "editFreeCount", own.edit_free, EditFreeCount),
        MtOperation("crmCustomerDeptItemEditExtra", "POST", base + "editExtra", own.edit_extra, EditExtra),
        MtOperation("crmCustomerDeptItemAdjust", "POST", base + "adjust", own.adjust, Adjust),
        MtOperation("crmCustomerDeptItemDelete", "POST", base + "delete", own.delete, GrantsRequest),
        MtOperation("crmCustomerDeptItemEnable", "POST", base + "enable", own.enable, GrantsRequest),
        MtOperation("crmCustomerDeptItemDisable", "POST", base + "disable", own.disable, GrantsRequest),
        MtOperation("crmCustomerDeptItemDealSub", "POST", base + "dealSub", own.deal_sub, DealSub),
    )
