"""The rater on a real broker and store: from a reported call to its record, totals, wallet and alerts."""

import json
from base64 import b64encode
from datetime import datetime
from typing import Any

import msgspec
import pytest

from config.settings import Settings
from config.topics import TOPICS, Topic
from handlers.letters import COLLECTION, record_of
from schemas.letter import DeadLettered
from schemas.usage import UsageCorrected
from stores.collections import ensure_indexes
from stores.mongo import Database
from stores.usage.audit import audit_usage
from stores.usage.personal import Personal
from stores.usage.unrated import unrated_groups
from stores.vault import Vault
from streams.cluster import Cluster
from tests.integration.chat_api import an_event, eventually, folding, publish
from tests.integration.command import Fanfold
from tests.integration.published import published
from tests.integration.usage.world import DEPT, WALLET, a_call, grant, open_account, rating, recorded, with_keys


@pytest.fixture
async def metering(settings: Settings, synced: tuple[Topic, ...], database: Database) -> Settings:
    await ensure_indexes(database)
    await open_account(database, balance_micro=1_000_000)
    return with_keys(settings)


async def one(database: Database, collection: str, key: str) -> dict[str, Any]:
    return await database[collection].find_one({"_id": key}) or {}


def command(settings: Settings) -> Fanfold:
    keys = [key.get_secret_value() for key in settings.metering.secrets_keys]
    return Fanfold(settings, FANFOLD_METERING__SECRETS_KEYS=json.dumps(keys))


async def test_calls_become_records_totals_and_charges_each_once(metering: Settings, database: Database) -> None:
    await grant(database, "id", 300, free_count=2)
    calls = [a_call("id", tag="north") for _ in range(5)]
    late = a_call("id", tag="north", createDate="2026-02-28 23:59:59")
    missed = a_call("id", tag="north", success=0, resultCode=404)
    again = msgspec.structs.replace(calls[0], id="another event of the same call")
    async with rating(metering):
        await publish(metering, *calls, calls[3], again, late, missed)
        await recorded(database, 7)

        async def dropped() -> bool:
            return not (await audit_usage(database)).differences

        await eventually(dropped)

    march = await one(database, "cust_daily", f"{DEPT}/id/north/2026-03-01")
    assert {name: march[name] for name in ("count", "success", "free", "charged", "fee_micro")} == {
        "count": 6,
        "success": 5,
        "free": 2,
        "charged": 4,
        "fee_micro": 1_200,
    }
    assert (await one(database, "cust_monthly", f"{DEPT}/id/north/2026-02"))["fee_micro"] == 300
    assert (await one(database, "cust_hourly", f"{DEPT}/id/north/2026-02-28 23"))["count"] == 1
    assert (await one(database, "free_usage", f"{DEPT}/id"))["used"] == 2
    assert (await one(database, "wallets", str(WALLET)))["balance_micro"] == 1_000_000 - 5 * 300
    entry = await one(database, "ledger", f"usage/{WALLET}/2026-03-01")
    assert (entry["debit"], entry["credit"], entry["amount_micro"]) == (f"wallet/{WALLET}", "revenue/usage", 1_200)
    assert entry["at"].isoformat() == "2026-03-01T15:59:59.999000+00:00"
    [failed] = [event for event in await published(metering.kafka) if event.type == "usage.failed"]
    assert (failed.subject, json.loads(failed.data)["resultCode"]) == (f"{DEPT}/id", 404)


async def test_personal_data_is_kept_masked_sealed_and_hashed_and_not_in_the_clear(
    metering: Settings, database: Database
) -> None:
    await grant(database, "id", 1)
    upstream = [{"dataSourceCode": "north", "reqParam": "mobile=13800001111", "response": "ok"}]
    call = a_call(
        "id", name="Ada Lovelace", idCard="110101199001011234", mobile="13800001111", upstreamRecordList=upstream
    )
    async with rating(metering):
        await publish(metering, call)
        [record] = await recorded(database, 1)

    assert (record["name"], record["id_card"], record["mobile"]) == (
        "A***********",
        "110***********1234",
        "138****1111",
    )
    assert not any(secret in repr(record) for secret in ("Lovelace", "19900101", "13800001111"))
    personal = Personal(metering.metering.secrets_keys)
    opened = personal.open(record)
    assert (opened.name, opened.mobile) == ("Ada Lovelace", "13800001111")
    assert opened.upstream[0]["req_param"] == "mobile=13800001111"
    assert record["hashes"]["mobile"] in personal.hashes("mobile", "13800001111")


