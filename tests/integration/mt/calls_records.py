"""The walk's calls of records and of the cache."""

from mt_api import MERCHANT, Portals
from mt_contract import Builder, Request
from usage_records import insert_record

from stores.mongo import open_database
from stores.mt.products import add_product
from stores.usage.personal import Personal

PERSON = {"name": "张三", "idCard": "110101199003070011", "mobile": "13800138000"}
UPSTREAM = [{"dataSourceCode": "S1", "costMicro": 1000, "time": 12, "reqParam": "{}", "response": "{}", "isFee": 1}]


async def a_record(portals: Portals) -> str:
    personal = Personal(portals.settings.metering.secrets_keys)
    async with open_database(portals.settings.mongo) as database:
        return await insert_record(
            database, personal, MERCHANT, **PERSON, finalSource="S1", resultCode=0, time=15, upstreamRecordList=UPSTREAM
        )


async def listed(portals: Portals) -> list[Request]:
    seq_no = await a_record(portals)
    return [Request({}), Request({"keyword": seq_no}), Request({"idCard": PERSON["idCard"], "isFee": 0, "success": 1})]


async def shown(portals: Portals) -> list[Request]:
    return [Request(params={"seqNo": await a_record(portals)})]


async def edited(portals: Portals) -> list[Request]:
    return [Request({"seqNo": await a_record(portals), "isFee": 1, "fee": 0.5, "resultMsg": "mended"})]


async def compensated(portals: Portals) -> list[Request]:
    return [Request({"seqNos": [await a_record(portals)]})]


async def templates_synced(_portals: Portals) -> list[Request]:
    return [Request({"userId": 21, "templateIds": [1, 2]}), Request({})]


async def a_product(portals: Portals, code: str = "CACHED") -> str:
    async with open_database(portals.settings.mongo) as database:
        if await database["products"].find_one({"_id": code}) is None:
            await add_product(database, code, {"name": "Cached"}, (await database.command("hello"))["localTime"])
    return code


async def cache_added(portals: Portals) -> list[Request]:
    code = await a_product(portals)
    entry = {"checkItem": code, **PERSON, "expireSeconds": 100_000, "encryptionType": 2, "cacheValue": "{}"}
    return [Request(entry), Request({**entry, "encryptionType": 3, "scene": "s"})]


async def cached(portals: Portals) -> str:
    """The key of an entry."""
    (request, _) = await cache_added(portals)
    await portals.operator.ok("/mt/crm/api/addCache", request.body)
    (entry,) = await portals.operator.ok("/mt/crm/api/cacheList", PERSON)
    return str(entry["cacheKey"])


async def cache_listed(portals: Portals) -> list[Request]:
    await cached(portals)
    return [Request(PERSON), Request({"checkItem": "CACHED"})]


async def cache_shown(portals: Portals) -> list[Request]:
    return [Request({"cacheKey": await cached(portals)})]


async def cache_edited(portals: Portals) -> list[Request]:
    return [Request({"cacheKey": await cached(portals), "expireSeconds": 60, "cacheValue": "[]"})]


CALLS: dict[str, Builder] = {
    "apiDataRecordList": listed,
    "apiDataRecordExport": listed,
    "apiDataRecordDetail": shown,
    "crmApiRecordList": listed,
    "crmApiRecordExport": listed,
    "crmApiRecordDetail": shown,
    "crmApiEditApiRecord": edited,
    "crmApiRetryDexMock": compensated,
    "crmApiHistoryRsTemplateSync": templates_synced,
    "crmApiCacheList": cache_listed,
    "crmApiCacheDetail": cache_shown,
    "crmApiAddCache": cache_added,
    "crmApiEditCache": cache_edited,
    "crmApiDeleteCache": cache_shown,
}
