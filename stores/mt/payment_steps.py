"""Payments received: an operator approves or rejects each, and an approved one settles statements.

What it settles is planned with the approval, and written into each statement after it.
Where others came first there is something left: it is planned anew for what is still open,
and the longer plan is kept before any of it is given. What nothing open is left for is the
customer's. Steps that were left in the middle by a process that died are finished by the clock.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from enum import IntEnum
from functools import partial
from typing import Protocol

import msgspec
from msgspec.structs import replace

from handlers.statements.shares import settle, spread_payment
from handlers.statements.statement import OPEN_TO_CHANGE, Statement
from schemas.mt.codes import MtRefused
from schemas.mt.statement_codes import NOT_CONFIRMED, PAYMENT_STATE
from stores.mt.statements import Actor, StatementRows, change_in


class AuditState(IntEnum):
    """As the contract's."""

    REJECTED = -10
    WAITING = 0
    APPROVED = 10


class Payment(msgspec.Struct, frozen=True, rename={"id": "_id"}, kw_only=True):
    id: str
    payment_no: str
    merchant_id: int
    amount_micro: int
    paid_on: str
    """`yyyy-MM-dd`."""
    state: AuditState = AuditState.WAITING
    told: Mapping[str, int] | None = None
    """By statement number what it is for, where whoever paid has said so."""
    plan: Mapping[str, int] = msgspec.field(default_factory=dict)
    """By statement number what it settles at most, in all; it only grows."""
    replanned: int | None = None
    """How often there was more to settle than planned. Whoever goes on with a plan compares it."""
    settled: Mapping[str, int] = msgspec.field(default_factory=dict)
    residue_micro: int | None = None
    after_debt_micro: int | None = None
    settling: bool | None = None
    """Approved, and not through yet."""
    crediting: bool | None = None
    """Approved, and the wallets were not told yet."""
    certificates: tuple[str, ...] = ()
    remark: str | None = None
    reject_reason: str | None = None
    created_by: int | None = None
    created_at: datetime
    audited_at: datetime | None = None
    audited_by: str = ""
    audited_name: str = ""
    modified_at: datetime | None = None
    royalty_rate: float | None = None
    royalty_micro: int | None = None


class Till(StatementRows, Protocol):
    """What payments need of a store. Every method may raise StoreAway; then it may have been done."""

    async def owed(self, merchant_id: int) -> Sequence[Statement]:
        """A customer's statements that are to be paid and are not yet."""
        ...

    async def named(self, merchant_id: int, numbers: Collection[str]) -> Sequence[Statement]:
        """A customer's statements of these numbers, as far as there are any."""
        ...

    async def go_on(self, seen: Payment, after: Payment) -> Payment | None:
        """Write what changed, and answer the payment; None where somebody else has gone on with it since."""
        ...

    async def again(self, payment: Payment) -> Payment:
        """As it is now."""
        ...


async def approve_in(till: Till, payment: Payment, actor: Actor, at: datetime) -> Payment:
    """Settle statements with it. Refuses PAYMENT_STATE, NOT_CONFIRMED."""
    _require_waiting(payment)
    # Before what is owed is read: so a named one that passes here is among it.
    await _require_confirmed(till, payment)
    plan = spread_payment(await till.owed(payment.merchant_id), payment.amount_micro, payment.told)
    approved = replace(payment, state=AuditState.APPROVED, plan=plan, settling=True, crediting=True)
    return await settle_in(till, await _audit(till, payment, approved, actor, at))


async def reject_in(till: Till, payment: Payment, reason: str | None, actor: Actor, at: datetime) -> Payment:
    """Refuses PAYMENT_STATE."""
    _require_waiting(payment)
    rejected = replace(payment, state=AuditState.REJECTED, reject_reason=reason)
    return await _audit(till, payment, rejected, actor, at)


async def settle_in(till: Till, payment: Payment) -> Payment:
    """Write what was planned. Safe to repeat, and for two at once: each part is given once, whoever gives it."""
    while payment.settling:
        given = await _given(till, payment)
        rest = payment.amount_micro - sum(given.values())
        if more := await _more(till, payment, rest):
            # In all: also of a statement that a part was planned for because the rest was thought to go elsewhere.
            plan = {**payment.plan} | {number: given.get(number, 0) + micro for number, micro in more.items()}
            after = replace(payment, plan=plan, replanned=(payment.replanned or 0) + 1)
        else:
            debt = debt_micro(await till.owed(payment.merchant_id))
            after = replace(payment, settled=given, residue_micro=rest, after_debt_micro=debt, settling=None)
        payment = await till.go_on(payment, after) or await till.again(payment)
    return payment


def debt_micro(owed: Iterable[Statement]) -> int:
    """What is still to be paid of statements."""
    return sum(max(0, statement.open_micro) for statement in owed)


def credits_by_wallet(payment: Payment, settled: Iterable[Statement], default: int | None) -> dict[int, int]:
    """By wallet what a payment brings it: what settles a statement to the wallet that was charged for it, the rest to
    the customer's default one. Empty where there are no wallets: then none was charged.
    """
    wallets: dict[int, int] = {}
    parts = [(statement.wallet_id, payment.settled[statement.statement_no]) for statement in settled]
    for wallet_id, micro in (*parts, (default, payment.residue_micro or 0)):
        to = default if wallet_id is None else wallet_id
        if to is not None and micro > 0:
            wallets[to] = wallets.get(to, 0) + micro
    return wallets


def _require_waiting(payment: Payment) -> None:
    if payment.state != AuditState.WAITING:
        raise _audited_already(payment)


def _audited_already(payment: Payment) -> MtRefused:
    return MtRefused(PAYMENT_STATE, f"payment {payment.payment_no} was audited already")


async def _require_confirmed(till: Till, payment: Payment) -> None:
    """Money for a statement that may still change would settle nothing, for good."""
    named = await till.named(payment.merchant_id, payment.told or ())
    early = [statement.statement_no for statement in named if statement.state in OPEN_TO_CHANGE]
    if early:
        raise MtRefused(NOT_CONFIRMED, f"statement {min(early)} is not confirmed yet")


async def _audit(till: Till, payment: Payment, after: Payment, actor: Actor, at: datetime) -> Payment:
    after = replace(after, audited_at=at, modified_at=at, audited_by=actor.by, audited_name=actor.name)
    audited = await till.go_on(payment, after)
    if audited is None:
        raise _audited_already(payment)
    return audited


async def _given(till: Till, payment: Payment) -> dict[str, int]:
    """By statement number what the plan came to; a part that was given is never taken back."""
    given: dict[str, int] = {}
    at = payment.audited_at or payment.created_at
    actor = Actor(payment.audited_by, payment.audited_name)
    for number, at_most in payment.plan.items():
        share = partial(settle, payment=payment.payment_no, at_most_micro=at_most)
        statement = await change_in(till, number, "settle", actor, at, share)
        if micro := statement.payment_shares[payment.payment_no]:
            given[number] = micro
    return given


async def _more(till: Till, payment: Payment, rest_micro: int) -> dict[str, int]:
    """What else the rest is for, where nobody has said what it is for."""
    if rest_micro == 0 or payment.told is not None:
        return {}
    return spread_payment(await till.owed(payment.merchant_id), rest_micro)
