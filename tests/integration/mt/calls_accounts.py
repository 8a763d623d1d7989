"""The walk's calls of sessions, developer accounts, contracts and the console's home page."""

from datetime import UTC, datetime, timedelta

from mt_api import MERCHANT, Portals
from mt_contract import Builder, Request

from stores.mongo import open_database
from stores.mt.contracts import CONTRACTS
from stores.vault import Vault

CONTRACT_NO = "C-2026-1"


async def with_account(portals: Portals) -> list[Request]:
    """One in production; that there is one already is as well."""
    await portals.customer.ask("/mt/beeback/dept/applyDeveloper", {"env": "prod"})
    return [Request(query={"mustRefresh": "true"}), Request()]


async def shown_accounts(portals: Portals) -> list[Request]:
    await with_account(portals)
    return [Request({"env": "prod"}), Request({"env": "prod"})]


async def white_listed(portals: Portals) -> list[Request]:
    await with_account(portals)
    return [Request({"enable": True, "ipList": "10.0.0.1, 192.168.0.0/16,::1"}), Request({"enable": False})]


async def applied(_: Portals) -> list[Request]:
    return [Request({"env": "test"})]


async def a_contract(portals: Portals) -> None:
    now = datetime.now(UTC)
    vault = Vault(portals.settings.metering.secrets_keys)
    contract = {
        "id": 1,
        "merchant_id": MERCHANT,
        "name": "Frame contract",
        "user_id": 21,
        "state": 5,
        "items": ["PHONE"],
        "signer_mobile": vault.encrypt("13800138000"),
        "sign_url": "https://sign.example/1",
        "sign_until": now + timedelta(days=7),
        "created_at": now,
    }
    async with open_database(portals.settings.mongo) as database:
        await database[CONTRACTS].update_one({"_id": CONTRACT_NO}, {"$set": contract}, upsert=True)


async def contracts(portals: Portals) -> list[Request]:
    await a_contract(portals)
    narrow = {"keyword": "frame", "stateList": [5], "excludeStateList": [9], "createDateGte": "2026-01-01"}
    return [Request({}), Request(narrow)]


async def to_sign(portals: Portals) -> list[Request]:
    await a_contract(portals)
    return [Request(params={"contractNo": CONTRACT_NO})]


async def resent(portals: Portals) -> list[Request]:
    await a_contract(portals)
    return [Request({"contractNo": CONTRACT_NO})]


async def home(portals: Portals) -> list[Request]:
    await with_account(portals)
    return [Request()]


CALLS: dict[str, Builder] = {
    "deptQuerySession": with_account,
    "deptDeveloperInfo": shown_accounts,
    "deptSaveWhiteIpList": white_listed,
    "deptApplyDeveloper": applied,
    "deptContractList": contracts,
    "deptContractGetSignInfo": to_sign,
    "deptContractResendSms": resent,
    "indexCoreStatistics": home,
}
