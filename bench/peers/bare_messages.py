"""The bare path of a message: the gateway's HTTP server and producer, then one insert by a plain consumer.

Nobody is authenticated, nothing is checked, kept apart or counted as unread: what is left is what any such service
must do. Run as processes:

    python -m bench.peers.bare_messages serve PORT BOOTSTRAP MONGO_URI
    python -m bench.peers.bare_messages consume BOOTSTRAP MONGO_URI
"""

import asyncio
import random
import sys
import time
from datetime import UTC, datetime

import msgspec
import uvloop
from aiohttp import web
from aiokafka import AIOKafkaConsumer

from config.settings import GatewaySettings, KafkaSettings, MongoSettings
from gateway.app import serving
from schemas.events import Event
from schemas.im.message import SENT
from stores.mongo import Database, open_database
from streams.publisher import Publisher

PREFIX = "bare."
"""Topics of its own: Fanfold's folder leaves them alone."""
COLLECTION = "bare_messages"
TOPIC = f"{PREFIX}im-messages"
GROUP = f"{PREFIX}folder"
"""As the folder's, so that its lag is asked for in the same way."""
BATCH = 500


def kafka(bootstrap: str) -> KafkaSettings:
    return KafkaSettings(bootstrap=bootstrap, prefix=PREFIX, idempotent=False)


class Server:
    def __init__(self, publisher: Publisher, database: Database) -> None:
        self._publisher = publisher
        self._database = database

    async def send(self, request: web.Request) -> web.Response:
        message = msgspec.json.decode(await request.read())
        at = int(time.time())
        key = f"{random.getrandbits(32)}_{message['MsgRandom']}_{at}"
        pair = f"{message['From_Account']}/{message['To_Account']}"
        message["_id"] = f"{pair}/{key}"
        event = Event(
            id=message["_id"],
            source="bare",
            type=SENT,
            subject=pair,
            time=datetime.now(UTC),
            data=msgspec.json.encode(message),
        )
        await self._publisher.publish([event])
        return _answer({"ActionStatus": "OK", "ErrorInfo": "", "ErrorCode": 0, "MsgTime": at, "MsgKey": key})

    async def shown(self, request: web.Request) -> web.Response:
        """Whether a message is stored."""
        asked = msgspec.json.decode(await request.read())
        message_id = f"{asked['From_Account']}/{asked['To_Account']}/{asked['MsgKey']}"
        found = await self._database[COLLECTION].find_one({"_id": message_id}, {"_id": 1})
        return _answer({"ErrorCode": 0, "Shown": found is not None})


def _answer(body: object) -> web.Response:
    return web.Response(body=msgspec.json.encode(body), content_type="application/json")


async def serve(port: int, bootstrap: str, uri: str) -> None:
    async with (
        Publisher(kafka(bootstrap)) as publisher,
        open_database(MongoSettings(uri=uri)) as database,  # type: ignore[arg-type]
    ):
        await publisher.wait_connected()
        server = Server(publisher, database)
        app = web.Application()
        app.router.add_post("/v4/openim/sendmsg", server.send)
        app.router.add_post("/v4/shown", server.shown)
        async with serving(app, GatewaySettings(port=port)):
            await asyncio.Event().wait()


async def consume(bootstrap: str, uri: str) -> None:
    consumer = AIOKafkaConsumer(
        TOPIC,
        bootstrap_servers=bootstrap,
        group_id=GROUP,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        fetch_max_wait_ms=100,
    )
    async with open_database(MongoSettings(uri=uri)) as database:  # type: ignore[arg-type]
        await consumer.start()
        try:
            while True:
                for records in (await consumer.getmany(timeout_ms=1_000, max_records=BATCH)).values():
                    for record in records:
                        await database[COLLECTION].insert_one(msgspec.json.decode(record.value))
                await consumer.commit()
        finally:
            await consumer.stop()


def main(role: str, *arguments: str) -> None:
    if role == "serve":
        port, bootstrap, uri = arguments
        uvloop.run(serve(int(port), bootstrap, uri))
    else:
        uvloop.run(consume(*arguments))


if __name__ == "__main__":
    main(*sys.argv[1:])
