"""`fanfold recharges`: payments that pay no recharge order."""

import getpass
from datetime import datetime

import msgspec
from rich.table import Table

from config.settings import Settings
from schemas.mt.access import EVERYTHING
from schemas.mt.common import yuan
from stores.mongo import open_database
from stores.mt.recharges import credit_by_hand, set_aside
from stores.mt.wallets import Wallets
from streams.publisher import Publisher
from workers.commands.console import out, print_json
from workers.commands.letters import printable


async def show_set_aside(settings: Settings, limit: int, *, as_json: bool) -> None:
    async with open_database(settings.mongo) as database:
        found = await set_aside(database, limit)
    if as_json:
        print_json(msgspec.to_builtins(found, builtin_types=(datetime,)))
        return
    console = out()
    if not found:
        console.print("Every payment pays its order.")
        return
    table = Table("payment", "order", "amount", "paid", "why")
    for payment in found:
        paid = f"{payment.paid_at:%Y-%m-%d %H:%M:%S}Z"
        amount = f"{yuan(payment.amount_micro):,}"
        table.add_row(printable(payment.id), printable(payment.pay_no), amount, paid, payment.reason or "")
    console.print(table)


async def credit(settings: Settings, payment_id: str, wallet_id: int, *, as_json: bool) -> None:
    async with open_database(settings.mongo) as database, Publisher(settings.kafka) as publisher:
        await publisher.wait_connected()
        wallet = await Wallets(database).find(EVERYTHING, wallet_id)
        by = f"shell/{getpass.getuser()}"[:128]
        payment = await credit_by_hand(database, publisher, payment_id, wallet.wallet_id, by)
    if as_json:
        print_json(msgspec.to_builtins(payment, builtin_types=(datetime,)))
    else:
        out().print(f"{yuan(payment.amount_micro):,} go to wallet {wallet_id}.")
