"""The walk's calls of single tests and batch tasks."""

from collections.abc import Mapping
from typing import Any

import aiohttp
from chat_api import eventually
from mt_api import Portals
from mt_contract import Builder, Request
from mt_products import a_grant, a_product, an_account
from product_server import APP_SECRET

from stores.mongo import open_database
from stores.mt.price_book import ACCOUNTS
from stores.vault import Vault
from tests.integration.jobs_at_work import doing_jobs

API_TASK = "/mt/beeback/apiTask/"
SAMPLE = "name,idCard\nLi Lei,110101199003070011\nHan Meimei,110101199003070022\n"


async def a_callable_product(portals: Portals) -> str:
    """Granted to an account that has a secret."""
    item, dept_id = await a_product(portals), await an_account(portals)
    async with open_database(portals.settings.mongo) as database:
        secret = Vault(portals.settings.metering.secrets_keys).encrypt(APP_SECRET)
        await database[ACCOUNTS].update_one({"_id": dept_id}, {"$set": {"secret": secret}})
    await a_grant(portals, dept_id, item)
    return item


def form(sample: str | bytes = SAMPLE, name: str = "sample.csv") -> aiohttp.FormData:
    content = sample.encode() if isinstance(sample, str) else sample
    data = aiohttp.FormData()
    data.add_field("file", content, filename=name, content_type="application/octet-stream")
    return data


def query(item: str, **fields: str) -> Mapping[str, str]:
    return {"taskName": f"Task of {item}", "checkItem": item, "encryptionType": "1", "saveAsDraft": "false", **fields}


async def a_task(portals: Portals, sample: str | bytes = SAMPLE, item: str | None = None, **fields: str) -> int:
    """Its id; a draft, unless it is said otherwise."""
    item = item or await a_callable_product(portals)
    asked = query(item, **{"saveAsDraft": "true", **fields})
    await portals.customer.ok(API_TASK + "submitBatch", query=asked, form=form(sample))
    return int((await tasks_of(portals, item))[0]["id"])


async def tasks_of(portals: Portals, item: str) -> list[dict[str, Any]]:
    page = await portals.customer.ok(API_TASK + "taskList", {"checkItem": item})
    return list(page["results"])


async def a_finished_task(portals: Portals, sample: str | bytes = SAMPLE, **fields: str) -> dict[str, Any]:
    """As the list shows it."""
    item = await a_callable_product(portals)
    await a_task(portals, sample, item, saveAsDraft="false", **fields)

    async def finished() -> dict[str, Any] | None:
        [task] = await tasks_of(portals, item)
        return task if task["state"] == 30 else None

    async with doing_jobs(portals.settings):
        task: dict[str, Any] = await eventually(finished)
    return task


async def tried(portals: Portals) -> list[Request]:
    item = await a_callable_product(portals)
    return [Request({"checkItem": item, "params": {"name": "Li Lei", "idCard": "110101199003070011"}})]


async def submitted(portals: Portals) -> list[Request]:
    item = await a_callable_product(portals)
    return [Request(query=query(item), form=form()), Request(query=query(item, saveAsDraft="true"), form=form())]


async def listed(portals: Portals) -> list[Request]:
    await a_finished_task(portals)
    await a_task(portals)
    return [Request({}), Request({"pageNo": 1, "pageSize": 5, "keyword": "Task of"})]


async def executed(portals: Portals) -> list[Request]:
    task = await a_task(portals)
    return [Request({"id": task}), Request({"id": task})]


async def deleted(portals: Portals) -> list[Request]:
    return [Request({"id": await a_task(portals)})]


async def downloaded(portals: Portals) -> list[Request]:
    return [Request({"id": (await a_finished_task(portals))["id"]})]


CALLS: dict[str, Builder] = {
    "apiTaskTest": tried,
    "apiTaskSubmitBatch": submitted,
    "apiTaskTaskList": listed,
    "apiTaskExecute": executed,
    "apiTaskDelete": deleted,
    "apiTaskDownloadResult": downloaded,
}
