"""im_push: one message for each of all users, or of those with some attributes or tags, by a job."""

import asyncio
import itertools
import random
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import aiohttp
import msgspec
import pytest
from im_api import APP, ImApi, a_user, serving_im
from im_messages import Person, at_work, people, text

from channels.net import open_net
from config.settings import Settings
from gateway.im.frame import Caller
from gateway.im.pushes import Pushes
from gateway.system import Call
from handlers.effects import Latest
from handlers.im.presence import PRESENCE
from handlers.im.pushes import Push
from schemas.errors import BrokerAway
from schemas.events import Event
from schemas.im.apps import App
from schemas.im.codes import Failed
from schemas.im.ids import key_of
from schemas.im.pushes import ImPush as Body
from stores.collections import JOBS, ensure_indexes
from stores.files import Files
from stores.im.accounts import import_accounts
from stores.im.pushes import Refusal, admit, start_push
from stores.job_desk import JobDesk
from stores.jobs import Job
from stores.mongo import Database, open_database
from tests.integration.chat_api import eventually
from tests.integration.jobs_at_work import doing_jobs
from tests.integration.published import published
from workers.jobs.kind import Tools
from workers.jobs.kinds.im_push import ImPush

SERVICE = "all_member_push"


@pytest.fixture(scope="module")
async def im_http(im_settings: Settings) -> AsyncIterator[aiohttp.ClientSession]:
    async with (
        serving_im(im_settings) as http,
        at_work(im_settings),
        doing_jobs(im_settings),
        open_database(im_settings.mongo) as database,
    ):
        await ensure_indexes(database)
        yield http


def a_push(**fields: Any) -> dict[str, Any]:
    return {"MsgRandom": random.getrandbits(32), "MsgBody": text("hello"), "MsgLifeTime": 3600, **fields}


async def pushed(im: ImApi, database: Database, **fields: Any) -> Job:
    """The job of a push, done."""
    task = (await im.ok(f"{SERVICE}/im_push", a_push(**fields)))["TaskId"]

    async def done() -> Job | None:
        job = await JobDesk(database).find(f"im_push/{task}")
        return job if job is not None and job.state == "done" else None

    return await eventually(done)


async def tagged(im: ImApi, tags: dict[str, list[str]]) -> None:
    items = [{"To_Account": user, "Tags": theirs} for user, theirs in tags.items()]
    await im.ok(f"{SERVICE}/im_add_tag", {"UserTags": items})


async def unread_from(person: Person, sender: Person, number: int) -> None:
    async def reached() -> bool:
        return bool(await person.unread(sender) == [number])

    await eventually(reached)


async def facts_to(settings: Settings, *persons: Person) -> list[tuple[str, str]]:
    """Type of fact and receiver of what was pushed to them, and of the pushes to their devices."""
    found = []
    for event in await published(settings.kafka):
        data = msgspec.json.decode(event.data)
        who = data.get("receiver") or data.get("recipient", "").rpartition(":")[2]
        found += [(event.type, who)] if who in {person.id for person in persons} else []
    return sorted(found)


async def test_everybody_of_the_app_has_it_unread_and_nobody_in_the_history(
    im: ImApi, other: ImApi, im_database: Database
) -> None:
    alice, bob = await people(im, "alice", "bob")
    stranger = Person(other)
    await other.imported(stranger.id)

    job = await pushed(im, im_database, From_Account=alice.id)

    await unread_from(bob, alice, 1)
    assert await bob.listed() == [(alice.id, 0)]
    assert await bob.history(alice) == []
    assert (await alice.unread(), await alice.listed()) == (0, [])
    assert await stranger.unread() == 0
    # Whoever else the tests of this module have imported, but not the sender.
    assert job.result is not None
    assert job.result["messages"] == job.progress.done == job.progress.total

    await bob.reads(alice)
    await unread_from(bob, alice, 0)


