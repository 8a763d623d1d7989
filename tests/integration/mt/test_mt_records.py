"""Call records and cached answers, as customers and operators see them."""

import json
from datetime import UTC, datetime, timedelta
from io import BytesIO
from itertools import chain
from typing import Any

import pytest
from mt_api import MERCHANT, OTHER_MERCHANT, Portals
from openpyxl import load_workbook
from usage_records import AT, insert_record
from yarl import URL

from gateway.file_links import Links
from handlers.usage.records import USAGE_RECORDS
from schemas.errors import Refused
from schemas.mt.codes import NOT_FOUND
from schemas.mt.record_codes import NOTHING_TO_COMPENSATE
from stores.mongo import Database
from stores.mt.products import add_product
from stores.usage.personal import Personal
from tests.integration.chat_api import eventually
from tests.integration.jobs_at_work import doing_jobs
from tests.integration.published import published

PERSON = {"name": "李四光", "idCard": "110101199003070022", "mobile": "13900139000"}


@pytest.fixture
def personal(portals: Portals) -> Personal:
    return Personal(portals.settings.metering.secrets_keys)


async def rows(portal: Any, path: str, **query: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await portal.ok(path, query))["results"]
    return found


OWN, ALL = "/mt/beeback/apiData/recordList", "/mt/crm/api/recordList"
COMPENSATE = "/mt/crm/api/retryDexMock"


async def test_a_customer_sees_own_records_alone_and_an_operator_all(
    portals: Portals, mt_database: Database, personal: Personal
) -> None:
    mine = await insert_record(mt_database, personal, MERCHANT, checkItem="SEEN")
    theirs = await insert_record(mt_database, personal, OTHER_MERCHANT, checkItem="SEEN")

    for portal, path, seen in (
        (portals.customer, OWN, {mine}),
        (portals.other, OWN, {theirs}),
        (portals.operator, ALL, {mine, theirs}),
    ):
        assert {row["seqNo"] for row in await rows(portal, path, itemCodeList=["SEEN"])} == seen
    refused = await portals.other.ask(f"/mt/beeback/apiData/recordDetail/{mine}", method="GET")
    assert (refused.status, refused.code) == (200, 40451)
    asked_for_others = await rows(portals.customer, OWN, deptIdList=[OTHER_MERCHANT * 10])
    assert asked_for_others == []


async def test_personal_data_is_masked_and_found_by_what_was_sent(
    portals: Portals, mt_database: Database, personal: Personal
) -> None:
    mine = await insert_record(mt_database, personal, MERCHANT, at=AT, **PERSON)

    (row,) = await rows(portals.customer, OWN, idCard=PERSON["idCard"], createDateGte="2026-01-01 00:00:00")

    assert row["seqNo"] == mine
    assert (row["name"], row["mobile"], row["idCard"]) == ("李**", "139****9000", "110***********0022")
    assert await rows(portals.customer, OWN, idCard="110101199003070023", createDateGte="2026-01-01") == []
    stored = repr(await mt_database["usage_records"].find_one({"_id": mine}))
    assert all(text not in stored for text in PERSON.values())


async def test_what_sources_did_is_for_operators(portals: Portals, mt_database: Database, personal: Personal) -> None:
    upstream = [{"dataSourceCode": "S9", "costMicro": 70, "reqParam": "asked", "response": "answered"}]
    mine = await insert_record(mt_database, personal, MERCHANT, finalSource="S9", upstreamRecordList=upstream)

    shown = await portals.operator.get(f"/mt/crm/api/recordDetail/{mine}")
    own = await portals.customer.get(f"/mt/beeback/apiData/recordDetail/{mine}")

    (call,) = shown["upstreamRecordList"]
    assert (call["dataSourceCode"], call["reqParam"], call["response"]) == ("S9", "asked", "answered")
    assert shown["finalSource"] == "S9"
    assert "S9" not in repr(own)


