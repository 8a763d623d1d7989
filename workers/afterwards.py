"""What is looked at after a batch is written and before its offset is committed: what no event alone decides.

A crash between repeats it, so each of these may be done again at any time.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from handlers.im.callbacks import HearFriends, HearProfile
from handlers.im.messages import LookForRecall
from handlers.merchants import KeepAccount, KeepMerchant
from handlers.wallets import LookAtPayment, LookAtWallet
from stores.im.callbacks import hear_friends, hear_profile
from stores.im.recalls import recalled_before
from stores.mongo import Database
from stores.mt.accounts import keep_account
from stores.mt.customers import keep_merchant
from stores.mt.recharges import settle_payment
from stores.mt.wallet_watch import watch
from workers import wallet_metrics as metrics
from workers.fold_batch import Publishes


class Looks:
    """In the order of the log; a wallet once, after all that concerns it."""

    def __init__(self, database: Database, publisher: Publishes) -> None:
        self._database = database
        self._publisher = publisher

    async def look(self, asked: Sequence[msgspec.Struct]) -> None:
        """Raises StoreAway and BrokerAway."""
        wallets: dict[int, None] = {}
        messages: list[LookForRecall] = []
        for each in asked:
            match each:
                case LookAtWallet(wallet_id):
                    wallets[wallet_id] = None
                case LookAtPayment(payment):
                    metrics.observe_payment(await settle_payment(self._database, self._publisher, payment))
                case KeepMerchant(merchant, at):
                    await keep_merchant(self._database, merchant, at)
                case KeepAccount(account, at):
                    await keep_account(self._database, account, at)
                case HearProfile():
                    await hear_profile(self._database, each)
                case HearFriends():
                    async for facts in hear_friends(self._database, each):
                        await self._publisher.publish(facts)
                case LookForRecall():
                    messages.append(each)
                case _:
                    raise TypeError(f"nobody looks at a {type(each).__name__}")
        if messages:
            early = await recalled_before(self._database, [each.message for each in messages])
            await self._publisher.publish([each.recall for each in messages if each.message in early])
        if wallets:
            metrics.observe_watch(await watch(self._database, self._publisher, wallets, datetime.now(UTC)))
