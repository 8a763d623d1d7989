"""Peer: FastStream's batch subscriber, one insert and one upsert per event, as its documentation shows.

Run as a process: `python -m bench.peers.faststream_folder BOOTSTRAP TOPIC MONGO_URI DATABASE`.
"""

import asyncio
import sys

from faststream import FastStream
from faststream.kafka import KafkaBroker
from pymongo import AsyncMongoClient


def build(bootstrap: str, topic: str, mongo: str, database: str) -> FastStream:
    broker = KafkaBroker(bootstrap, logger=None)
    documents = AsyncMongoClient(mongo)[database]

    @broker.subscriber(
        topic, batch=True, max_records=2000, group_id="peer", auto_offset_reset="earliest", session_timeout_ms=2000
    )
    async def fold(events: list[dict]) -> None:
        for event in events:
            await documents["login_log"].insert_one({"user_id": event["user_id"], "online": event["online"]})
            await documents["accounts"].update_one(
                {"_id": event["user_id"]},
                {"$inc": {"logins": 1}, "$set": {"online": event["online"]}},
                upsert=True,
            )

    return FastStream(broker, logger=None)


if __name__ == "__main__":
    asyncio.run(build(*sys.argv[1:5]).run())