async def test_times_are_of_the_platforms_zone_and_ranges_include_their_ends(
    portals: Portals, mt_database: Database, personal: Personal
) -> None:
    for seconds in (0, 1, 2):
        await insert_record(mt_database, personal, MERCHANT, at=AT + timedelta(seconds=seconds), checkItem="TIMED")

    query = {"itemCodeList": ["TIMED"], "createDateGte": "2026-03-01 12:00:00", "createDateLte": "2026-03-01 12:00:01"}
    found = [row["createDate"] for row in await rows(portals.customer, OWN, **query)]

    assert found == ["2026-03-01 12:00:01", "2026-03-01 12:00:00"]
    assert len(await rows(portals.customer, OWN, **query | {"createDateLte": "2026-03-01"})) == 3


async def test_pages_cover_everything_once(portals: Portals, mt_database: Database, personal: Personal) -> None:
    wanted = [
        await insert_record(mt_database, personal, MERCHANT, at=AT + timedelta(minutes=number), checkItem="PAGED")
        for number in range(5)
    ]
    seen: list[str] = []
    for number in (1, 2, 3):
        page = await portals.customer.ok(OWN, {"itemCodeList": ["PAGED"], "pageNo": number, "pageSize": 2})
        assert (page["total"], page["hasNext"]) == (5, number < 3)
        seen += [row["seqNo"] for row in page["results"]]
    assert seen == wanted[::-1]
    whole = await portals.customer.ok(OWN, {"itemCodeList": ["PAGED"], "nonPage": True})
    assert [row["seqNo"] for row in whole["results"]] == seen


@pytest.mark.parametrize(
    "query",
    [
        {"pageSize": 0},
        {"pageNo": 10**9},
        {"createDateGte": "yesterday"},
        {"success": 2},
        {"itemCodeList": "P1"},
    ],
)
async def test_a_query_that_is_none_is_refused_in_the_envelope(portals: Portals, query: dict[str, Any]) -> None:
    refused = await portals.customer.ask(OWN, query)
    assert (refused.status, refused.code) == (400, 40001)
    assert refused.body["msg"]


async def test_an_edit_of_a_record_that_is_not_there_is_refused(portals: Portals) -> None:
    refused = await portals.operator.ask("/mt/crm/api/editApiRecord", {"seqNo": "none", "isFee": 0})
    assert (refused.status, refused.code) == (200, 40451)


async def test_a_cached_answer_is_kept_encrypted_found_changed_and_deleted(
    portals: Portals, mt_database: Database
) -> None:
    await add_product(mt_database, "KEPT", {"name": "Kept"}, AT)
    entry = {"checkItem": "KEPT", **PERSON, "expireSeconds": 90_061, "encryptionType": 3, "cacheValue": "the answer"}
    api, portal = "/mt/crm/api", portals.operator
    await portal.ok(f"{api}/addCache", entry)

    (listed,) = await portal.ok(f"{api}/cacheList", {**PERSON, "encryptionType": 3})
    assert listed["itemName"] == "Kept"
    assert listed["expireSecondsDesc"].startswith("1 d 01:0")
    assert "cacheValue" not in listed
    key = {"cacheKey": listed["cacheKey"]}
    assert (await portal.ok(f"{api}/cacheDetail", key))["cacheValue"] == "the answer"
    assert "the answer" not in repr(await mt_database["mt_api_cache"].find_one({"_id": listed["cacheKey"]}))

    await portal.ok(f"{api}/editCache", {**key, "expireSeconds": 60, "cacheValue": ""})
    changed = await portal.ok(f"{api}/cacheDetail", key)
    assert changed["cacheValue"] == "the answer"
    assert changed["expireSeconds"] <= 60

    await portal.ok(f"{api}/deleteCache", key)
    for call in ("cacheDetail", "deleteCache"):
        assert (await portal.ask(f"{api}/{call}", key)).code == 40452


