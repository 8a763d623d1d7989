"""Planned changes of prices and products: one task each, which is also the intent that a crash cannot undo.

A price task is written first, whole. Then it is settled: its adjustments are listed, and
the prices are put into the grants (or taken back, when it was cancelled). Whoever finds a task
that is not settled settles it; doing so twice changes nothing. When its time comes the
clock marks it as executed: prices hold from their time on whether or not it is late.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from handlers.products.moves import AdjustmentState, TaskState, check_cancel, check_retry
from handlers.products.prices import (
    Price,
    Terms,
    change_in,
    effect_time,
    in_force,
    may_take_back,
    take_back,
    with_price,
)
from schemas.mt.access import Scope
from schemas.mt.codes import MtRefused, not_found
from schemas.mt.product_codes import TASK_STATE
from stores.mongo import Database, translated
from stores.mt.grants import Grant, any_grant, change_grant
from stores.mt.numbers import next_number
from stores.mt.pages import find_by
from stores.mt.products import edit_product

TASKS = "schedule_tasks"
ADJUSTMENTS = "price_adjustments"
PRICE_TASK, PRODUCT_TASK = "price.adjust", "product.state"
"""`taskKey` of the two kinds."""

ABANDONED = timedelta(seconds=30)
"""A task that is not settled after this was left by whoever wrote it."""


class StoredTerms(msgspec.Struct, frozen=True):
    fee_micro: int
    fee_type: int
    charge_type: int
    fee_detail: dict[str, int]


class Adjusted(msgspec.Struct, frozen=True):
    """One price that a task changes."""

    id: int
    grant_id: int
    item: str
    before: StoredTerms | None
    after: StoredTerms


class Noticed(msgspec.Struct, frozen=True):
    """An account whose people are told of a change."""

    dept_id: int
    user_id: int | None = None
    dept_name: str | None = None
    mobile: str | None = None
    """Masked."""
    email: str | None = None


class ProductChange(msgspec.Struct, frozen=True, kw_only=True):
    product_id: int
    item: str
    to_state: int
    notice_scope: int = 0
    notice_methods: tuple[str, ...] = ()
    noticed: tuple[Noticed, ...] = ()
    note: str | None = None


class Task(msgspec.Struct, frozen=True, rename={"id": "_id"}, kw_only=True):
    id: int
    task_key: str
    biz_key: str
    state: int = TaskState.PLANNED
    plan_at: datetime
    at_once: bool = False
    settled: bool
    """Whether the grants say what the task says."""
    waits: bool = True
    """Whether the clock is to execute it when it is time: it has not run, was not cancelled and did not fail."""
    dept_id: int | None = None
    merchant_id: int | None = None
    items: tuple[str, ...] = ()
    adjusted: tuple[Adjusted, ...] = ()
    change: ProductChange | None = None
    created_by: int
    created_at: datetime
    updated_at: datetime
    finished_at: datetime | None = None
    error: str | None = None
    cost_ms: int | None = None
    runs: int = 0


# ---- planning -------------------------------------------------------------------------------------------------------


async def adjust_prices(
    database: Database,
    changes: Sequence[tuple[Grant, Terms]],
    planned: datetime | None,
    by: int,
    at: datetime,
) -> None:
    """Change prices of one or more accounts, from a time on or (None) from a second on. Raises StoreAway.

    Each account's changes are one task: planned together, cancelled together.
    """
    by_account: dict[int, list[tuple[Grant, Terms]]] = {}
    for grant, terms in changes:
        by_account.setdefault(grant.dept_id, []).append((grant, terms))
    for some in by_account.values():
        task = await _insert_price_task(database, some, planned, by, at)
        await settle(database, task, at)
        if task.at_once:
            await execute(database, task.id, at)


async def _insert_price_task(
    database: Database, changes: Sequence[tuple[Grant, Terms]], planned: datetime | None, by: int, at: datetime
) -> Task:
    first = await next_number(database, ADJUSTMENTS, len(changes))
    since = effect_time(planned, at)
    grant = changes[0][0]
    adjusted = tuple(
        Adjusted(number, grant.id, grant.item, _stored_price(in_force(grant.history, since)), stored_terms(terms))
        for number, (grant, terms) in enumerate(changes, first)
    )
    task = Task(
        id=await next_number(database, TASKS),
        task_key=PRICE_TASK,
        biz_key=str(grant.dept_id),
        plan_at=since,
        at_once=planned is None,
        settled=False,
        dept_id=grant.dept_id,
        merchant_id=grant.merchant_id,
        items=tuple(change.item for change in adjusted),
        adjusted=adjusted,
        created_by=by,
        created_at=at,
        updated_at=at,
    )
    with translated():
        await database[TASKS].insert_one(_document(task))
    return task


async def plan_product_change(
    database: Database, change: ProductChange, planned: datetime, by: int, at: datetime
) -> int:
    """The id of the task. Raises StoreAway."""
    task = Task(
        id=await next_number(database, TASKS),
        task_key=PRODUCT_TASK,
        biz_key=change.item,
        plan_at=effect_time(planned, at),
        settled=True,
        items=(change.item,),
        change=change,
        created_by=by,
        created_at=at,
        updated_at=at,
    )
    with translated():
        await database[TASKS].insert_one(_document(task))
    return task.id


async def settle(database: Database, task: Task, at: datetime) -> None:
    """Make adjustments and grants say what the task says. Safe to repeat, and at once. Raises StoreAway."""
    at = _not_before(at)
    for adjusted in task.adjusted:
        await _list_adjustment(database, task, adjusted)
        if task.state == TaskState.CANCELLED:
            await take_back_changes(database, adjusted.grant_id, [adjusted.id], at)
        else:
            await _put_price(database, task, adjusted, at)
    with translated():
        # Not where it was cancelled meanwhile: then there is more to settle.
        await database[TASKS].update_one({"_id": task.id, "state": task.state}, {"$set": {"settled": True}})


def _not_before(at: datetime) -> datetime:
    """Now: a call may have come in long before the store took what it wrote."""
    return max(at, datetime.now(at.tzinfo))


async def _put_price(database: Database, task: Task, adjusted: Adjusted, at: datetime) -> None:
    def put(grant: Grant) -> Grant:
        if grant.deleted_at is not None:
            return grant
        # Late, if somebody else had to settle it; from the past it never holds.
        price = Price(effect_time(task.plan_at, _not_before(at)), terms_of(adjusted.after), adjusted.id)
        return grant.priced(with_price(grant.history, price))

    if await any_grant(database, adjusted.grant_id) is not None:
        await change_grant(database, adjusted.grant_id, put, at)


async def _list_adjustment(database: Database, task: Task, adjusted: Adjusted) -> None:
    document = {
        "task_id": task.id,
        "grant_id": adjusted.grant_id,
        "dept_id": task.dept_id,
        "merchant_id": task.merchant_id,
        "item": adjusted.item,
        "before": msgspec.to_builtins(adjusted.before),
        "after": msgspec.to_builtins(adjusted.after),
        "plan_time": None if task.at_once else task.plan_at,
        "created_by": task.created_by,
        "created_at": task.created_at,
    }
    begun = {"state": int(AdjustmentState.PLANNED), "updated_at": task.created_at}
    with translated():
        await database[ADJUSTMENTS].update_one(
            {"_id": adjusted.id}, {"$setOnInsert": {**document, **begun}}, upsert=True
        )


async def take_back_changes(database: Database, grant_id: int, changes: Collection[int], at: datetime) -> None:
    """Take planned prices out of a grant; those that hold already stay, and are listed as changed."""
    at = _not_before(at)
    grant = await any_grant(database, grant_id)
    if grant is not None:
        grant = await change_grant(
            database, grant_id, lambda grant: grant.priced(take_back(grant.history, changes, at)), at
        )
    for change in changes:
        price = None if grant is None else change_in(grant.history, change)
        if price is None or price.taken_back:
            await _mark_adjustment(database, change, AdjustmentState.CANCELLED, {}, at)
        else:
            await _mark_adjustment(database, change, AdjustmentState.CHANGED, {"effect_time": price.since}, at)


async def cancel_idle(database: Database, changes: Collection[int], at: datetime) -> None:
    """Cancel the tasks that had nothing but these changes to make, if all were taken back. Raises StoreAway."""
    cancelled = await find_by(database, ADJUSTMENTS, "_id", changes, {"state": int(AdjustmentState.CANCELLED)})
    for number in {adjustment["task_id"] for adjustment in cancelled}:
        with translated():
            others = {"task_id": number, "state": {"$ne": int(AdjustmentState.CANCELLED)}}
            if await database[ADJUSTMENTS].count_documents(others) == 0:
                await database[TASKS].update_one(
                    {"_id": number, "state": int(TaskState.PLANNED), "settled": True},
                    {"$set": {"state": int(TaskState.CANCELLED), "waits": False, "updated_at": at}},
                )


async def _mark_adjustment(
    database: Database, number: int, state: AdjustmentState, fields: Mapping[str, Any], at: datetime
) -> None:
    """From planned to another state; what was cancelled stays so."""
    with translated():
        await database[ADJUSTMENTS].update_one(
            {"_id": number, "state": int(AdjustmentState.PLANNED)},
            {"$set": {**fields, "state": int(state), "updated_at": at}},
        )


# ---- execution ------------------------------------------------------------------------------------------------------


class CannotRun(Exception):
    """What a task changes is not there any more; its text is for operators."""


async def execute(database: Database, number: int, at: datetime) -> bool:
    """Mark a task as executed, or as failed with an error. False where somebody else has. Raises StoreAway."""
    with translated():
        begun = await database[TASKS].find_one_and_update(
            {"_id": number, "waits": True},
            {"$set": {"state": int(TaskState.RUNNING), "updated_at": at}, "$inc": {"runs": 1}},
        )
    if begun is None:
        return False
    task = to_task(begun)
    try:
        await _carry_out(database, task, at)
    except CannotRun as failure:
        end: dict[str, Any] = {"state": int(TaskState.PLANNED), "error": str(failure)}
    else:
        end = {"state": int(TaskState.DONE), "error": None, "finished_at": at}
    ended_at = _not_before(at)
    cost_ms = (ended_at - at) // timedelta(milliseconds=1)
    with translated():
        await database[TASKS].update_one(
            {"_id": number, "waits": True},
            {"$set": {**end, "waits": False, "cost_ms": cost_ms, "updated_at": ended_at}},
        )
    return True


async def _carry_out(database: Database, task: Task, at: datetime) -> None:
    if task.change is not None:
        try:
            await edit_product(database, task.change.item, {"state": task.change.to_state}, at)
        except MtRefused as refused:
            raise CannotRun(str(refused)) from None
        return
    if not task.settled:
        await settle(database, task, at)
    missing = []
    for adjusted in task.adjusted:
        grant = await any_grant(database, adjusted.grant_id)
        price = None if grant is None else change_in(grant.history, adjusted.id)
        if price is None:
            missing.append(adjusted.item)
        elif not price.taken_back:
            await _mark_adjustment(database, adjusted.id, AdjustmentState.CHANGED, {"effect_time": price.since}, at)
    if missing:
        raise CannotRun(f"not granted any more: {', '.join(missing)}")


async def due_tasks(database: Database, now: datetime, limit: int = 500) -> list[int]:
    """What is to be executed, the longest due first. Raises StoreAway."""
    with translated():
        found = database[TASKS].find({"waits": True, "plan_at": {"$lte": now}}, {"_id": 1})
        return [document["_id"] for document in await found.sort("plan_at", 1).limit(limit).to_list()]


async def settle_abandoned(database: Database, now: datetime) -> int:
    """Settle what was left half done; returns how many. Raises StoreAway."""
    with translated():
        found = await database[TASKS].find({"settled": False, "updated_at": {"$lte": now - ABANDONED}}).to_list()
    for document in found:
        await settle(database, to_task(document), now)
    return len(found)


# ---- what operators do ----------------------------------------------------------------------------------------------


async def find_task(database: Database, number: int, scope: Scope) -> Task:
    """Refuses not_found. Raises StoreAway."""
    with translated():
        found = await database[TASKS].find_one({"_id": number})
    if found is None or not scope.admits(found.get("merchant_id")):
        raise not_found(f"task {number}")
    return to_task(found)


async def cancel(database: Database, number: int, scope: Scope, at: datetime) -> None:
    """Refuses not_found, and TASK_STATE unless it has still to take effect. Raises StoreAway."""
    task = await find_task(database, number, scope)
    check_cancel(task.state, may_take_back(task.plan_at, at))
    if not task.settled:
        raise MtRefused(TASK_STATE, "the task is still being written: try again")
    with translated():
        cancelled = await database[TASKS].update_one(
            {"_id": number, "state": int(TaskState.PLANNED), "settled": True},
            {
                "$set": {
                    "state": int(TaskState.CANCELLED),
                    "waits": False,
                    "settled": task.change is not None,
                    "updated_at": at,
                }
            },
        )
    if cancelled.matched_count == 0:  # the clock, or another operator, came between
        return await cancel(database, number, scope, at)
    if task.change is None:
        await settle(database, await find_task(database, number, scope), at)
    return None


async def retry(database: Database, number: int, scope: Scope, at: datetime) -> None:
    """Execute a task again whose execution failed. Refuses not_found and TASK_STATE. Raises StoreAway.

    If its time has come that is now. Prices that a grant did not take then hold from a second on.
    """
    task = await find_task(database, number, scope)
    check_retry(task.state, failed=not task.waits)
    with translated():
        await database[TASKS].update_one(
            {"_id": number, "state": int(TaskState.PLANNED), "waits": False},
            {"$set": {"waits": True, "settled": task.change is not None, "error": None, "updated_at": at}},
        )
    if task.plan_at <= at:
        await execute(database, number, at)


# ---- documents ------------------------------------------------------------------------------------------------------


def stored_terms(terms: Terms) -> StoredTerms:
    return StoredTerms(terms.fee_micro, terms.fee_type, terms.charge_type, dict(terms.fee_detail))


def terms_of(stored: StoredTerms) -> Terms:
    return Terms(stored.fee_micro, stored.fee_type, stored.charge_type, stored.fee_detail)


def _stored_price(price: Price | None) -> StoredTerms | None:
    return None if price is None else stored_terms(price.terms)


def to_task(document: dict[str, Any]) -> Task:
    return msgspec.convert(document, Task)


def _document(task: Task) -> dict[str, Any]:
    document: dict[str, Any] = msgspec.to_builtins(task, builtin_types=(datetime,))
    return document
