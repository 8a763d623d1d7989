"""Customers of the metering platform and their accounts: kept by event time, after the write.

Their documents are read by number and are written by operators too, so what a fact says goes
into fields of its own there (`stores.mt.customers`, `stores.mt.accounts`).
"""

from datetime import datetime

import msgspec

from handlers.outcome import Outcome
from schemas.events import Event
from schemas.merchant import MerchantAccountChanged, MerchantAccountSynced, MerchantSynced


class KeepMerchant(msgspec.Struct, frozen=True):
    merchant: MerchantSynced
    at: datetime


class KeepAccount(msgspec.Struct, frozen=True):
    account: MerchantAccountSynced
    at: datetime


def sync_merchant(event: Event, merchant: MerchantSynced) -> Outcome:
    return Outcome(afterwards=(KeepMerchant(merchant, event.time),))


def sync_account(event: Event, account: MerchantAccountSynced) -> Outcome:
    return Outcome(afterwards=(KeepAccount(account, event.time),))


def remember_account_change(_event: Event, _changed: MerchantAccountChanged) -> Outcome:
    """Nothing is folded of it: the call wrote the account, and this tells whoever lets calls in."""
    return Outcome()