async def test_conditions_choose_by_tags_or_by_attributes(im: ImApi, im_database: Database) -> None:
    sender, ann, ben, cid = await people(im, "sender", "ann", "ben", "cid")
    a, b, c = (a_user("tag") for _ in range(3))
    await tagged(im, {ann.id: [a, b, c], ben.id: [a], cid.id: [b]})
    await im.ok(f"{SERVICE}/im_set_attr_name", {"AttrNames": {"4": "level", "5": "town"}})
    values = {ann.id: {"level": a, "town": b}, ben.id: {"level": a, "town": c}, cid.id: {"town": b}}
    attrs = [{"To_Account": user, "Attrs": theirs} for user, theirs in values.items()]
    await im.ok(f"{SERVICE}/im_set_attr", {"UserAttrs": attrs})
    chosen_by: list[tuple[dict[str, Any], list[Person]]] = [
        ({"TagsOr": [a, b]}, [ann, ben, cid]),
        ({"TagsAnd": [a, b]}, [ann]),
        ({"TagsOr": [a, c], "TagsAnd": [b]}, [ann]),
        ({"AttrsOr": {"level": a, "town": b}}, [ann, ben, cid]),
        ({"AttrsAnd": {"level": a, "town": b}}, [ann]),
        ({"AttrsOr": {"town": c}, "AttrsAnd": {"level": a}}, [ben]),
        ({"TagsOr": [a_user("nobody has it")]}, []),
    ]

    for condition, chosen in chosen_by:
        job = await pushed(im, im_database, From_Account=sender.id, Condition=condition)
        assert job.result == {"messages": len(chosen)}, condition

    for person in (ann, ben, cid):
        await unread_from(person, sender, sum(person in chosen for _, chosen in chosen_by))


async def test_who_is_not_online_is_pushed_to_as_by_sendmsg(
    im: ImApi, im_settings: Settings, im_database: Database
) -> None:
    sender, here, away = await people(im, "sender", "here", "away")
    tag = a_user("tag")
    await tagged(im, {here.id: [tag], away.id: [tag]})
    status = Latest(datetime.now(UTC), {"status": "Online", "instance": None}, 1).register
    await im_database[PRESENCE].insert_one({"_id": key_of(APP, here.id), "platforms": {"Web": status}})
    only = {"From_Account": sender.id, "Condition": {"TagsOr": [tag]}}

    await pushed(im, im_database, **only, OfflinePushInfo={"PushFlag": 0, "Title": "News", "Desc": "See inside"})
    await pushed(im, im_database, **only, OfflinePushInfo={"PushFlag": 1, "Desc": "Never said"})
    # For those who are online alone: never unread.
    await pushed(im, im_database, **only, MsgLifeTime=0)

    for person in (here, away):
        await unread_from(person, sender, 2)
    assert await facts_to(im_settings, here, away) == sorted(
        [
            *[("im.message.sent", here.id)] * 2,
            *[("im.message.sent", away.id)] * 2,
            ("im.message.relayed", here.id),
            ("push.requested", away.id),
        ]
    )


async def test_the_same_call_within_its_second_is_one_push(im: ImApi, im_database: Database) -> None:
    sender, ann = await people(im, "sender", "ann")
    tag = a_user("tag")
    await tagged(im, {ann.id: [tag]})
    body = a_push(From_Account=sender.id, Condition={"TagsOr": [tag]})

    tasks = [(await im.ok(f"{SERVICE}/im_push", body))["TaskId"] for _ in range(8)]

    seconds = {task.rpartition("_")[2] for task in tasks}
    assert len(set(tasks)) == len(seconds)
    await unread_from(ann, sender, len(seconds))
    assert await im_database[JOBS].count_documents({"_id": {"$in": [f"im_push/{task}" for task in tasks]}}) == len(
        seconds
    )


async def test_pushes_keep_their_distance_and_their_number_a_day(im_database: Database) -> None:
    app = App("77", "key", frozenset(), pushes_per_day=3, between_pushes=timedelta(seconds=1))
    # 16:00 UTC is midnight in China.
    evening = datetime(2026, 3, 1, 15, 59, 50, tzinfo=UTC)

    async def refusal(task: str, seconds: float) -> Refusal | None:
        return await admit(im_database, app, task, evening + timedelta(seconds=seconds))

    assert await refusal("a", 0) is None
    assert await refusal("a", 0.3) is None
    assert await refusal("b", 0.5) == Refusal(day_is_full=False)
    assert await refusal("b", 1) is None
    assert await refusal("c", 2) is None
    assert await refusal("d", 3) == Refusal(day_is_full=True)
    assert await refusal("d", 10) is None
    at_once = await asyncio.gather(*(refusal(f"e{number}", 20) for number in range(8)))
    assert at_once.count(None) == 1


