"""Peer: a Faust agent, one insert and one upsert per event.

Run as a process: `python -m bench.peers.faust_folder BOOTSTRAP TOPIC MONGO_URI DATABASE`.
"""

import sys
import tempfile

import faust
from pymongo import AsyncMongoClient


def build(bootstrap: str, topic: str, mongo: str, database: str) -> faust.App:
    app = faust.App(
        "peer",
        broker=f"kafka://{bootstrap}",
        datadir=tempfile.mkdtemp(prefix="faust-"),
        consumer_auto_offset_reset="earliest",
        broker_session_timeout=2,
        broker_rebalance_timeout=2,
        broker_heartbeat_interval=0.5,
        topic_disable_leader=True,
        web_enabled=False,
    )
    documents: list = []

    @app.agent(app.topic(topic, value_type=bytes, value_serializer="json"))
    async def fold(events: faust.Stream) -> None:
        if not documents:
            documents.append(AsyncMongoClient(mongo)[database])
        async for event in events:
            await documents[0]["login_log"].insert_one({"user_id": event["user_id"], "online": event["online"]})
            await documents[0]["accounts"].update_one(
                {"_id": event["user_id"]},
                {"$inc": {"logins": 1}, "$set": {"online": event["online"]}},
                upsert=True,
            )

    return app


if __name__ == "__main__":
    app = build(*sys.argv[1:5])
    sys.argv = [sys.argv[0], "worker", "-l", "error"]
    app.main()
