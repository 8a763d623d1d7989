"""Grants and price adjustments as rows of lists: with the names, prices and documents that belong to them."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

import msgspec

from gateway.mt.terms import amount, detail_text
from handlers.products.moves import AdjustmentState
from handlers.products.prices import Terms, in_force
from schemas.mt.access import Principal
from schemas.mt.common import Zone, yuan
from schemas.mt.grants import AdjustmentRow, GrantRow, RoyaltyRow
from stores.mongo import Database, Document
from stores.mt.api_docs import KeptDoc, docs_of, favourites
from stores.mt.assignments import with_assignments
from stores.mt.grants import Grant
from stores.mt.names import account_names, product_names
from stores.mt.pages import find_by
from stores.mt.products import PRODUCTS, Product
from stores.mt.schedule import ADJUSTMENTS, StoredTerms


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What rows say besides the grants: read once for a page."""

    at: datetime
    products: Mapping[str, Product]
    depts: Mapping[int, str]
    docs: Mapping[str, KeptDoc]
    marked: Collection[str]
    assigned: Collection[tuple[int, str]]
    adjusting: Mapping[int, AdjustmentRow] | None
    with_royalties: bool


class GrantRows:
    """Everything may raise StoreAway."""

    def __init__(self, database: Database, zone: Zone) -> None:
        self._database = database
        self._zone = zone

    async def rows(
        self,
        grants: Sequence[Grant],
        who: Principal,
        at: datetime,
        *,
        adjusting: bool = False,
        royalties: bool = False,
    ) -> list[GrantRow]:
        items = [grant.item for grant in grants]
        seen = Seen(
            at=at,
            products=await self._products(items),
            depts=await account_names(self._database, [grant.dept_id for grant in grants]),
            docs=await docs_of(self._database, items),
            marked=await favourites(self._database, who),
            assigned=await with_assignments(self._database, grants),
            adjusting=await self._adjusting(grants) if adjusting else None,
            with_royalties=royalties,
        )
        return [self.row(grant, seen) for grant in grants]

    async def _products(self, items: Sequence[str]) -> dict[str, Product]:
        """Deleted ones too: a grant still names its product."""
        found = await find_by(self._database, PRODUCTS, "_id", items)
        return {document["_id"]: msgspec.convert(document, Product) for document in found}

    async def _adjusting(self, grants: Sequence[Grant]) -> dict[int, AdjustmentRow]:
        """The next adjustment of each grant that has one."""
        match = {"state": int(AdjustmentState.PLANNED)}
        found = await find_by(self._database, ADJUSTMENTS, "grant_id", [grant.id for grant in grants], match)
        found.sort(
            key=lambda document: (document["plan_time"] or document["created_at"], document["_id"]), reverse=True
        )
        rows = await self.adjustments(found)
        return {row.dept_item_id: row for row in rows}

    async def adjustments(self, documents: Sequence[Document]) -> list[AdjustmentRow]:
        depts = await account_names(self._database, [document["dept_id"] for document in documents])
        names = await product_names(self._database, [document["item"] for document in documents])
        return [self._adjustment(document, depts, names) for document in documents]

    def _adjustment(self, document: Document, depts: Mapping[int, str], names: Mapping[str, str]) -> AdjustmentRow:
        before = None if document["before"] is None else msgspec.convert(document["before"], StoredTerms)
        after = msgspec.convert(document["after"], StoredTerms)
        return AdjustmentRow(
            id=document["_id"],
            create_date=self._zone.text(document["created_at"]),
            update_date=self._zone.text(document["updated_at"]),
            dept_id=document["dept_id"],
            dept_name=depts.get(document["dept_id"]),
            dept_item_id=document["grant_id"],
            check_item=document["item"],
            item_name=names.get(document["item"]),
            state=document["state"],
            before_fee=None if before is None else yuan(before.fee_micro),
            before_fee_detail=None if before is None else detail_text(before.fee_detail),
            before_charge_type=None if before is None else before.charge_type,
            before_fee_type=None if before is None else before.fee_type,
            after_fee=yuan(after.fee_micro),
            after_fee_detail=detail_text(after.fee_detail),
            after_charge_type=after.charge_type,
            after_fee_type=after.fee_type,
            plan_time=self._text(document["plan_time"]),
            effect_time=self._text(document.get("effect_time")),
        )

    def row(self, grant: Grant, seen: Seen) -> GrantRow:
        """Of a grant that is not open yet there is no fee."""
        price = in_force(grant.history, seen.at)
        row = self.product_row(grant.item, seen.products.get(grant.item), seen.docs.get(grant.item))
        row.id = grant.id
        row.update_date = self._zone.text(grant.updated_at)
        row.create_date = self._zone.text(grant.created_at)
        row.dept_id = grant.dept_id
        row.dept_name = seen.depts.get(grant.dept_id)
        row.state = grant.state
        row.used_version = grant.used_version
        row.free_count = grant.free_count
        row.apply_remark = grant.apply_remark
        row.audit_remark = grant.audit_remark
        row.audit_time = self._text(grant.audited_at)
        row.cache_fetch_days = grant.cache_days
        row.is_hidden = grant.is_hidden
        row.org_code = grant.org_code
        row.risk_threshold = grant.risk_threshold
        row.is_collected = grant.item in seen.marked
        row.has_assign_source = (grant.dept_id, grant.item) in seen.assigned
        row.adjusting = None if seen.adjusting is None else seen.adjusting.get(grant.id)
        row.spreader_royalties = self._royalties(grant) if seen.with_royalties else None
        if price is not None:
            _set_terms(row, price.terms)
        return row

    def product_row(self, item: str, product: Product | None, kept: KeptDoc | None) -> GrantRow:
        """What a row says of the product alone."""
        doc = None if kept is None else kept.doc
        return GrantRow(
            id=None,
            check_item=item,
            item_name=None if product is None else product.name,
            is_open=None if product is None else product.is_open,
            price=None if product is None else yuan(product.price_micro),
            fee_type=None if product is None else product.fee_type,
            is_fusion=None if product is None else product.is_fusion,
            applicable=None if product is None else product.applicable,
            task_able=doc is not None and bool(doc.task_able),
            category_code=None if doc is None else doc.category_code,
            category_name=None if doc is None else doc.category_name,
            doc_url=None if doc is None else doc.doc_url,
            resp_time=None if doc is None else doc.resp_time,
            background_img=None if doc is None else doc.background_img,
            description=None if doc is None else doc.description,
        )

    def _royalties(self, grant: Grant) -> list[RoyaltyRow]:
        return [
            RoyaltyRow(
                customer_id=grant.merchant_id,
                dept_id=grant.dept_id,
                spreader_id=royalty.spreader_id,
                dept_item_id=grant.id,
                check_item=grant.item,
                royalty_type=royalty.royalty_type,
                royalty_price=amount(royalty.price_micro),
                # Millionths, as micro-units are.
                royalty_rate=amount(royalty.rate_millionths),
                effect_month=royalty.effect_month,
                assign_time=self._zone.text(royalty.assigned_at),
            )
            for royalty in grant.royalties
        ]

    def _text(self, at: datetime | None) -> str | None:
        return None if at is None else self._zone.text(at)


def _set_terms(row: GrantRow, terms: Terms) -> None:
    row.fee = yuan(terms.fee_micro)
    row.charge_type = terms.charge_type
    row.fee_type = terms.fee_type
    row.fee_detail = detail_text(terms.fee_detail)
