"""Products as rows of lists, and what callers set of them as fields of the document."""

from typing import Any

from gateway.mt.terms import micro
from schemas.mt.common import Zone, yuan
from schemas.mt.products import ProductFields, ProductRow
from stores.mt.products import Product


def product_row(product: Product, zone: Zone, accredited: bool | None = None) -> ProductRow:
    return ProductRow(
        id=product.id,
        check_item=product.code,
        item_name=product.name,
        cache_flag=product.cache_flag,
        cache_time=product.cache_days,
        state=product.state,
        check_type=product.check_type,
        is_open=product.is_open,
        risk_threshold=product.risk_threshold,
        price=yuan(product.price_micro),
        floor_price=yuan(product.floor_price_micro),
        applicable=product.applicable,
        create_date=zone.text(product.created_at),
        update_date=zone.text(product.updated_at),
        fee_type=product.fee_type,
        is_fusion=product.is_fusion,
        sub_items=",".join(product.sub_items) if product.is_fusion else None,
        is_accredit=accredited,
        max_free_count=product.max_free_count,
        encryptable=",".join(map(str, product.encryptable)) or None,
        encryptable_list=list(product.encryptable) or None,
    )


def fields_of(body: ProductFields, name: str | None) -> dict[str, Any]:
    """What the caller set; the rest is left as it is. Refuses bad_field for an amount that is none."""
    fields = {
        "name": name,
        "check_type": body.check_type,
        "cache_flag": body.cache_flag,
        "cache_days": body.cache_time,
        "fee_type": body.fee_type,
        "risk_threshold": body.risk_threshold,
        "price_micro": micro(body.price, "price"),
        "floor_price_micro": micro(body.floor_price, "floorPrice"),
        "is_fusion": body.is_fusion,
        "applicable": body.applicable,
        "encryptable": body.encryptable_list,
    }
    return {field: value for field, value in fields.items() if value is not None}
