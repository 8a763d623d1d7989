"""get_history: an hour's messages in files, made by a job and fetched by links."""

import gzip
import hashlib
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
from im_api import APP, ImApi, serving_im
from im_messages import at_work, people
from yarl import URL

from config.settings import Settings
from handlers.im.conversations import MESSAGES
from schemas.im.history_files import Hour, last_ready
from stores.collections import FILES, JOBS, ensure_indexes
from stores.im.history_files import job_id_of
from stores.job_desk import JobDesk
from stores.jobs import Jobs
from stores.mongo import Database, open_database
from tests.integration.chat_api import eventually
from tests.integration.jobs_at_work import running
from workers.im_hours import HistoryHours
from workers.jobs.kinds.im_history import ImHistory

CALL = "open_msg_svc/get_history"
HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
async def im_http(im_settings: Settings) -> AsyncIterator[aiohttp.ClientSession]:
    async with serving_im(im_settings) as http, at_work(im_settings), open_database(im_settings.mongo) as database:
        await ensure_indexes(database)
        yield http


@pytest.fixture
async def jobs_done(im_settings: Settings, im_database: Database) -> AsyncIterator[None]:
    """Three messages fit into a file."""
    async with running(im_settings, im_database, ImHistory(messages_in_file=3)):
        yield


def ready_hour(back: int) -> Hour:
    """Each test has one of its own."""
    return Hour(last_ready(datetime.now(UTC)).start - back * HOUR)


def asked_for(hour: Hour | str, chat_type: str = "C2C") -> dict[str, str]:
    return {"ChatType": chat_type, "MsgTime": str(hour)}


async def files_of(im: ImApi, hour: Hour) -> list[dict[str, Any]]:
    async def made() -> Any:
        answered = await im.ask(CALL, asked_for(hour))
        assert answered.code in (0, 1004), answered
        return answered.body.get("File")

    return await eventually(made)  # type: ignore[no-any-return]


async def fetched(http: aiohttp.ClientSession, file: dict[str, Any]) -> bytes:
    async with http.get(URL(URL(file["URL"]).raw_path_qs, encoded=True)) as answer:
        assert answer.status == 200, await answer.text()
        return await answer.read()


