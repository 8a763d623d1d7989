"""Wallets and their flows as the contract shows them."""

import hashlib
from collections.abc import Mapping, Sequence

from handlers.ledger import Kind
from schemas.mt.alerts import ContactRow
from schemas.mt.common import Zone, yuan
from schemas.mt.wallets import FlowRow, ForewarnRow, PayRouteRow, WalletRow
from stores.mongo import Database
from stores.mt.alert_contacts import AlertContact, contacts_by_ids
from stores.mt.ledger import Flow
from stores.mt.wallets import Wallet

BIZ_TYPES = {
    Kind.USAGE: "pay",
    Kind.TRANSFER_OUT: "pay",
    Kind.RECHARGE: "recharge",
    Kind.TRANSFER_IN: "recharge",
    Kind.REFUND: "refund",
}
"""The contract knows three kinds of business: what a merged wallet had counts as recharged, where it went as paid."""
FEE_NAMES = {
    Kind.USAGE: "usage",
    Kind.RECHARGE: "recharge",
    Kind.REFUND: "refund",
    Kind.TRANSFER_IN: "from wallet",
    Kind.TRANSFER_OUT: "to wallet",
}

Contacts = Mapping[int, AlertContact]


async def contacts_of_wallets(database: Database, wallets: Sequence[Wallet]) -> Contacts:
    """By id, all that the wallets name. Raises StoreAway."""
    wanted = {contact for wallet in wallets for contact in wallet.contacts}
    return {contact.id: contact for contact in await contacts_by_ids(database, wanted)}


def wallet_row(wallet: Wallet, contacts: Contacts) -> WalletRow:
    threshold = wallet.forewarn_threshold_micro
    return WalletRow(
        id=wallet.wallet_id,
        user_id=wallet.user_id,
        account_name=wallet.account_name,
        account_type=wallet.account_type,
        is_default=wallet.is_default,
        state=wallet.state,
        balance=yuan(wallet.balance_micro),
        overdraft_state=wallet.overdraft_state,
        overdraft_quota=yuan(wallet.overdraft_quota_micro),
        forewarn_threshold=None if threshold is None else yuan(threshold),
        forewarn_contact_list=contact_rows(wallet, contacts),
        pay_route_list=[
            PayRouteRow(appcode=code, proper_scene_list=list(wallet.scenes)) for code in wallet.app_codes or ("",)
        ],
    )


def forewarn_row(wallet: Wallet, contacts: Contacts) -> ForewarnRow:
    threshold = wallet.forewarn_threshold_micro
    return ForewarnRow(
        wallet_id=wallet.wallet_id,
        balance=yuan(wallet.balance_micro),
        overdraft_state=wallet.overdraft_state,
        overdraft_quota=yuan(wallet.overdraft_quota_micro),
        forewarn_threshold=None if threshold is None else yuan(threshold),
        forewarn_contact_list=contact_rows(wallet, contacts),
    )


def contact_rows(wallet: Wallet, contacts: Contacts) -> list[ContactRow]:
    found = [contacts[number] for number in wallet.contacts if number in contacts]
    return [
        ContactRow(
            id=contact.id,
            linkman=contact.linkman,
            mobile=contact.mobile,
            email=contact.email,
            webhook=contact.webhook,
            is_default=contact.is_default,
        )
        for contact in found
    ]


def flow_row(flow: Flow, zone: Zone) -> FlowRow:
    """The amount of a day's usage is negative where more was given back for it than charged."""
    entry = flow.entry
    name = FEE_NAMES[entry.kind]
    time = zone.text(entry.at)
    return FlowRow(
        id=flow_number(entry.id),
        create_by=_user_in(entry.by),
        create_time=time,
        modify_time=time,
        wallet_id=entry.wallet_id,
        flow_no=entry.id,
        flow_type="in" if entry.credit == f"wallet/{entry.wallet_id}" else "out",
        biz_type=BIZ_TYPES[entry.kind],
        pay_method=entry.pay_method,
        business_no=entry.business_no or entry.day,
        fee_name=name if entry.other_wallet_id is None else f"{name} {entry.other_wallet_id}",
        flow_amount=yuan(entry.amount_micro),
        after_balance=yuan(flow.after_micro),
    )


def flow_number(entry_id: str) -> int:
    """A number for an entry, whose id is a text: the same always, exact in any client's JSON."""
    return int.from_bytes(hashlib.sha256(entry_id.encode()).digest()[:6])


def _user_in(by: str | None) -> int | None:
    """Of `operator/1` the 1."""
    number = "" if by is None else by.rpartition("/")[2]
    return int(number) if number.isascii() and number.isdigit() else None