async def test_a_call_without_a_price_is_rated_after_the_repair_as_it_would_have_been(
    metering: Settings, database: Database
) -> None:
    async with rating(metering):
        await publish(metering, *[a_call("face") for _ in range(3)])
        await recorded(database, 3)
        [unrated] = await unrated_groups(database, {"dept_id": DEPT})
        assert (unrated.item, unrated.reason, unrated.count) == ("face", "no_price", 3)

        await grant(database, "face", 500, free_count=1)
        assert (await command(metering)("usage", "rerate", "--json", "--item", "face")).json == {"asked": 3}

        async def charged() -> bool:
            return (await one(database, "wallets", str(WALLET)))["balance_micro"] == 1_000_000 - 2 * 500

        await eventually(charged)

    day = await one(database, "cust_daily", f"{DEPT}/face//2026-03-01")
    assert (day["count"], day["unrated"], day["free"], day["charged"], day["fee_micro"]) == (3, 0, 1, 2, 1_000)
    assert await unrated_groups(database, {}) == []
    assert (await audit_usage(database)).differences == []


async def test_a_correction_changes_the_record_and_only_the_difference_of_what_it_added(
    metering: Settings, database: Database
) -> None:
    await grant(database, "id", 300)
    calls = [a_call("id", seqNo=f"s{number}") for number in range(3)]
    correction = UsageCorrected(seq_no="s1", dept_id=DEPT, by=5, is_fee=0, result_msg="waived", tag="gift")
    event = an_event("usage.corrected", str(DEPT), msgspec.to_builtins(correction))
    async with rating(metering):
        await publish(metering, *calls, event, event)
        await recorded(database, 3)

        async def corrected() -> bool:
            return bool((await one(database, "cust_daily", f"{DEPT}/id/gift/2026-03-01")).get("count"))

        await eventually(corrected)

        async def settled() -> bool:
            return not (await audit_usage(database)).differences

        await eventually(settled)

    record = await one(database, "usage_records", "s1")
    assert (record["state"], record["tag"], record["result_msg"], record["revision"]) == (
        "uncharged",
        "gift",
        "waived",
        1,
    )
    assert isinstance(record["changes"][0]["at"], datetime)
    day = await one(database, "cust_daily", f"{DEPT}/id//2026-03-01")
    assert (day["count"], day["fee_micro"]) == (2, 600)
    assert (await one(database, "ledger", f"usage/{WALLET}/2026-03-01"))["amount_micro"] == 600


async def test_a_correction_of_a_call_that_nobody_reported_is_set_aside(
    metering: Settings, database: Database, cluster: Cluster
) -> None:
    correction = UsageCorrected(seq_no="unheard-of", dept_id=DEPT, by=5, is_fee=0)
    async with rating(metering):
        await publish(metering, an_event("usage.corrected", str(DEPT), msgspec.to_builtins(correction)))

        async def committed() -> bool:
            return not any(lag.behind for lag in await cluster.lag(TOPICS) if lag.topic.endswith("usage"))

        await eventually(committed)

    [letter] = [event for event in await published(metering.kafka) if event.type == "event.dead-lettered"]
    assert json.loads(letter.data)["reason"] == "unknown_record"


async def test_of_a_call_that_cannot_be_read_nobody_reads_the_person(metering: Settings, database: Database) -> None:
    fields = {"seqNo": "s", "deptId": "none", "name": "Zhang San", "idCard": "110101199003070011"}
    broken = an_event("usage.recorded", str(DEPT), fields)
    async with rating(metering), folding(metering):
        await publish(metering, broken)
        letter = await eventually(lambda: database[COLLECTION].find_one({}))

    kept = msgspec.convert(letter["letter"], DeadLettered)
    sent = [event for event in await published(metering.kafka) if event.type == "event.dead-lettered"]
    for text in ("Zhang", "110101199003070011", b64encode(broken.data).decode()):
        assert text not in repr(letter)
        assert text not in repr(sent)
    vault = Vault(metering.metering.secrets_keys)
    assert json.loads(record_of(kept, vault.unseal).value or b"") == fields

    shown = await command(metering)("dead-letters", "show", letter["_id"].partition("/")[2])
    assert (shown.status, "sealed" in shown.out, "Zhang" in shown.out) == (0, True, False)
    replayed = await command(metering)("dead-letters", "replay", letter["_id"].partition("/")[2])
    assert replayed.status == 0, replayed
    again = [event for event in await published(metering.kafka) if event.type == "usage.recorded"]
    assert [json.loads(event.data) for event in again] == [fields, fields]


async def test_an_audit_finds_what_somebody_changed_by_hand(metering: Settings, database: Database) -> None:
    await grant(database, "id", 300)
    async with rating(metering):
        await publish(metering, a_call("id"), a_call("id"))
        await recorded(database, 2)
    await database["cust_daily"].update_many({}, {"$inc": {"fee_micro": 1}})

    audited = await command(metering)("audit", "usage", "--json")

    assert audited.status == 1
    [difference] = audited.json["differences"]
    assert (difference["written"]["fee_micro"], difference["counted"]["fee_micro"]) == (601, 600)
