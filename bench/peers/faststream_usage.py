"""Peer: FastStream's batch subscriber that adds each call to its day's total by one upsert.

Run as a process: `python -m bench.peers.faststream_usage BOOTSTRAP TOPIC MONGO_URI DATABASE`.
"""

import asyncio
import sys

from faststream import FastStream
from faststream.kafka import KafkaBroker
from pymongo import AsyncMongoClient

FEE_MICRO = 150_000


def build(bootstrap: str, topic: str, mongo: str, database: str) -> FastStream:
    broker = KafkaBroker(bootstrap, logger=None)
    totals = AsyncMongoClient(mongo)[database]["cust_daily"]

    @broker.subscriber(
        topic, batch=True, max_records=2000, group_id="peer", auto_offset_reset="earliest", session_timeout_ms=2000
    )
    async def add_up(calls: list[dict]) -> None:
        for call in calls:
            await totals.update_one(
                {"_id": f"{call['deptId']}/{call['checkItem']}"},
                {"$inc": {"count": 1, "success": call["success"], "fee_micro": FEE_MICRO}},
                upsert=True,
            )

    return FastStream(broker, logger=None)


if __name__ == "__main__":
    asyncio.run(build(*sys.argv[1:5]).run())
