"""The walk's calls of alerts and their contacts."""

from mt_api import Portals
from mt_contract import Builder, Request
from mt_products import a_grant, a_product, an_account

FOREWARN = "/mt/beeback/forewarn/"


async def a_contact(portals: Portals, **fields: object) -> int:
    """Its id."""
    sent = {"linkman": "Li", "mobile": "13812345678", "email": "li@example.com", **fields}
    await portals.customer.ok(FOREWARN + "addContacts", sent)
    return max(contact["id"] for contact in await portals.customer.get(FOREWARN + "queryAllContacts"))


async def a_watched_product(portals: Portals, contacts: list[int]) -> str:
    item = await a_granted_product(portals)
    body = {"checkItemList": [item], "periodSeconds": 60, "errorCount": 3, "contacts": contacts}
    await portals.customer.ok(FOREWARN + "configItem", body)
    return item


async def a_granted_product(portals: Portals) -> str:
    item = await a_product(portals)
    await a_grant(portals, await an_account(portals), item)
    return item


async def configured(portals: Portals) -> list[Request]:
    contact, item = await a_contact(portals), await a_granted_product(portals)
    return [Request({"checkItemList": [item], "periodSeconds": 60, "errorCount": 5, "contacts": [contact]})]


async def unwatched(portals: Portals) -> list[Request]:
    item = await a_watched_product(portals, [await a_contact(portals)])
    return [Request({"checkItemList": [item]}), Request({})]


async def listed(portals: Portals) -> list[Request]:
    await a_watched_product(portals, [await a_contact(portals)])
    await a_granted_product(portals)
    return [Request({}), Request({"queryForAdd": True})]


async def contacts(portals: Portals) -> list[Request]:
    await a_contact(portals, webhook="https://hooks.example.com/alerts?key=secret", isDefault=True)
    return [Request()]


async def added(_portals: Portals) -> list[Request]:
    return [
        Request({"linkman": "Li", "mobile": "13812345678", "isDefault": False}),
        Request({"linkman": "Robot", "webhook": "https://oapi.dingtalk.com/robot/send?access_token=abc"}),
    ]


async def deleted(portals: Portals) -> list[Request]:
    return [Request({"id": await a_contact(portals)})]


CALLS: dict[str, Builder] = {
    "forewarnConfigItem": configured,
    "forewarnDeleteItem": unwatched,
    "forewarnItemList": listed,
    "forewarnQueryAllContacts": contacts,
    "forewarnAddContacts": added,
    "forewarnDeleteContacts": deleted,
}
