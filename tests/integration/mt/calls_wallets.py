"""The walk's calls of wallets, by customers and operators."""

from datetime import UTC, datetime
from typing import Any

from mt_api import MERCHANT, Portals
from mt_contract import Builder, Request

from schemas.merchant import MerchantSynced
from stores.mongo import open_database
from stores.mt.customers import keep_merchant


async def a_wallet(portals: Portals, **limits: Any) -> int:
    """A wallet of the walking customer, reserved for no app; its number."""
    async with open_database(portals.settings.mongo) as database:
        await keep_merchant(database, MerchantSynced(merchant_id=MERCHANT, name="Walkers"), datetime.now(UTC))
    before = await numbers(portals)
    await portals.operator.ok("/mt/crm/customer/wallet/add", {"merchantId": MERCHANT, "appcode": "", **limits})
    (added,) = await numbers(portals) - before
    return added


async def numbers(portals: Portals) -> set[int]:
    return {wallet["id"] for wallet in await portals.operator.ok(*listing())}


def listing() -> tuple[str, dict[str, int]]:
    return "/mt/crm/customer/wallet/list", {"merchantId": MERCHANT}


async def listed_own(portals: Portals) -> list[Request]:
    await a_wallet(portals, overdraftState=10, overdraftQuota=100.5, forewarnThreshold=20)
    return [Request({})]


async def listed(portals: Portals) -> list[Request]:
    await a_wallet(portals)
    return [Request({"merchantId": MERCHANT})]


async def flows(portals: Portals) -> list[Request]:
    wallet = await a_wallet(portals)
    times = {"createTimeGte": "2026-01-01 00:00:00", "createTimeLte": "2026-12-31"}
    asked = {"assignWalletId": wallet}
    return [
        Request(asked),
        Request({**asked, "flowType": "in", "bizTypeList": ["bizPay", "recharge", "refund"], **times}),
        Request({**asked, "flowType": "out", "nonPage": True}),
    ]


async def recharged(portals: Portals) -> list[Request]:
    wallet = await a_wallet(portals)
    return [Request({"walletId": wallet, "rechargeAmount": 99.99, "payMethod": "wechat", "applyAppType": "pc"})]


async def asked(portals: Portals) -> list[Request]:
    return [Request({"walletId": await a_wallet(portals)}), Request({})]


async def configured(portals: Portals) -> list[Request]:
    wallet = await a_wallet(portals)
    return [Request({"walletId": wallet, "forewarnThreshold": 12.5, "forewarnContactList": []})]


async def added(portals: Portals) -> list[Request]:
    await a_wallet(portals)
    wallet = {"merchantId": MERCHANT, "appcode": f"app-{len(await numbers(portals))}", "properSceneList": ["s"]}
    return [Request({**wallet, "overdraftState": 20, "overdraftQuota": 0, "forewarnContactList": []})]


async def edited(portals: Portals) -> list[Request]:
    wallet = await a_wallet(portals)
    return [Request({"walletId": wallet, "overdraftState": -1}), Request({"walletId": wallet, "overdraftState": 0})]


async def merged(portals: Portals) -> list[Request]:
    away, into = await a_wallet(portals), await a_wallet(portals)
    return [Request({"merchantId": MERCHANT, "fromWalletId": away, "toWalletId": into})]


async def recharged_by_hand(portals: Portals) -> list[Request]:
    request = {"merchantId": MERCHANT, "walletId": await a_wallet(portals), "rechargeAmount": 1.000001}
    return [Request({**request, "sendSms": True}), Request({**request, "confirmed": True})]


CALLS: dict[str, Builder] = {
    "walletList": listed_own,
    "walletFlowList": flows,
    "walletApplyRecharge": recharged,
    "walletQueryWallet": asked,
    "walletConfigWallet": configured,
    "crmCustomerWalletList": listed,
    "crmCustomerWalletFlowList": flows,
    "crmCustomerWalletAdd": added,
    "crmCustomerWalletEdit": edited,
    "crmCustomerWalletMerge": merged,
    "crmCustomerWalletRecharge": recharged_by_hand,
}
