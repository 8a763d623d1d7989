"""/mt/crm/checkItem: products, their default sub-products and their state."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any

import msgspec

from gateway.mt.frame import Asked, MtOperation, Tools
from gateway.mt.other_environment import OtherEnvironment
from gateway.mt.product_notices import notices
from gateway.mt.product_rows import fields_of, product_row
from gateway.system import Reply
from handlers.products.moves import GrantState, ProductState
from schemas.errors import Refused
from schemas.mail_address import parse_address
from schemas.mt.codes import MtRefused
from schemas.mt.common import IdRequest, page_of
from schemas.mt.product_codes import IN_USE, NOT_A_BUNDLE, NOT_CONFIRMED, PRODUCT_STATE
from schemas.mt.products import (
    AddProduct,
    ChangeState,
    DeveloperDeptRow,
    EditProduct,
    ProductCode,
    ProductQuery,
    ProductRow,
    SaveSubItems,
)
from stores.mongo import Document
from stores.mt.depts import Dept, depts_of
from stores.mt.grants import held_by, holders_of
from stores.mt.pages import containing, find_page
from stores.mt.products import (
    PRODUCTS,
    Product,
    add_product,
    bundles_with,
    edit_product,
    find_product,
    find_product_by_id,
    products_of,
    require_products,
)
from stores.mt.schedule import Noticed, ProductChange, plan_product_change
from stores.mt.sources import upstreams_with
from stores.usage.personal import mask

HELD = (GrantState.WAITING, GrantState.OPEN, GrantState.DISABLED)
SOME_CUSTOMERS = 10

Apply = Callable[[Any, datetime], Awaitable[Any]]


class Products:
    def __init__(self, tools: Tools) -> None:
        self._database = tools.database
        self._zone = tools.zone
        self._unpaged_rows = tools.settings.metering.unpaged_rows
        self._other = OtherEnvironment(tools.settings.metering.other_environment, tools.net)

    async def list(self, asked: Asked) -> Reply:
        query: ProductQuery = asked.body
        excluded = set(query.exclude_check_item_list or ())
        if query.exclude_dept_id is not None:
            excluded |= await self._held(query.exclude_dept_id)
        compared = None if query.compare_dept_id is None else await self._held(query.compare_dept_id)
        documents, total = await find_page(
            self._database, PRODUCTS, _match(query, excluded), query, [("id", 1)], self._unpaged_rows
        )
        rows = [
            product_row(product, self._zone, None if compared is None else product.code in compared)
            for product in (msgspec.convert(document, Product) for document in documents)
        ]
        if query.check_item_list is not None and len(query.check_item_list) == 1:
            await self._detail(rows)
        return Reply(page_of(rows, total, query))

    async def _held(self, dept_id: int) -> set[str]:
        """The products that an account holds, or has applied for."""
        grants = await held_by(self._database, dept_id)
        return {item for item, grant in grants.items() if grant.deleted_at is None and grant.state in HELD}

    async def _detail(self, rows: Sequence[ProductRow]) -> None:
        """Of one bundle that is asked for by its code, the sub-products too."""
        for row in rows:
            codes = (row.sub_items or "").split(",")
            found = await products_of(self._database, codes)
            row.sub_item_list = [product_row(found[code], self._zone) for code in codes if code in found] or None

    # ---- changes ----------------------------------------------------------------------------------------------------

    def changing(self, path: str, check: Apply, apply: Apply) -> Callable[[Asked], Awaitable[Reply]]:
        """Check, then change it in the other environment if that is asked for, then here."""

        async def handle(asked: Asked) -> Reply:
            await check(asked.body, asked.at)
            if asked.body.sync_other_env:
                await self._other.apply(path, await self._portable(asked), asked.call)
            return Reply(await apply(asked.body, asked.at))

        return handle

    def synchronised(self, apply: Apply) -> Callable[[Asked], Awaitable[Reply]]:
        """A change that the other environment passes on."""

        async def handle(asked: Asked) -> Reply:
            self._other.check(asked.call)
            return Reply(await apply(asked.body, asked.at))

        return handle

    async def _portable(self, asked: Asked) -> dict[str, Any]:
        """The body by codes: there the ids are others."""
        body: dict[str, Any] = {**asked.call.raw}
        if body.pop("id", None) is not None:
            body["itemCode"] = (await self._named(asked.body)).code
        return body

    async def check_add(self, body: AddProduct, _at: datetime) -> None:
        fields_of(body, body.item_name)

    async def add(self, body: AddProduct, at: datetime) -> str:
        return str(await add_product(self._database, body.check_item, fields_of(body, body.item_name), at))

    async def put(self, body: AddProduct, at: datetime) -> str:
        """As it is there: new, or edited. So a repeat does no harm."""
        known = (await products_of(self._database, [body.check_item])).get(body.check_item)
        if known is None:
            return await self.add(body, at)
        await edit_product(self._database, known.code, fields_of(body, body.item_name), at)
        return str(known.id)

    async def check_edit(self, body: EditProduct, _at: datetime) -> None:
        fields_of(body, body.item_name)
        await self._named(body)

    async def edit(self, body: EditProduct, at: datetime) -> None:
        fields = fields_of(body, body.item_name)
        if body.is_open is not None:
            fields["is_open"] = body.is_open
        await edit_product(self._database, (await self._named(body)).code, fields, at)

    async def _named(self, body: EditProduct) -> Product:
        if body.id is not None:
            product = await find_product_by_id(self._database, body.id)
            if body.item_code not in (None, "", product.code):
                raise Refused("bad_field", f"itemCode: product {body.id} is {product.code}")
            return product
        if body.item_code is None:
            raise Refused("bad_field", "send id or itemCode")
        return await find_product(self._database, body.item_code)

    async def check_sub_items(self, body: SaveSubItems, _at: datetime) -> None:
        bundle = await find_product(self._database, body.check_item)
        if not bundle.is_fusion:
            raise MtRefused(NOT_A_BUNDLE, f"{bundle.code} is no bundle")
        parts = await require_products(self._database, body.sub_items)
        if bundles := sorted(code for code, part in parts.items() if part.is_fusion):
            raise MtRefused(NOT_A_BUNDLE, f"a bundle is no part of another: {', '.join(bundles)}")

    async def save_sub_items(self, body: SaveSubItems, at: datetime) -> None:
        await self.check_sub_items(body, at)
        sub_items = list(dict.fromkeys(body.sub_items))
        await edit_product(self._database, body.check_item, {"sub_items": sub_items}, at)

    async def delete(self, asked: Asked) -> Reply:
        product = await find_product_by_id(self._database, asked.body.id)
        await self._check_unused(product.code)
        await edit_product(self._database, product.code, {"deleted_at": asked.at}, asked.at)
        return Reply(product.code)

    async def _check_unused(self, code: str) -> None:
        if held := await holders_of(self._database, code, list(GrantState)):
            raise MtRefused(IN_USE, f"{code} is granted to {len(held)} accounts")
        if bundles := await bundles_with(self._database, code):
            raise MtRefused(IN_USE, f"{code} is a part of {', '.join(bundles)}")
        if upstreams := await upstreams_with(self._database, code):
            raise MtRefused(IN_USE, f"{code} has {upstreams} upstream configurations")

    # ---- who holds it, and its state --------------------------------------------------------------------------------

    async def holders(self, asked: Asked) -> Reply:
        product = await find_product(self._database, asked.body.check_item)
        grants = await holders_of(self._database, product.code, [GrantState.OPEN])
        depts = await depts_of(self._database, [grant.dept_id for grant in grants])
        return Reply([self._dept_row(dept) for dept in sorted(depts.values(), key=lambda dept: dept.id)])

    def _dept_row(self, dept: Dept) -> DeveloperDeptRow:
        return DeveloperDeptRow(
            id=dept.id,
            dept_name=dept.name,
            app_id=dept.app_id,
            status=dept.status,
            user_id=dept.user_id,
            create_date=None if dept.created_at is None else self._zone.text(dept.created_at),
            emails=",".join(dept.emails) or None,
            white_ip_list=",".join(dept.white_ips) or None,
        )

    async def change_state(self, asked: Asked) -> Reply:
        """At once or at a time; whoever holds the product is told now, when it was decided."""
        body: ChangeState = asked.body
        product = await find_product(self._database, body.check_item)
        planned = self._zone.moment(body.effect_time, "effectTime") if body.effect_time else None
        if planned is not None and planned <= asked.at:
            raise Refused("bad_field", "effectTime: a time to come is expected, or none")
        if planned is None and body.state == product.state:
            raise MtRefused(PRODUCT_STATE, f"{product.code} is in that state already")
        if body.notice_scope == SOME_CUSTOMERS and not body.notice_customers:
            raise Refused("bad_field", "noticeCustomers: say whom to notify")
        _check_addresses(body)
        holders = await holders_of(self._database, product.code, [GrantState.OPEN])
        if ProductState(body.state) is not ProductState.ON_SHELF and holders and not body.confirmed:
            raise MtRefused(NOT_CONFIRMED, f"{len(holders)} accounts hold {product.code}: call again with confirmed")
        change = _change(product, body)
        if planned is None:
            await edit_product(self._database, product.code, {"state": change.to_state}, asked.at)
        else:
            await plan_product_change(self._database, change, planned, asked.principal.user_id, asked.at)
        depts = await depts_of(self._database, [grant.dept_id for grant in holders])
        when = self._zone.text(planned or asked.at)
        return Reply(facts=notices(change, product.name, when, list(depts.values()), asked))


def _match(query: ProductQuery, excluded: set[str]) -> Document:
    match: Document = {"deleted_at": None}
    codes: Document = {}
    if query.check_item_list is not None:
        codes["$in"] = query.check_item_list
    if excluded:
        codes["$nin"] = sorted(excluded)
    if codes:
        match["_id"] = codes
    for field in ("applicable", "is_fusion", "state", "check_type", "cache_flag", "fee_type"):
        if (value := getattr(query, field)) is not None:
            match[field] = value
    if query.keyword:
        match["$or"] = [{"_id": containing(query.keyword)}, {"name": containing(query.keyword)}]
    return match


def _check_addresses(body: ChangeState) -> None:
    for place, noticed in enumerate(body.notice_customers or ()):
        if not noticed.email:
            continue
        try:
            parse_address(noticed.email)
        except ValueError as error:
            raise Refused("bad_field", f"noticeCustomers[{place}].email: {error}") from None


def _change(product: Product, body: ChangeState) -> ProductChange:
    return ProductChange(
        product_id=product.id,
        item=product.code,
        to_state=body.state,
        notice_scope=body.notice_scope,
        notice_methods=tuple(body.notice_methods or ()),
        noticed=tuple(
            # They are told by mail: of the number nothing more is kept than what is shown.
            Noticed(one.dept_id, one.user_id, one.dept_name, one.mobile and mask("mobile", one.mobile), one.email)
            for one in body.notice_customers or ()
        ),
        note=body.note,
    )


def operations(tools: Tools) -> Sequence[MtOperation]:
    own = Products(tools)
    base = "/mt/crm/checkItem/"

    def post(operation_id: str, path: str, handle: Any, body: type[msgspec.Struct]) -> MtOperation:
        return MtOperation(operation_id, "POST", base + path, handle, body)

    add = own.changing(base + "syncAdd", own.check_add, own.add)
    edit = own.changing(base + "syncEdit", own.check_edit, own.edit)
    save = own.changing(base + "syncSaveDefaultSubItems", own.check_sub_items, own.save_sub_items)
    return (
        post("crmCheckItemList", "list", own.list, ProductQuery),
        post("crmCheckItemAdd", "add", add, AddProduct),
        post("crmCheckItemSyncAdd", "syncAdd", own.synchronised(own.put), AddProduct),
        post("crmCheckItemEdit", "edit", edit, EditProduct),
        post("crmCheckItemSyncEdit", "syncEdit", own.synchronised(own.edit), EditProduct),
        post("crmCheckItemSaveDefaultSubItems", "saveDefaultSubItems", save, SaveSubItems),
        post(
            "crmCheckItemSyncSaveDefaultSubItems",
            "syncSaveDefaultSubItems",
            own.synchronised(own.save_sub_items),
            SaveSubItems,
        ),
        post("crmCheckItemDelete", "delete", own.delete, IdRequest),
        post("crmCheckItemQueryOpenedDeptList", "queryOpenedDeptList", own.holders, ProductCode),
        post("crmCheckItemChangeState", "changeState", own.change_state, ChangeState),
    )
