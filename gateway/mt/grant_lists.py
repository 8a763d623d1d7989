"""Lists of grants and adjustments: the same query in all portals, within what the caller may see."""

from collections.abc import Sequence
from typing import Self

from gateway.mt.frame import Asked, Tools
from gateway.mt.grant_rows import GrantRows
from handlers.products.moves import ADJUSTMENT_FILTER
from schemas.mt.access import Role, Scope
from schemas.mt.common import Page, PageQuery, Zone, page_of
from schemas.mt.grants import AdjustmentQuery, GrantQuery
from stores.mongo import Database, Document
from stores.mt.api_docs import items_with
from stores.mt.depts import depts_signed
from stores.mt.grants import GRANTS, Grant, find_grant, to_grant
from stores.mt.pages import containing, find_page
from stores.mt.products import codes_with
from stores.mt.schedule import ADJUSTMENTS

NOTHING: Document = {"_id": {"$in": []}}


class GrantLists:
    """Everything may raise StoreAway."""

    def __init__(self, database: Database, zone: Zone, unpaged_rows: int) -> None:
        self._database = database
        self._unpaged_rows = unpaged_rows
        self._rows = GrantRows(database, zone)

    @classmethod
    def of(cls, tools: Tools) -> Self:
        return cls(tools.database, tools.zone, tools.settings.metering.unpaged_rows)

    async def page(self, asked: Asked, query: GrantQuery) -> Page:
        grants, total = await self.grants(asked, query)
        rows = await self._rows.rows(
            grants, asked.principal, asked.at, adjusting=query.query_adjusting, royalties=query.query_spreader
        )
        return page_of(rows, total, query)

    async def grants(self, asked: Asked, query: GrantQuery) -> tuple[list[Grant], int]:
        """The newest first, and how many there are in all."""
        match = await self.match(query, asked.scope, asked.principal.role)
        found, total = await find_page(self._database, GRANTS, match, query, [("_id", -1)], self._unpaged_rows)
        return [to_grant(document) for document in found], total

    async def adjustments(self, asked: Asked) -> Page:
        query: AdjustmentQuery = asked.body
        match: Document = {**asked.scope.match(), "dept_id": query.dept_id}
        if query.dept_item_id_list is not None:
            match["grant_id"] = {"$in": query.dept_item_id_list}
        if query.state_list is not None:
            match["state"] = {"$in": sorted({int(ADJUSTMENT_FILTER[state]) for state in query.state_list})}
        found, total = await find_page(self._database, ADJUSTMENTS, match, query, [("_id", -1)], self._unpaged_rows)
        return page_of(await self._rows.adjustments(found), total, query)

    async def match(self, query: GrantQuery, scope: Scope, role: Role) -> Document:
        """What a query asks for, within the scope. Refuses not_found for a bundle that is not there."""
        match: Document = scope.match()
        if query.merchant_id is not None:
            if not scope.admits(query.merchant_id):
                return NOTHING
            match["merchant_id"] = query.merchant_id
        if role is Role.CUSTOMER:
            match["is_hidden"] = False
        if query.state_list is not None:
            match["state"] = {"$in": query.state_list}
        if query.id_list is not None:
            match["_id"] = {"$in": query.id_list}
        if query.spreader_id is not None:
            match["royalties.spreader_id"] = query.spreader_id
        if query.match_spreader_month is not None:
            match["royalties"] = {"$elemMatch": {"effect_month": {"$lte": query.match_spreader_month}}}
        items = await self._items(query)
        if items is not None:
            match["item"] = {"$in": sorted(items)}
        depts = await self._depts(query)
        if depts is not None:
            match["dept_id"] = {"$in": sorted(depts)}
        if query.fusion_dept_item_id is not None:
            bundle = await find_grant(self._database, query.fusion_dept_item_id, scope)
            match["dept_id"] = bundle.dept_id
            match["item"] = {"$in": sorted(set(bundle.sub_items) & (items or set(bundle.sub_items)))}
        # Last: the embedded store goes by the first of these that an index knows, and nearly all fit this one.
        return {**match, "deleted_at": None}

    async def _items(self, query: GrantQuery) -> set[str] | None:
        """The products that the query leaves; None for all."""
        found: list[set[str]] = []
        if query.check_item_list is not None:
            found.append(set(query.check_item_list))
        if query.category_code or query.task_type is not None:
            found.append(set(await items_with(self._database, query.category_code, query.task_type)))
        about: Document = {}
        if query.applicable is not None:
            about["applicable"] = query.applicable
        if query.is_fusion is not None:
            about["is_fusion"] = query.is_fusion
        if query.keyword:
            about["$or"] = [{"_id": containing(query.keyword)}, {"name": containing(query.keyword)}]
        if about:
            found.append(await codes_with(self._database, about))
        return set.intersection(*found) if found else None

    async def _depts(self, query: GrantQuery) -> set[int] | None:
        """The accounts that the query leaves; None for all."""
        found: list[set[int]] = []
        if query.dept_id_list is not None:
            found.append(set(query.dept_id_list))
        if query.contract_state_list is not None:
            found.append(await depts_signed(self._database, query.contract_state_list))
        return set.intersection(*found) if found else None


def as_query(body: PageQuery, fields: Sequence[str]) -> GrantQuery:
    """A query of fewer fields as the full one."""
    return GrantQuery(
        page_no=body.page_no,
        page_size=body.page_size,
        non_page=body.non_page,
        large_page=body.large_page,
        **{field: getattr(body, field) for field in fields},
    )
