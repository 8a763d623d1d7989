"""Money that is bound to statements: invoices take of what may be invoiced, payments settle what is open.

An amount is spread over statements, the oldest first. A share is kept in the statement
under the name of its invoice or payment, so to give it again changes nothing; an invoice's
that was given back stays there as 0, so that who comes late does not give it again.
"""

from collections.abc import Iterable, Mapping

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
    """Without the invoice's part, for good."""
    return replace(statement, invoice_shares={**statement.invoice_shares, invoice: 0})


def spread_payment(
    statements: Iterable[Statement], amount_micro: int, told: Mapping[str, int] | None = None
) -> dict[str, int]:
    """By statement number what a payment settles at most: as told, else the oldest first."""
    rest = amount_micro
    shares: dict[str, int] = {}
    for statement in oldest_first(statements):
        wanted = rest if told is None else min(rest, told.get(statement.statement_no, 0))
        share = min(wanted, statement.open_micro) if statement.state in OWED else 0
        if share > 0:
            shares[statement.statement_no] = share
            rest -= share
    return shares


def settle(statement: Statement, payment: str, at_most_micro: int) -> Statement:
    """With as much settled as is open, and the payment has for it in all; unchanged where that was given before.

    A payment may come to have more for it. It never has less, and what is open never grows: so whoever gives it, and
    however often, it comes to the same.
    """
    given = statement.payment_shares.get(payment, 0)
    more = max(0, min(at_most_micro - given, statement.open_micro)) if statement.state in OWED else 0
    if payment in statement.payment_shares and not more:
        return statement
    return replace(statement, payment_shares={**statement.payment_shares, payment: given + more})
