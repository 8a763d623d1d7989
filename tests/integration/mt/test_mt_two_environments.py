"""Two environments side by side: a change that is asked for in one is made in the other too."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from mt_api import SHARED_SECRET, Portals, serving, with_metering
from mt_products import CHECK_ITEM, a_product, a_source

from config.settings import PushSettings, Settings


@pytest.fixture(scope="module")
async def here(mt_settings: Settings, portals: Portals) -> AsyncIterator[Portals]:
    """Another environment, which takes the tests' one for its other."""
    there = {"url": str(portals.http._base_url), "token": "operator-token", "secret": SHARED_SECRET}
    settings = with_metering(mt_settings, other_environment=there)
    mongo = settings.mongo.model_copy(update={"database": settings.mongo.database + "b"})
    push = PushSettings.model_validate({"allow_networks": ["127.0.0.0/8"]})
    async with serving(settings.model_copy(update={"mongo": mongo, "push": push})) as portals_here:
        yield portals_here


async def of(portals: Portals, path: str, **query: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await portals.operator.ok(CHECK_ITEM + path, query))["results"]
    return found


async def test_a_product_is_added_edited_and_bundled_in_both(portals: Portals, here: Portals) -> None:
    for code in ("BOTH_PART", "BOTH"):
        body = {"checkItem": code, "itemName": "A", "price": 0.000001, "isFusion": code == "BOTH", "syncOtherEnv": True}
        await here.operator.ok(CHECK_ITEM + "add", body)
    (own,) = await of(here, "list", checkItemList=["BOTH"])
    await here.operator.ok(CHECK_ITEM + "edit", {"id": own["id"], "itemName": "B", "syncOtherEnv": True})
    parts = {"checkItem": "BOTH", "subItems": ["BOTH_PART"], "syncOtherEnv": True}
    await here.operator.ok(CHECK_ITEM + "saveDefaultSubItems", parts)

    for environment in (here, portals):
        (row,) = await of(environment, "list", checkItemList=["BOTH"])
        assert (row["itemName"], row["subItems"], str(row["price"])) == ("B", "BOTH_PART", "0.000001")


async def test_an_upstream_is_found_by_its_names_there_and_keeps_its_secret(portals: Portals, here: Portals) -> None:
    source = {"dataSourceName": "S", "dataSourceCode": "BOTH_SRC", "syncOtherEnv": True}
    await a_source(portals)
    await here.operator.ok(CHECK_ITEM + "datasource/save", source)
    await here.operator.ok(CHECK_ITEM + "add", {"checkItem": "BOTH_UP", "itemName": "A", "syncOtherEnv": True})
    upstream = {"service": "Demo", "checkItem": "BOTH_UP", "syncOtherEnv": True}
    new = {**upstream, "datasourceCode": "BOTH_SRC", "reqSecret": "hush", "cost": 1}
    await here.operator.ok(CHECK_ITEM + "upstream/save", new)
    (own,) = await of(here, "upstream/list", checkItem="BOTH_UP")

    edited = {**upstream, "id": own["id"], "dataSourceId": own["dataSourceId"], "cost": 2, "reqSecret": "******"}
    await here.operator.ok(CHECK_ITEM + "upstream/save", edited)

    (row,) = await of(portals, "upstream/list", checkItem="BOTH_UP")
    assert (row["dataSourceCode"], row["cost"], row["reqSecret"]) == ("BOTH_SRC", 2, "******")
    assert row["dataSourceId"] != own["dataSourceId"]


async def test_what_the_other_environment_refuses_is_not_changed_here(here: Portals) -> None:
    item = await a_product(here)  # not there

    answered = await here.operator.ask(CHECK_ITEM + "edit", {"itemCode": item, "itemName": "B", "syncOtherEnv": True})

    assert answered.code == 40919
    assert "40401" in answered.body["msg"]
    (row,) = await of(here, "list", checkItemList=[item])
    assert row["itemName"] == f"Product {item}"