async def test_an_export_is_a_workbook_of_what_its_caller_may_see(
    portals: Portals, mt_database: Database, personal: Personal
) -> None:
    for number in range(3):
        at = AT + timedelta(seconds=number)
        await insert_record(mt_database, personal, MERCHANT, at=at, checkItem="EXPORTED", resultMsg="=1+1", **PERSON)
    await insert_record(mt_database, personal, OTHER_MERCHANT, checkItem="EXPORTED")

    link = await portals.customer.ok("/mt/beeback/apiData/recordExport", {"itemCodeList": ["EXPORTED"]})
    link = link.removeprefix(portals.settings.files.public_url)
    early = await portals.nobody.ask(link, method="GET")
    assert early.status == 404
    async with doing_jobs(portals.settings):
        made = await eventually(lambda: _downloaded(portals, link))

    # Who comes for it later has this link and no other.
    links, sent = Links(portals.settings.files), URL(link)
    links.check(sent.name, sent.query, datetime.now(UTC) + timedelta(hours=2))
    links.check(sent.name, sent.query, datetime.now(UTC) + timedelta(days=6, hours=23))
    with pytest.raises(Refused):
        links.check(sent.name, sent.query, datetime.now(UTC) + timedelta(days=7))

    titles, *table = load_workbook(BytesIO(made), read_only=True).active.values
    told = [dict(zip(titles, row, strict=True)) for row in table]
    assert [row["createDate"] for row in told] == [f"2026-03-01 12:00:0{number}" for number in range(3)]
    assert {(row["name"], row["resultMsg"], row["deptId"]) for row in told} == {("李**", "=1+1", MERCHANT * 10)}
    assert "finalSource" not in titles


async def _downloaded(portals: Portals, link: str) -> bytes | None:
    answer = await portals.nobody.ask(link, method="GET")
    return answer.raw if answer.status == 200 else None


async def test_calls_that_are_named_are_rated_again_in_the_order_of_the_log(
    portals: Portals, mt_database: Database, personal: Personal
) -> None:
    # By their numbers they are the other way round.
    calls = [await insert_record(mt_database, personal, MERCHANT, seqNo=f"named-{3 - number}") for number in range(3)]
    unknown = {"seqNos": ["none-of-these"]}

    await portals.operator.ok(COMPENSATE, {"seqNos": [calls[1], calls[2], calls[0], calls[1]]})

    assert await _asked_again(portals, calls[0]) == [calls]
    assert (await portals.operator.ask(COMPENSATE, unknown)).code == NOTHING_TO_COMPENSATE


async def test_all_calls_of_a_customer_are_rated_again_in_the_order_of_the_log_however_many(
    portals: Portals, mt_database: Database
) -> None:
    merchant, user, count = 7_700, 7_701, 10_250
    await mt_database["mt_customers"].insert_one({"_id": merchant, "user_id": user})
    # In the store the other way round than in the log.
    await mt_database[USAGE_RECORDS].insert_many(
        {
            "_id": f"many-{number:06}",
            "merchant_id": merchant,
            "dept_id": merchant * 10 + number % 2,
            "state": "unrated",
            "created_at": AT,
            "origin": {"fence": "test", "offset": 10**6 - number},
        }
        for number in range(count)
    )

    await portals.operator.ok(COMPENSATE, {"userId": user})

    async with doing_jobs(portals.settings):
        wanted = [f"many-{number:06}" for number in reversed(range(count))]

        async def asked_for_all() -> bool:
            found = await _asked_again(portals, "many-")
            return len(list(chain(*found))) == count

        await eventually(asked_for_all)
    found = list(chain(*await _asked_again(portals, "many-")))
    for account in (0, 1):
        own = [seq_no for seq_no in wanted if int(seq_no[-6:]) % 2 == account]
        assert [seq_no for seq_no in found if int(seq_no[-6:]) % 2 == account] == own
    assert (await portals.operator.ask(COMPENSATE, {"userId": 1})).code == NOT_FOUND


async def _asked_again(portals: Portals, about: str) -> list[list[str]]:
    """The calls of each request, as the requests were published."""
    events = await published(portals.settings.kafka)
    asked = [event for event in events if event.type == "usage.rerate.requested" and about.encode() in event.data]
    return [json.loads(event.data)["seqNos"] for event in asked]
