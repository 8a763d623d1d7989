"""What becomes of a call's price when its record is corrected, or rated again."""

import msgspec

from handlers.usage.prices import PriceBook
from handlers.usage.rating import Call, Rated, State, charged, rate, would_be_charged
from schemas.usage import UsageCorrected


def corrected(rated: Rated, call: Call, correction: UsageCorrected, book: PriceBook) -> Rated:
    """What the record says after an operator's change.

    What the operator says of the fee counts: a fee, or that there is none. Without a word on
    it a call whose success is changed is rated anew by the prices of its own time.
    """
    success = rated.success if correction.success is None else bool(correction.success)
    tag = rated.tag if correction.tag is None else correction.tag
    changed = msgspec.structs.replace(rated, success=success, tag=tag)
    call = msgspec.structs.replace(call, success=success, tag=tag)
    if correction.is_fee == 0:
        return msgspec.structs.replace(changed, state=State.UNCHARGED, reason=None, fee_micro=0, wallet_id=None)
    if correction.fee_micro is not None:
        return _with_fee(changed, correction.fee_micro, book)
    if correction.is_fee == 1 and rated.state is not State.CHARGED:
        return _anew(changed, call, book)
    if success != rated.success:
        anew = _anew(changed, call, book)
        return changed if rated.state is State.FREE and would_be_charged(anew) else anew
    return changed


def rated_again(rated: Rated, call: Call, book: PriceBook) -> Rated:
    """What a call that had no price would have come to; one that has a price stays as it is."""
    return _anew(rated, call, book) if rated.state is State.UNRATED else rated


def _anew(rated: Rated, call: Call, book: PriceBook) -> Rated:
    return msgspec.structs.replace(rate(call, book), free_no=rated.free_no)


def _with_fee(rated: Rated, fee_micro: int, book: PriceBook) -> Rated:
    """A wallet that has paid goes on paying; otherwise the one that pays today."""
    if rated.wallet_id is not None:
        return msgspec.structs.replace(rated, state=State.CHARGED, fee_micro=fee_micro)
    account = book.account(rated.dept_id)
    if account is None:
        return msgspec.structs.replace(rated, state=State.UNRATED, reason="no_account", fee_micro=0)
    return charged(msgspec.structs.replace(rated, merchant_id=account.merchant_id), fee_micro, book, account)
