"""Alerts by the client console: rules, contacts, and what of a contact is shown."""

from calls_alerts import FOREWARN, a_contact, a_granted_product, a_watched_product
from mt_api import MERCHANT, Portals

from schemas.mt.alert_codes import LAST_CONTACT, NO_DEFAULT_CONTACT
from schemas.mt.codes import BAD_FIELD, NOT_FOUND
from stores.endpoints import Endpoints, Which
from stores.mongo import Database
from stores.mt.alert_contacts import recipient_of
from stores.preferences import preferences_of
from stores.vault import Vault


async def shown(portals: Portals, contact: int) -> dict[str, object]:
    return next(each for each in await portals.customer.get(FOREWARN + "queryAllContacts") if each["id"] == contact)


async def rule_of(portals: Portals, item: str) -> dict[str, object]:
    return next(each for each in await portals.customer.ok(FOREWARN + "itemList", {}) if each["checkItem"] == item)


async def test_a_contact_is_a_recipient_of_pushes_by_all_its_ways(portals: Portals, mt_database: Database) -> None:
    webhook = "https://oapi.dingtalk.com/robot/send?access_token=abcdefgh"
    contact = await a_contact(portals, mobile="138 1234 5678", email="li@example.com", webhook=webhook)

    endpoints = Endpoints(mt_database, Vault(portals.settings.push.secrets_keys))
    ways = {each.channel: each.url for each in await endpoints.page(Which(owner=recipient_of(contact)))}
    preferences = (await preferences_of(mt_database, [recipient_of(contact)]))[recipient_of(contact)]

    assert ways == {"dingtalk": webhook, "sms": "tel:13812345678"}
    assert preferences.email == "li@example.com"


async def test_keys_of_webhooks_are_shown_masked_and_kept_where_they_are_sent_back_so(
    portals: Portals, mt_database: Database
) -> None:
    contact = await a_contact(portals, mobile="13812345678", webhook="https://hooks.example.com/a?key=secret")
    before = await shown(portals, contact)
    assert (before["mobile"], before["webhook"]) == ("13812345678", "https://hooks.example.com/a?…")

    await portals.customer.ok(FOREWARN + "addContacts", {**before, "linkman": "Wang"})

    assert await shown(portals, contact) == {**before, "linkman": "Wang"}
    endpoints = Endpoints(mt_database, Vault(portals.settings.push.secrets_keys))
    urls = {each.url for each in await endpoints.page(Which(owner=recipient_of(contact)))}
    assert urls == {"tel:13812345678", "https://hooks.example.com/a?key=secret"}
    kept = await mt_database["alert_contacts"].find_one({"_id": contact})
    assert kept is not None
    assert "13812345678" not in str(kept)


async def test_a_way_that_is_changed_or_left_out_is_used_no_more(portals: Portals, mt_database: Database) -> None:
    contact = await a_contact(portals, mobile="13812345678", webhook="https://hooks.example.com/a")

    await portals.customer.ok(
        FOREWARN + "addContacts", {"id": contact, "linkman": "Li", "webhook": "https://hooks.example.com/b"}
    )

    endpoints = Endpoints(mt_database, Vault(portals.settings.push.secrets_keys))
    assert [each.url for each in await endpoints.page(Which(owner=recipient_of(contact)))] == [
        "https://hooks.example.com/b"
    ]


async def test_a_contact_needs_a_way_and_ways_that_can_be_used(portals: Portals) -> None:
    for sent in (
        {"linkman": "nobody"},
        {"mobile": "call me"},
        {"email": "not an address"},
        {"webhook": "ftp://example.com"},
        {"mobile": "138****0000"},
    ):
        answered = await portals.customer.ask(FOREWARN + "addContacts", sent)
        assert answered.code == BAD_FIELD, sent
        assert "not an address" not in answered.body["msg"]


async def test_one_contact_is_the_default_one_and_is_told_where_none_is_named(portals: Portals) -> None:
    item = await a_granted_product(portals)
    body = {"checkItemList": [item], "periodSeconds": 60, "errorCount": 3, "contacts": []}
    others = await a_contact(portals, isDefault=False)
    for each in await portals.customer.get(FOREWARN + "queryAllContacts"):
        if each["isDefault"]:
            await portals.customer.ok(FOREWARN + "addContacts", {**each, "isDefault": False})
    assert (await portals.customer.ask(FOREWARN + "configItem", body)).code == NO_DEFAULT_CONTACT

    first, second = await a_contact(portals, isDefault=True), await a_contact(portals, isDefault=True)
    await portals.customer.ok(FOREWARN + "configItem", body)

    assert [each["id"] for each in (await rule_of(portals, item))["contactList"]] == [second]
    assert (await shown(portals, first))["isDefault"] is False
    assert (await shown(portals, others))["isDefault"] is False


async def test_a_contact_goes_out_of_alerts_and_wallets_but_not_the_last_one(
    portals: Portals, mt_database: Database
) -> None:
    stays, goes = await a_contact(portals), await a_contact(portals)
    item = await a_watched_product(portals, [stays, goes])
    wallet = {"_id": 900_001, "merchant_id": MERCHANT, "account_name": "Main", "contacts": [goes, stays]}
    await mt_database["wallets"].insert_one(wallet)

    await portals.customer.ok(FOREWARN + "deleteContacts", {"id": goes})
    refused = await portals.customer.ask(FOREWARN + "deleteContacts", {"id": stays})

    assert [each["id"] for each in (await rule_of(portals, item))["contactList"]] == [stays]
    kept = await mt_database["wallets"].find_one({"_id": 900_001})
    assert kept is not None
    assert kept["contacts"] == [stays]
    assert (refused.status, refused.code) == (200, LAST_CONTACT)
    assert item in refused.body["msg"]


async def test_another_customer_sees_and_touches_nothing_of_it(portals: Portals) -> None:
    contact = await a_contact(portals)
    item = await a_watched_product(portals, [contact])

    assert contact not in [each["id"] for each in await portals.other.get(FOREWARN + "queryAllContacts")]
    assert item not in [each["checkItem"] for each in await portals.other.ok(FOREWARN + "itemList", {})]
    changed = await portals.other.ask(FOREWARN + "addContacts", {"id": contact, "email": "a@example.com"})
    gone = await portals.other.ask(FOREWARN + "deleteContacts", {"id": contact})
    configured = await portals.other.ask(
        FOREWARN + "configItem",
        {"checkItemList": [item], "periodSeconds": 60, "errorCount": 3, "contacts": [contact]},
    )
    assert [changed.code, gone.code, configured.code] == [NOT_FOUND] * 3
    await portals.other.ok(FOREWARN + "deleteItem", {"checkItemList": [item]})
    assert await rule_of(portals, item)


async def test_an_alert_set_again_replaces_the_one_before_it(portals: Portals) -> None:
    contact = await a_contact(portals)
    item = await a_watched_product(portals, [contact])

    await portals.customer.ok(
        FOREWARN + "configItem",
        {"checkItemList": [item], "periodSeconds": 120, "errorCount": 9, "contacts": [contact]},
    )

    rule = await rule_of(portals, item)
    assert (rule["periodSeconds"], rule["errorCount"]) == (120, 9)
    free = await portals.customer.ok(FOREWARN + "itemList", {"queryForAdd": True})
    assert item not in [each["checkItem"] for each in free]
