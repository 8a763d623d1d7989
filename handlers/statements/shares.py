"""Money that is bound to statements: invoices take of what may be invoiced, payments settle what is open.

An amount is spread over statements, the oldest first. A share is kept in the statement
under the name of its invoice or payment, so to give it again changes nothing.
"""

from collections.abc import Iterable

from msgspec.structs import replace

from handlers.statements.statement import OWED, Statement
from schemas.mt.codes import MtRefused
from schemas.mt.statement_codes import OVER_LIMIT


def oldest_first(statements: Iterable[Statement]) -> list[Statement]:
    return sorted(statements, key=lambda statement: (statement.month, statement.id))


def spread_invoice(statements: Iterable[Statement], amount_micro: int) -> dict[str, int]:
    """By statement number its part of an invoice. Refuses OVER_LIMIT where all together have less left."""
    rest = amount_micro
    shares: dict[str, int] = {}
    for statement in oldest_first(statements):
        share = min(rest, statement.not_invoiced_micro) if statement.state in OWED else 0
        if share > 0:
            shares[statement.statement_no] = share
            rest -= share
    if rest:
        raise MtRefused(OVER_LIMIT, f"{rest} millionths of a yuan more than may still be invoiced")
    return shares


def take_invoice(statement: Statement, invoice: str, share_micro: int) -> Statement:
    """With the invoice's part taken. Refuses OVER_LIMIT where less is left than that."""
    if invoice in statement.invoice_shares:
        return statement
    if statement.state not in OWED or statement.not_invoiced_micro < share_micro:
        raise MtRefused(OVER_LIMIT, f"statement {statement.statement_no}: less may still be invoiced")
    return replace(statement, invoice_shares={**statement.invoice_shares, invoice: share_micro})


def release_invoice(statement: Statement, invoice: str) -> Statement:
    """Without the invoice's part."""
    if invoice not in statement.invoice_shares:
        return statement
    shares = {name: share for name, share in statement.invoice_shares.items() if name != invoice}
    return replace(statement, invoice_shares=shares)


def settle(statement: Statement, payment: str, at_most_micro: int) -> Statement:
    """With as much settled as is open and the payment has; unchanged where it has settled its part before."""
    share = min(at_most_micro, statement.open_micro)
    if payment in statement.payment_shares or statement.state not in OWED or share <= 0:
        return statement
    return replace(statement, payment_shares={**statement.payment_shares, payment: share})
