"""What statements are tested on: accounts with usage, as the rater leaves it, and statements in each state."""

from datetime import UTC, datetime
from itertools import count
from typing import Any

from mt_api import MERCHANT, Portals

from handlers.usage.totals import CUST_DAILY, CUST_MONTHLY, quoted
from stores.mongo import Database, open_database
from stores.mt.billing import Billing
from stores.mt.statements import CLOCK

AT = datetime(2026, 3, 1, 2, tzinfo=UTC)
MONTH = "2026-02"
_depts = count(7001)


async def use(
    database: Database,
    dept_id: int,
    month: str = MONTH,
    *,
    item: str = "A100",
    tag: str = "",
    fee_micro: int = 10_000,
    count: int = 10,
    merchant_id: int = MERCHANT,
) -> None:
    """Calls of an account, as they add up in its totals."""
    figures = {"count": count, "success": count, "free": 0, "charged": count, "cached": 0, "unrated": 0}
    figures |= {"fee_micro": fee_micro, "cost_micro": fee_micro // 2}
    about = {"merchant_id": merchant_id, "dept_id": dept_id, "app_id": f"app-{dept_id}", "item": item, "tag": tag}
    for collection, field, period in ((CUST_MONTHLY, "month", month), (CUST_DAILY, "day", f"{month}-11")):
        key = f"{dept_id}/{quoted(item)}/{quoted(tag)}/{period}"
        await database[collection].update_one(
            {"_id": key}, {"$inc": figures, "$set": {**about, field: period}}, upsert=True
        )


async def an_account(
    database: Database, *, merchant_id: int = MERCHANT, emails: tuple[str, ...] = (), app_code: str | None = None
) -> int:
    dept_id = next(_depts)
    await know(database, dept_id, merchant_id=merchant_id, emails=emails, app_code=app_code)
    return dept_id


def a_dept() -> int:
    """Of an account that nobody has told of yet."""
    return next(_depts)


async def know(
    database: Database,
    dept_id: int,
    *,
    merchant_id: int = MERCHANT,
    emails: tuple[str, ...] = (),
    app_code: str | None = None,
) -> None:
    """Tell of an account and its customer."""
    account = {"merchant_id": merchant_id, "name": f"Account {dept_id}", "app_id": f"app-{dept_id}", "emails": emails}
    if app_code is not None:
        account["app_code"] = app_code
    await database["mt_accounts"].insert_one({"_id": dept_id, **account, "updated_at": AT})
    customer = {"name": f"Customer {merchant_id}", "user_id": 21, "salesman_id": 31}
    await database["mt_customers"].update_one({"_id": merchant_id}, {"$setOnInsert": customer}, upsert=True)


async def a_wallet(
    database: Database, wallet_id: int, merchant_id: int, overdraft_state: int, *, app_code: str | None = None
) -> None:
    """Reserved for an app, else the default one. `overdraft_state`: 0 prepaid, 20 settled by the month."""
    wallet = {"wallet_id": wallet_id, "merchant_id": merchant_id, "overdraft_state": overdraft_state, "updated_at": AT}
    wallet |= {"is_default": app_code is None, "app_codes": [] if app_code is None else [app_code]}
    await database["wallets"].insert_one({"_id": str(wallet_id), **wallet})


async def a_statement(
    database: Database,
    *,
    merchant_id: int = MERCHANT,
    emails: tuple[str, ...] = (),
    fee_micro: int = 10_000_000,
    app_code: str | None = None,
) -> dict[str, Any]:
    """Its document: made, of two lines that come to `fee_micro`."""
    dept_id = await an_account(database, merchant_id=merchant_id, emails=emails, app_code=app_code)
    await use(database, dept_id, fee_micro=fee_micro - 1_000, merchant_id=merchant_id)
    await use(database, dept_id, tag="t", fee_micro=1_000, count=1, merchant_id=merchant_id)
    (number,) = await Billing(database).bill(dept_id, MONTH, CLOCK, AT)
    found = await database["statements"].find_one({"_id": number})
    assert found is not None
    return found


class Scene:
    """Statements by the API of their users."""

    def __init__(self, portals: Portals, database: Database) -> None:
        self.portals = portals
        self.database = database

    async def made(self, **about: Any) -> dict[str, Any]:
        return await a_statement(self.database, **about)

    async def checked(self, **about: Any) -> dict[str, Any]:
        statement = await self.made(**about)
        await self.portals.operator.ok("/mt/crm/bill/recheck", {"billId": statement["id"]})
        return statement

    async def confirmed(self, **about: Any) -> dict[str, Any]:
        statement = await self.checked(**about)
        await self.portals.customer.ok("/mt/beeback/billStatement/confirm", {"statementNoList": [statement["_id"]]})
        return statement

    async def detail(self, statement: dict[str, Any]) -> dict[str, Any]:
        wanted = {"deptId": statement["dept_id"], "statementNo": statement["_id"]}
        found: dict[str, Any] = await self.portals.operator.ok("/mt/crm/bill/detail", wanted)
        return found

    async def invoiced(self, statement: dict[str, Any], amount: float = 1, **about: Any) -> int:
        """The id of an invoice that an operator has added."""
        body = invoice_of(statement, amount) | {"deptId": statement["dept_id"], **about}
        await self.portals.operator.ok("/mt/crm/bill/invoice/add", body)
        return await self._newest("/mt/crm/bill/invoice/list", {"deptId": statement["dept_id"]})

    async def applied(self, statement: dict[str, Any], amount: float = 1) -> int:
        """The id of an invoice that its customer has asked for."""
        await self.portals.customer.ok("/mt/beeback/billStatement/applyInvoice", invoice_of(statement, amount))
        return await self._newest("/mt/crm/bill/invoice/list", {"deptId": statement["dept_id"]})

    async def _newest(self, path: str, query: dict[str, Any]) -> int:
        page = await self.portals.operator.ok(path, query)
        return int(page["results"][0]["id"])

    async def paid(self, amount_micro: int, number: str, merchant_id: int = MERCHANT) -> str:
        """The number of a payment that waits for its audit, as the folder leaves it."""
        await self.database["payments"].insert_one(
            {
                "_id": f"bank/{number}",
                "payment_no": number,
                "merchant_id": merchant_id,
                "amount_micro": amount_micro,
                "paid_on": "2026-03-05",
                "state": 0,
                "certificates": [],
                "created_at": AT,
            }
        )
        return number


def invoice_of(statement: dict[str, Any], amount: float) -> dict[str, Any]:
    return {
        "statementNoList": [statement["_id"]],
        "invoiceAmount": amount,
        "invoiceType": "normal",
        "headerName": "Some Ltd",
        "tin": "91310000000000000X",
        "email": "billing@example.com",
    }


def scene(portals: Portals) -> "OpenScene":
    return OpenScene(portals)


class OpenScene:
    """A scene with a database of its own, for the walk."""

    def __init__(self, portals: Portals) -> None:
        self._portals = portals

    async def __aenter__(self) -> Scene:
        self._opened = open_database(self._portals.settings.mongo)
        return Scene(self._portals, await self._opened.__aenter__())

    async def __aexit__(self, *error: Any) -> None:
        await self._opened.__aexit__(*error)
