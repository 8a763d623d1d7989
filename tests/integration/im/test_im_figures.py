"""getappinfo: what happened in an app is counted day by day, each thing once."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
from im_api import ADMIN, APP, ImApi, serving_im
from im_messages import Person, at_work, people

from config.settings import Settings
from handlers.im.figures import DAY_USERS, DAYS
from schemas.events import Event
from schemas.im.figures import Day, day_of, last_days
from schemas.im.message import conversation_of
from stores.collections import JOBS, ensure_indexes
from stores.im.figures import start_figures
from stores.jobs import Jobs
from stores.mongo import Database, open_database
from tests.integration.chat_api import an_event, eventually, publish
from tests.integration.jobs_at_work import running
from workers.im_days import FigureDays
from workers.jobs.kinds.im_figures import ImFigures
from workers.jobs.kinds.im_history import ImHistory

CALL = "openconfigsvr/getappinfo"


@pytest.fixture(scope="module")
async def im_http(im_settings: Settings) -> AsyncIterator[aiohttp.ClientSession]:
    async with serving_im(im_settings) as http, at_work(im_settings), open_database(im_settings.mongo) as database:
        await ensure_indexes(database)
        yield http


def noon(back: int) -> tuple[Day, datetime]:
    """A day of the past, a test's own, and the middle of it."""
    day = Day(day_of(datetime.now(UTC)).start - timedelta(days=back))
    return day, day.start + timedelta(hours=12)


def sent(sender: Person, receiver: Person, at: datetime, seq: int, **fields: Any) -> Event:
    """As a callback of that time would have told it."""
    payload = {
        "conversation": conversation_of(APP, sender.id, receiver.id),
        "app": APP,
        "sender": sender.id,
        "receiver": receiver.id,
        "seq": seq,
        "random": 7,
        "time": int(at.timestamp()),
        "body": [{"MsgType": "TIMTextElem", "MsgContent": {"Text": "hello"}}],
        **fields,
    }
    return an_event("im.message.sent", payload["conversation"], payload, id=f"{sender.id}/{seq}", time=at)


def logged_in(person: Person, at: datetime, action: str = "Login") -> Event:
    payload = {"account": f"{APP}/{person.id}", "action": action, "platform": "Web"}
    return an_event("im.state.changed", payload["account"], payload, id=f"{person.id}/{action}/{at}", time=at)


def related(kind: str, person: Person, other: Person, at: datetime) -> Event:
    payload = {"account": f"{APP}/{person.id}", "friend": other.id}
    if kind == "added":
        payload |= {"initiator": person.id, "admin": ADMIN, "forced": True}
    return an_event(f"im.friend.{kind}", payload["account"], payload, id=f"{kind}/{person.id}/{at}", time=at)


async def told(im: ImApi, day: Day, **fields: Any) -> dict[str, str]:
    days = {each["Date"]: each for each in (await im.ok(CALL, fields))["Result"]}
    return days.get(str(day), {})


async def counted(settings: Settings, database: Database, day: Day) -> None:
    """By the job, to its end."""
    jobs = Jobs(database)
    await start_figures(jobs, APP, day, datetime.now(UTC))

    async def done() -> bool:
        job = await jobs.find(f"im_figures/{APP}/{day}")
        return job is not None and job.state == "done"

    async with running(settings, database, ImFigures(), ImHistory()):
        await eventually(done)


async def folded(database: Database, day: Day, **figures: int) -> None:
    async def reached() -> bool:
        row = await database[DAYS].find_one({"_id": f"{APP}/{day}"}) or {}
        return all(row.get(name) == number for name, number in figures.items())

    await eventually(reached)


async def test_a_day_counts_what_happened_in_it_once_however_often_it_is_told(
    im: ImApi, im_settings: Settings, im_database: Database
) -> None:
    alice, bob, carol = await people(im, "alice", "bob", "carol")
    day, at = noon(2)
    push = {"offline_push": {"title": None, "text": "hello"}}
    facts = [
        sent(alice, bob, at, 1, **push),
        sent(alice, carol, at, 2),
        sent(bob, alice, at + timedelta(hours=3), 3),
        sent(carol, alice, at, 4, imported=True),
        sent(bob, alice, day.start - timedelta(seconds=1), 5),
        sent(bob, alice, day.end, 6),
        logged_in(alice, at),
        logged_in(alice, at + timedelta(minutes=5)),
        logged_in(alice, at + timedelta(minutes=9), "Logout"),
        logged_in(carol, day.start),
        related("added", alice, bob, at),
        related("added", bob, alice, at),
        related("deleted", alice, bob, at),
    ]

    await publish(im_settings, *facts)
    await publish(im_settings, *facts)  # as a client does that got no answer
    await folded(im_database, day, messages=3, pushes=1, logins=3, friends_added=2, friends_deleted=1)
    await counted(im_settings, im_database, day)

    figures = await told(im, day)
    assert {name: number for name, number in figures.items() if number != "0"} == {
        "AppName": "Example",
        "AppId": APP,
        "Company": "Example Company",
        "Date": str(day),
        "UpMsgNum": "3",
        "DownMsgNum": "3",
        "C2CUpMsgNum": "3",
        "C2CDownMsgNum": "3",
        "APNSMsgNum": "1",
        "C2CAPNSMsgNum": "1",
        "SendMsgUserNum": "2",  # alice and bob
        "C2CSendMsgUserNum": "2",
        "LoginTimes": "3",
        "LoginUserNum": "2",  # alice and carol
        "ActiveUserNum": "3",  # all of them, alice for both
        "ChainIncrease": "2",
        "ChainDecrease": "1",
    }


