"""/mt/beeback/index/coreStatistics: where a customer stands."""

from collections.abc import Sequence

from gateway.mt.frame import Asked, MtOperation, Tools
from gateway.system import Reply
from handlers.products.moves import GrantState
from handlers.statements.statement import State
from handlers.wallet_watch import OverdraftState
from schemas.mt.codes import not_found
from schemas.mt.common import yuan
from schemas.mt.wallets import OverviewRow
from stores.inboxes import find_inbox
from stores.mongo import Document, translated
from stores.mt.alert_contacts import count_contacts
from stores.mt.customers import find_customer
from stores.mt.depts import depts_within
from stores.mt.grants import GRANTS
from stores.mt.payments import Payments
from stores.mt.statements import STATEMENTS
from stores.mt.wallets import Wallets


class ConsoleHome:
    def __init__(self, tools: Tools) -> None:
        self._database = tools.database
        self._wallets = Wallets(tools.database)
        self._payments = Payments(tools.database)

    async def overview(self, asked: Asked) -> Reply:
        merchant_id = asked.principal.merchant_id
        if merchant_id is None:
            raise not_found("a customer of this login")
        wallets = await self._wallets.of(asked.scope)
        quotas = [wallet.overdraft_quota_micro for wallet in wallets if wallet.overdraft_state > OverdraftState.PREPAID]
        inbox = await find_inbox(self._database, f"user/{asked.principal.user_id}")
        return Reply(
            OverviewRow(
                balance=yuan(sum(wallet.balance_micro for wallet in wallets)),
                overdue_amount=yuan(await self._payments.debt_micro(merchant_id)),
                overdraft_quota=yuan(sum(quotas)),
                unconfirmed_bill_count=await self._count(asked, STATEMENTS, {"state": State.CHECKED.value}),
                mine_item_count=await self._grants(asked, GrantState.OPEN),
                applying_item_count=await self._grants(asked, GrantState.WAITING),
                unread_msg_count=inbox.unread,
                wait_prefect_count=await self._missing(asked, merchant_id),
            )
        )

    async def _grants(self, asked: Asked, state: GrantState) -> int:
        return await self._count(asked, GRANTS, {"state": state.value, "deleted_at": None})

    async def _count(self, asked: Asked, collection: str, match: Document) -> int:
        with translated():
            return await self._database[collection].count_documents({**asked.scope.match(), **match})

    async def _missing(self, asked: Asked, merchant_id: int) -> int:
        """What a customer has not filled in yet: an address for bills, somebody to be alerted, an account."""
        customer = await find_customer(self._database, merchant_id) or {}
        there = (
            bool(customer.get("emails")),
            await count_contacts(self._database, merchant_id) > 0,
            bool(await depts_within(self._database, asked.scope)),
        )
        return there.count(False)


def operations(tools: Tools) -> Sequence[MtOperation]:
    own = ConsoleHome(tools)
    return (MtOperation("indexCoreStatistics", "GET", "/mt/beeback/index/coreStatistics", own.overview),)