@pytest.mark.parametrize("seed", range(3))
async def test_steps_that_are_cut_off_and_repeated_give_each_receiver_one_message(
    im_settings: Settings, im_database: Database, seed: int
) -> None:
    """Whatever is published before the cut, and whoever comes and goes meanwhile."""
    dice = Random(seed)
    app = App(f"9{seed}", "key", frozenset({"admin"}))
    settings = with_app(im_settings, app.id)
    staying = [f"user-{number}" for number in range(300)]
    await import_accounts(im_database, app, {user: {} for user in staying}, datetime.now(UTC))
    push = Push(task=f"task-{seed}", app=app.id, sender="admin", random=1, body=text("hi"), life_seconds=60)
    job = await start_push(im_database, push, datetime.now(UTC))
    coming = itertools.count()
    publisher = Faltering(dice)

    async with open_net(settings.push) as net:
        tools = Tools(im_database, publisher, settings, net, Files(im_database), lambda: datetime.now(UTC))
        while True:
            try:
                step = await ImPush(users_in_step=40).step(job, tools)
            except BrokerAway:
                continue
            newcomer = f"newcomer-{next(coming)}"
            await import_accounts(im_database, app, {newcomer: {}}, datetime.now(UTC))
            if dice.random() < 0.4:  # ended before it was written down
                continue
            if step.finished:
                break
            job = msgspec.structs.replace(job, cursor=dict(step.cursor))

    ids: dict[str, set[str]] = {}
    for event in publisher.published:
        ids.setdefault(msgspec.json.decode(event.data)["receiver"], set()).add(event.id)
    assert {user: ids[user] for user in ids if len(ids[user]) > 1} == {}
    assert set(staying) <= ids.keys()
    assert len(publisher.published) > len(ids), "nothing was repeated"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"MsgLifeTime": 604_801}, 90026),
        ({"MsgLifeTime": -1}, 90010),
        ({"MsgLifeTime": "1"}, 90010),
        ({"MsgRandom": "1"}, 90005),
        ({"MsgBody": {}}, 90007),
        ({"MsgBody": []}, 90002),
        ({"MsgBody": text("x" * 12_289)}, 93000),
        ({"From_Account": "nobody"}, 90048),
        ({"Condition": {}}, 90010),
        ({"Condition": {"TagsOr": "a"}}, 90010),
        ({"Condition": {"TagsOr": ["a"], "AttrsOr": {"city": "a"}}}, 90039),
        ({"Condition": {"TagsOr": ["a"], "TagsAnd": ["a"]}}, 90022),
        ({"Condition": {"AttrsOr": {"never named": "a"}}}, 90033),
    ],
)
async def test_what_cannot_be_pushed_is_refused(im: ImApi, fields: dict[str, Any], code: int) -> None:
    assert (await im.ask(f"{SERVICE}/im_push", a_push(**fields))).code == code


async def test_an_app_may_be_kept_from_pushing_or_from_pushing_too_fast(
    im_settings: Settings, im_database: Database, other: ImApi
) -> None:
    answers = [(await other.ask(f"{SERVICE}/im_push", a_push())).code for _ in range(2)]
    assert answers == [0, 90024]

    never = App("78", "key", frozenset({"admin"}), pushes_per_day=0)
    call = Call("POST", "/", {}, {}, b"", datetime.now(UTC), "trace", "00")
    with pytest.raises(Failed) as refused:
        await Pushes(im_database).push(Caller(never, "admin", call), Body(msg_random=1, msg_body=text("hi")))
    assert refused.value.code == 90045


async def test_of_an_account_that_is_gone_no_label_is_left(im: ImApi, im_database: Database) -> None:
    sender, ann = await people(im, "sender", "ann")
    tag = a_user("tag")
    await tagged(im, {ann.id: [tag]})

    await im.ok("im_open_login_svc/account_delete", {"DeleteItem": [{"UserID": ann.id}]})

    job = await pushed(im, im_database, From_Account=sender.id, Condition={"TagsOr": [tag]})
    assert job.result == {"messages": 0}
    await im.imported(ann.id)
    assert (await im.ok(f"{SERVICE}/im_get_tag", {"To_Account": [ann.id]}))["UserTags"][0]["Tags"] == []


class Faltering:
    """A publisher that at times loses Kafka in the middle."""

    def __init__(self, dice: Random) -> None:
        self.published: list[Event] = []
        self._dice = dice

    async def publish(self, events: Sequence[Event]) -> None:
        if self._dice.random() < 0.2:
            self.published += events[: len(events) // 2]
            raise BrokerAway("gone")
        self.published += events


def with_app(settings: Settings, app: str) -> Settings:
    apps = {**settings.im.apps, app: next(iter(settings.im.apps.values()))}
    return settings.model_copy(update={"im": settings.im.model_copy(update={"apps": apps})})