async def test_today_is_told_of_while_it_lasts(im: ImApi, im_settings: Settings, im_database: Database) -> None:
    alice, bob = await people(im, "alice", "bob")
    today = day_of(datetime.now(UTC))
    await publish(im_settings, logged_in(alice, datetime.now(UTC)))
    await alice.sends(bob, "hello")
    await bob.has_unread(1)
    await start_figures(Jobs(im_database), APP, today, datetime.now(UTC))

    async def known() -> Any:
        figures = await told(im, today)
        wanted = ("UpMsgNum", "SendMsgUserNum", "LoginUserNum", "MaxOnlineNum", "RegistUserNumOneDay")
        return figures if all(int(figures[name]) for name in wanted) else None

    async with running(im_settings, im_database, ImFigures(), ImHistory()):
        figures = await eventually(known)

    accounts = await im_database["im_accounts"].count_documents({"app": APP})
    assert (figures["RegistUserNumOneDay"], figures["RegistUserNumTotal"]) == (str(accounts), str(accounts))


async def test_only_the_fields_that_are_asked_for_are_told_and_the_date(im: ImApi) -> None:
    answer = await im.ok(CALL, {"RequestField": ["ChainIncrease", "ChainDecrease"]})

    assert answer["ErrorInfo"] == "OK"
    assert "ActionStatus" not in answer
    assert {frozenset(day) for day in answer["Result"]} == {frozenset({"Date", "ChainIncrease", "ChainDecrease"})}
    dates = [day["Date"] for day in answer["Result"]]
    assert dates == sorted(dates, reverse=True)
    assert dates[0] == str(day_of(datetime.now(UTC)))
    assert (await im.ask(CALL, {"RequestField": ["Weather"]})).code == 130001


async def test_of_one_app_the_other_is_told_nothing(other: ImApi) -> None:
    [today] = (await other.ok(CALL, {"RequestField": ["UpMsgNum", "RegistUserNumTotal"]}))["Result"]

    assert (today["UpMsgNum"], today["RegistUserNumTotal"]) == ("0", "0")


async def test_counting_a_day_again_changes_nothing(im: ImApi, im_settings: Settings, im_database: Database) -> None:
    alice, bob = await people(im, "alice", "bob")
    day, at = noon(5)
    await publish(im_settings, sent(alice, bob, at, 1), sent(alice, bob, at + timedelta(hours=1), 2))
    await folded(im_database, day, messages=2)
    await counted(im_settings, im_database, day)
    before = await told(im, day)
    assert (before["SendMsgUserNum"], before["UpMsgNum"]) == ("1", "2")

    # As a crash leaves it that comes before the last step is written down.
    await im_database[JOBS].update_one(
        {"_id": f"im_figures/{APP}/{day}"},
        {
            "$set": {"state": "running", "open": True, "due_at": datetime.now(UTC), "cursor": {}},
            "$unset": {"result": "", "finished_at": ""},
        },
    )
    await counted(im_settings, im_database, day)

    assert await told(im, day) == before
    assert await im_database[DAY_USERS].count_documents({"day": f"{APP}/{day}"}) == 1


async def test_the_clock_has_each_day_counted_once_for_each_app(im_database: Database) -> None:
    days = FigureDays(Jobs(im_database), ["77", "78"])
    now = datetime.now(UTC)

    for moment in (now, now + timedelta(seconds=1), now + timedelta(days=1)):
        await days.tick(moment)
    await FigureDays(Jobs(im_database), ["77", "78"]).tick(now)  # another clock takes over

    started = [row["args"] async for row in im_database[JOBS].find({"args.app": {"$in": ["77", "78"]}})]
    wanted = [day_of(now + timedelta(days=1)), *last_days(now)]
    assert sorted(map(str, started)) == sorted(
        str({"app": app, "day": str(day)}) for app in ("77", "78") for day in wanted
    )
