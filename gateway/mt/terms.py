"""Terms of a grant at the edge: amounts in yuan, and a fee breakdown that is JSON in a text.

The contract leaves the form of `feeDetail` open: here it is an object, fee in yuan by code of the sub-product.
"""

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from handlers.products.terms import Wish
from schemas.errors import Refused
from schemas.mt.common import price_of, yuan
from schemas.mt.grants import TermsFields
from schemas.mt.products import Code

_decoder = msgspec.json.Decoder(dict[Code, Decimal])
_encoder = msgspec.json.Encoder(decimal_format="number")


def wish_of(fields: TermsFields) -> Wish:
    """Refuses bad_field for an amount or a breakdown that is none."""
    return Wish(
        fee_micro=micro(fields.fee, "fee"),
        fee_type=fields.fee_type,
        charge_type=fields.charge_type,
        fee_detail=parse_detail(fields.fee_detail) if fields.fee_detail else None,
    )


def micro(amount: Decimal | None, field: str) -> int | None:
    """Refuses bad_field for what is no price."""
    return None if amount is None else price_of(amount, field)


def amount(micro: int | None) -> Decimal | None:
    return None if micro is None else yuan(micro)


def parse_detail(text: str) -> dict[str, int]:
    try:
        detail = _decoder.decode(text)
    except msgspec.MsgspecError as error:
        raise Refused("bad_field", f"feeDetail: a JSON object of fees by product code is expected: {error}") from None
    return {code: price_of(fee, f"feeDetail.{code}") for code, fee in detail.items()}


def detail_text(detail: Mapping[str, int]) -> str | None:
    """None where there is no breakdown."""
    return _encoder.encode({code: yuan(fee) for code, fee in sorted(detail.items())}).decode() if detail else None
