"""/mt/beeback/deptItem: the products that a customer may look for, apply for, and has."""

from collections.abc import Sequence

import msgspec

from gateway.mt.frame import Asked, MtOperation, Tools
from gateway.mt.grant_desk import GrantDesk, check_on_shelf
from gateway.mt.grant_lists import GrantLists
from gateway.mt.grant_rows import GrantRows
from gateway.system import Reply
from handlers.products.moves import ProductState
from schemas.mt.common import page_of
from schemas.mt.grants import Apply, GrantQuery, GrantRow, SearchItems
from stores.mongo import Document
from stores.mt.api_docs import docs_of, favourites, items_with
from stores.mt.depts import Dept, depts_within, first_dept
from stores.mt.grants import Grant, held_by
from stores.mt.pages import containing, find_page
from stores.mt.products import PRODUCTS, Product, require_products


class OwnProducts:
    def __init__(self, tools: Tools) -> None:
        self._database = tools.database
        self._unpaged_rows = tools.settings.metering.unpaged_rows
        self._desk = GrantDesk(tools.database)
        self._lists = GrantLists.of(tools)
        self._rows = GrantRows(tools.database, tools.zone)

    async def mine(self, asked: Asked) -> Reply:
        query: GrantQuery = asked.body
        return Reply(await self._lists.page(asked, query))

    async def apply(self, asked: Asked) -> Reply:
        """For the customer's first account: the contract's request names none."""
        body: Apply = asked.body
        account = await first_dept(self._database, asked.scope)
        found = await require_products(self._database, [item.item_code for item in body.check_item_list])
        for product in found.values():
            check_on_shelf(product, online=True)
        products = [found[item.item_code] for item in body.check_item_list]
        await self._desk.apply(account, products, body.apply_remark, asked.principal.user_id, asked.at)
        return Reply()

    async def search(self, asked: Asked) -> Reply:
        """Products, with the grant of the account that is compared (else of any own account) where there is one."""
        query: SearchItems = asked.body
        accounts = {dept.id: dept for dept in await depts_within(self._database, asked.scope)}
        held = await self._held(query, accounts)
        match = await self._match(asked, query, held, accounts)
        found, total = await find_page(self._database, PRODUCTS, match, query, [("id", 1)], self._unpaged_rows)
        products = [msgspec.convert(document, Product) for document in found]
        return Reply(page_of(await self._product_rows(asked, products, held), total, query))

    async def _held(self, query: SearchItems, accounts: dict[int, Dept]) -> dict[str, Grant]:
        """Grants by product, of the accounts that are asked about."""
        named = next((one for one in (query.compare_dept_id, query.dept_id) if one is not None), None)
        asked_about = set(accounts) if named is None else {named} & set(accounts)
        if query.dept_id_list is not None:
            asked_about &= set(query.dept_id_list)
        held: dict[str, Grant] = {}
        for dept_id in sorted(asked_about, reverse=True):
            grants = await held_by(self._database, dept_id)
            held |= {item: one for item, one in grants.items() if one.deleted_at is None and not one.is_hidden}
        return held

    async def _match(
        self, asked: Asked, query: SearchItems, held: dict[str, Grant], accounts: dict[int, Dept]
    ) -> Document:
        match: Document = {
            "deleted_at": None,
            "state": int(ProductState.ON_SHELF) if query.state is None else query.state,
        }
        only: list[set[str]] = []
        if query.check_item_list is not None:
            only.append(set(query.check_item_list))
        if query.category_code:
            only.append(set(await items_with(self._database, query.category_code, None)))
        if query.query_collected:
            only.append(await favourites(self._database, asked.principal))
        if query.dept_item_state_list is not None:
            only.append({item for item, grant in held.items() if grant.state in query.dept_item_state_list})
        excluded = set(query.exclude_check_item_list or ())
        if query.exclude_dept_id in accounts:
            grants = await held_by(self._database, query.exclude_dept_id)
            excluded |= {item for item, grant in grants.items() if grant.deleted_at is None}
        codes: Document = {"$in": sorted(set.intersection(*only))} if only else {}
        if excluded:
            codes["$nin"] = sorted(excluded)
        if codes:
            match["_id"] = codes
        for field in ("applicable", "is_fusion", "check_type", "cache_flag", "fee_type"):
            if (value := getattr(query, field)) is not None:
                match[field] = value
        if query.keyword:
            match["$or"] = [{"_id": containing(query.keyword)}, {"name": containing(query.keyword)}]
        return match

    async def _product_rows(self, asked: Asked, products: Sequence[Product], held: dict[str, Grant]) -> list[GrantRow]:
        own = [held[product.code] for product in products if product.code in held]
        rows = {row.check_item: row for row in await self._rows.rows(own, asked.principal, asked.at)}
        docs = await docs_of(self._database, [product.code for product in products])
        marked = await favourites(self._database, asked.principal)
        for product in products:
            if product.code not in rows:
                row = self._rows.product_row(product.code, product, docs.get(product.code))
                row.is_collected = product.code in marked
                rows[product.code] = row
        return [rows[product.code] for product in products]


def operations(tools: Tools) -> Sequence[MtOperation]:
    own = OwnProducts(tools)
    base = "/mt/beeback/deptItem/"
    return (
        MtOperation("deptItemSearchItems", "POST", base + "searchItems", own.search, SearchItems),
        MtOperation("deptItemApply", "POST", base + "apply", own.apply, Apply),
        MtOperation("deptItemMineList", "POST", base + "mineList", own.mine, GrantQuery),
    )
