"""What has become of the traffic: read from the documents, the APIs and the metrics."""

import asyncio
from collections import Counter
from contextlib import suppress
from datetime import datetime

import aiohttp
import msgspec
import orjson
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from config.topics import TOPICS
from handlers.im.conversations import MESSAGES
from handlers.usage.records import USAGE_RECORDS
from handlers.usage.totals import CUST_DAILY
from schemas.delivery import OPEN
from stores.collections import DELIVERIES
from stores.mongo import Database
from streams.cluster import Cluster
from workers.demo.expected import BANNED, World
from workers.demo.messages import TALKERS, UNREAD, path_of
from workers.demo.preparing import operate
from workers.demo.receiver import Receiver
from workers.demo.sending import ask
from workers.demo.traffic import OK, OPERATORS_TOKEN
from workers.demo.usage import MERCHANTS, MICRO

SETTLED_SECONDS = 120.0
LIFTED_SECONDS = 20.0


class Panel(msgspec.Struct):
    """What the chat API itself says."""

    accounts: int
    online: int
    banned: int
    login_log: int


async def settled(cluster: Cluster, database: Database) -> None:
    """Return once everything published is folded and delivered, and what that emitted. Raises TimeoutError."""
    async with asyncio.timeout(SETTLED_SECONDS):
        before = -1
        while True:
            lags = await cluster.lag(TOPICS)
            ends = sum(lag.end for lag in lags)
            # Twice without lag and without anything new in between: folding may have emitted events meanwhile.
            if not any(lag.behind for lag in lags) and not await _undelivered(database):
                if ends == before:
                    return
                before = ends
            await asyncio.sleep(0.1)


async def _undelivered(database: Database) -> int:
    return await database[DELIVERIES].count_documents({"state": {"$in": [state.value for state in OPEN]}})


async def see(
    http: aiohttp.ClientSession, metrics_url: str, database: Database, receiver: Receiver, now: datetime
) -> World:
    metrics = await read_metrics(http, metrics_url)
    outcomes = by_label(metrics, "fanfold_gateway_requests", "outcome")
    return World(
        accounts=await _accounts(database, now),
        login_log=await database["login_log"].count_documents({}),
        detections=await database["detections"].count_documents({}),
        unread={inbox["_id"]: inbox["unread"] async for inbox in database["inboxes"].find({})},
        pushes=dict(Counter([push["recipient"].partition("/")[0] async for push in database["pushes"].find()])),
        webhooks=receiver.received.total(),
        customers=await database["customers"].count_documents({}),
        dead_letters=await _dead_letters(http),
        answered_from_memory=total(metrics, "fanfold_gateway_repeats"),
        duplicates_dropped=total(metrics, "fanfold_folder_duplicates_dropped"),
        refused={reason: count for reason, count in outcomes.items() if reason != OK},
        messages=await database[MESSAGES].count_documents({}),
        unread_messages=await _unread_messages(http),
        calls=await database[USAGE_RECORDS].count_documents({}),
        calls_repeated=total(metrics, "fanfold_usage_duplicates_dropped"),
        **await _totals(database),
        balances=await _balances(http),
    )


async def _unread_messages(http: aiohttp.ClientSession) -> dict[str, int]:
    """By user, where there are any: what the IM API itself says."""
    unread = {}
    for user in TALKERS:
        body = orjson.dumps({"To_Account": user})
        async with http.post(path_of(UNREAD), data=body, raise_for_status=True) as answer:
            if count := (await answer.json())["AllC2CUnreadMsgNum"]:
                unread[user] = count
    return unread


async def _totals(database: Database) -> dict[str, int]:
    """Over all customers, products and days."""
    sums: Counter[str] = Counter()
    async for day in database[CUST_DAILY].find({}):
        sums.update(calls_charged=day["charged"], calls_free=day["free"])
    return dict(sums)


async def _balances(http: aiohttp.ClientSession) -> dict[int, int]:
    """By customer, in micro-units: what the operators' portal says."""
    balances = {}
    for merchant_id in MERCHANTS:
        for wallet in await operate(http, "customer/wallet/list", {"merchantId": merchant_id}):
            balances[merchant_id] = round(wallet["balance"] * MICRO)
    return balances


async def _accounts(database: Database, now: datetime) -> dict[str, tuple[bool, bool]]:
    accounts = {}
    async for document in database["accounts"].find({}):
        session, ban = document.get("online"), document.get("ban")
        banned = ban is not None and ban["v"]["status"] == BANNED
        until = ban["v"]["until"] if ban is not None else None
        accounts[document["_id"]] = (
            session is not None and session["v"]["online"],
            banned and (until is None or until > now),
        )
    return accounts


async def bans_lifted(database: Database) -> int:
    """Bans that ended without a word from anybody."""
    return await database["accounts"].count_documents({"ban.v.origin": "expired"})


async def wait_for_bans_lifted(database: Database, count: int) -> None:
    """Return when there are so many, or after LIFTED_SECONDS: then the report shows what is missing."""
    with suppress(TimeoutError):
        async with asyncio.timeout(LIFTED_SECONDS):
            while await bans_lifted(database) < count:  # noqa: ASYNC110 - nothing tells us
                await asyncio.sleep(0.1)


async def panel(http: aiohttp.ClientSession) -> Panel:
    counts = await ask(http, "getPanel")
    log = await ask(http, "getLoginLog")
    return Panel(
        accounts=counts["totalAccountCount"],
        online=counts["onlineAccountCount"],
        banned=counts["forbidAccountCount"],
        login_log=log["total"],
    )


async def _dead_letters(http: aiohttp.ClientSession) -> dict[str, int]:
    headers = {"Authorization": f"Bearer {OPERATORS_TOKEN}"}
    reasons: Counter[str] = Counter()
    query = {"state": "open", "limit": "500"}
    while True:
        async with http.get("/dead-letters", params=query, headers=headers, raise_for_status=True) as answer:
            page = await answer.json()
        reasons.update(letter["letter"]["reason"] for letter in page["letters"])
        if page["next"] is None:
            return dict(reasons)
        query["after"] = page["next"]


async def read_metrics(http: aiohttp.ClientSession, url: str) -> dict[str, Metric]:
    async with http.get(url, raise_for_status=True) as answer:
        text = await answer.text()
    return {family.name: family for family in text_string_to_metric_families(text)}


def total(metrics: dict[str, Metric], name: str) -> int:
    """Sum of a counter over all its labels."""
    return sum(by_label(metrics, name, "").values())


def by_label(metrics: dict[str, Metric], name: str, label: str) -> dict[str, int]:
    """A counter's values, summed by one label."""
    sums: Counter[str] = Counter()
    if name in metrics:
        for sample in metrics[name].samples:
            if sample.name == f"{name}_total":
                sums[sample.labels.get(label, "")] += int(sample.value)
    return {value: count for value, count in sums.items() if count}