async def test_an_hour_with_messages_comes_in_files_that_hold_them_all(
    im: ImApi, im_http: aiohttp.ClientSession, im_database: Database, jobs_done: None
) -> None:
    alice, bob, carol = await people(im, "alice", "bob", "carol")
    hour = ready_hour(1)
    at = int(hour.start.timestamp())
    said = []
    for number, (sender, receiver) in enumerate([(alice, bob), (bob, alice), (carol, bob), (alice, carol)] * 2):
        # Two at each place in time, of different directions or conversations: files are cut between them.
        place = {"MsgSeq": 1, "MsgRandom": 7}
        await sender.imported(receiver, f"word {number}", at + number // 2, **place)
        said.append(f"word {number}")
    await alice.imported(bob, "too early", at - 1)
    await alice.imported(bob, "too late", at + 3600)

    async def stored() -> bool:
        return await im_database[MESSAGES].count_documents({"app": APP, "order": {"$gte": str(at - 1)}}) >= 10

    await eventually(stored)

    files = await files_of(im, hour)

    assert len(files) == 3  # 8 messages: 3 + 3 + 2
    found = []
    for file in files:
        packed = await fetched(im_http, file)
        plain = gzip.decompress(packed)
        assert (len(packed), len(plain)) == (file["GzipSize"], file["FileSize"])
        assert hashlib.md5(packed).hexdigest() == file["GzipMD5"]
        assert hashlib.md5(plain).hexdigest() == file["FileMD5"]
        content = json.loads(plain)
        assert (content["SdkAppId"], content["ChatType"], content["MsgTime"]) == (int(APP), "C2C", str(hour))
        found += content["MsgList"]
    assert sorted(message["MsgBody"][0]["MsgContent"]["Text"] for message in found) == said
    assert [message["MsgTimestamp"] for message in found] == [at + number // 2 for number in range(8)]


async def test_before_an_hour_has_settled_and_after_its_files_are_gone(im: ImApi) -> None:
    now = datetime.now(UTC)

    for hour, code in (
        (ready_hour(-1), 1004),
        (Hour(now + 48 * HOUR), 1004),
        (ready_hour(7 * 24), 1005),
        ("2015120121", 1005),
    ):
        assert (await im.ask(CALL, asked_for(hour))).code == code, hour
    for body in ({}, asked_for("2015120124"), asked_for("20151201"), asked_for(ready_hour(0), "Topic")):
        assert (await im.ask(CALL, body)).code == 1001, body


async def test_an_hour_without_a_message_has_no_file(im: ImApi, im_database: Database, jobs_done: None) -> None:
    hour = ready_hour(3)
    assert (await im.ask(CALL, asked_for(hour))).code == 1004

    async def done() -> bool:
        job = await JobDesk(im_database).find(job_id_of(APP, hour))
        return job is not None and job.state == "done"

    await eventually(done)
    assert (await im.ask(CALL, asked_for(hour))).code == 1004
    assert (await im.ask(CALL, asked_for(hour, "Group"))).code == 1004


async def test_of_one_app_the_other_gets_nothing(im: ImApi, other: ImApi, jobs_done: None) -> None:
    alice, bob = await people(im, "alice", "bob")
    hour = ready_hour(4)
    await alice.imported(bob, "hello", int(hour.start.timestamp()))
    await bob.shows(alice, "hello")
    await files_of(im, hour)

    assert (await other.ask(CALL, asked_for(hour))).code == 1004


async def test_files_that_could_not_be_made_or_are_gone_say_so(im: ImApi, im_database: Database) -> None:
    hour = ready_hour(5)
    await im.ask(CALL, asked_for(hour))
    await JobDesk(im_database).cancel(job_id_of(APP, hour), datetime.now(UTC))
    assert (await im.ask(CALL, asked_for(hour))).code == 1003

    made = {"id": "gone", "messages": 1, "size": 1, "md5": "", "gzip_size": 1, "gzip_md5": ""}
    await im_database[JOBS].update_one(
        {"_id": job_id_of(APP, hour)}, {"$set": {"state": "done", "result": {"files": [made]}}}
    )
    assert (await im.ask(CALL, asked_for(hour))).code == 1005


async def test_a_file_that_was_made_halfway_is_made_again_the_same(
    im: ImApi, im_http: aiohttp.ClientSession, im_settings: Settings, im_database: Database
) -> None:
    alice, bob = await people(im, "alice", "bob")
    hour = ready_hour(6)
    for number in range(5):
        await alice.imported(bob, f"word {number}", int(hour.start.timestamp()) + number)
    await bob.shows(alice, *(f"word {number}" for number in range(5)))
    async with running(im_settings, im_database, ImHistory(messages_in_file=3)):
        first = await files_of(im, hour)
    # As a crash leaves it that comes before the last step is written down.
    await im_database[JOBS].update_one(
        {"_id": job_id_of(APP, hour)},
        {
            "$set": {"state": "running", "open": True, "due_at": datetime.now(UTC), "cursor": {}},
            "$unset": {"result": "", "finished_at": ""},
        },
    )

    async with running(im_settings, im_database, ImHistory(messages_in_file=3)):
        again = await files_of(im, hour)

    assert [(file["FileMD5"], file["GzipMD5"]) for file in again] == [
        (file["FileMD5"], file["GzipMD5"]) for file in first
    ]
    assert len([await fetched(im_http, file) for file in again]) == 2
    stored = await im_database[FILES].count_documents({"_id": {"$regex": str(hour)}})
    assert stored == 2


async def test_the_clock_has_each_hour_made_once_for_each_app(im_database: Database) -> None:
    hours = HistoryHours(Jobs(im_database), ["77", "78"])
    now = datetime.now(UTC)

    for moment in (now, now + timedelta(seconds=1), now + HOUR):
        await hours.tick(moment)

    started = [row["_id"] async for row in im_database[JOBS].find({"args.app": {"$in": ["77", "78"]}})]
    assert sorted(started) == sorted(job_id_of(app, last_ready(at)) for app in ("77", "78") for at in (now, now + HOUR))
