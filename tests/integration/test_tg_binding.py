"""Binding Telegram chats: links, what a chat says, what a customer sees, in whatever order it arrives."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import count
from typing import Any

import aiohttp
import msgspec
import pytest
from chat_api import eventually, folding, publish
from tg_api import BOT, COMPANY, Customer, Log, Telegram, reading, serving, unready, with_telegram

from config.settings import Settings
from handlers.effects import Latest
from handlers.tg import CHATS
from schemas.events import Event
from schemas.tg import TelegramBound
from stores.collections import TG_LINKS
from stores.mongo import Database, open_database
from stores.tg import Customer as Known
from stores.tg import chats_of, unbind_chat, unbound_event
from workers.embedded.ports import LOOPBACK, free_port

Http = aiohttp.ClientSession
BOUND, UNBOUND = "telegram.bound", "telegram.unbound"


@pytest.fixture(scope="module")
async def settings(shared_settings: Settings) -> Settings:
    return with_telegram(shared_settings, "wang", "li", "zhao", "many", "late", "resent", "away", "used")


@pytest.fixture(scope="module")
async def http(settings: Settings) -> AsyncIterator[Http]:
    """A gateway and a folder at work, for all tests: each takes customers and chats of its own."""
    async with serving(settings) as http, folding(settings):
        yield http


@pytest.fixture(scope="module")
async def log(settings: Settings, http: Http) -> AsyncIterator[Log]:
    async with reading(settings) as log:
        yield log


@pytest.fixture(scope="module")
async def database(settings: Settings) -> AsyncIterator[Database]:
    async with open_database(settings.mongo) as database:
        yield database
        await database.client.drop_database(database.name)


@pytest.fixture(scope="module")
def telegram(http: Http) -> Telegram:
    return Telegram(http)


@pytest.fixture(scope="module")
def chats() -> Iterator[int]:
    """Chat ids that no other test uses."""
    return count(1_000)


@pytest.fixture
def chat(chats: Iterator[int]) -> int:
    return next(chats)


@pytest.fixture
async def wang(http: Http) -> Customer:
    return await with_no_chats(Customer(http, "wang"))


@pytest.fixture
async def li(http: Http) -> Customer:
    return await with_no_chats(Customer(http, "li"))


async def with_no_chats(customer: Customer) -> Customer:
    for chat in await customer.chats():
        assert await customer.unbind(int(chat))
    return customer


async def bind(customer: Customer, telegram: Telegram, chat: int, **fields: Any) -> dict[str, Any]:
    return await telegram.says(chat, f"/start {await customer.token()}", **fields)


async def test_a_link_binds_the_chat_that_opens_it(
    wang: Customer, telegram: Telegram, chat: int, log: Log, database: Database
) -> None:
    link = await wang.link(lang="zh-CN")
    base, _, token = link.partition("?start=")
    assert base == f"https://t.me/{BOT}"
    assert 32 < len(token) <= 64  # what a start parameter may have

    await telegram.says(chat, f"/start {token}", last_name="Li", username="lei", language_code="en")

    await wang.has(chat)
    assert (await wang.send("queryCustomerTgBindList")).data == [
        {"chatId": str(chat), "firstName": "Lei", "lastName": "Li"}
    ]
    found = await chats_of(database, ["wang", "nobody"])
    assert found["nobody"] == []
    [bound] = found["wang"]
    assert (bound.chat_id, bound.company, bound.username, bound.language) == (str(chat), COMPANY, "lei", "zh")
    await log.has_told(chat, "bound", language="zh")
    [answer] = log.told(chat)
    assert (answer.channel, answer.language, answer.recipient) == ("telegram", "zh", "customer/wang")


async def test_of_a_token_only_its_hash_is_kept(wang: Customer, database: Database) -> None:
    token = await wang.token()

    link = await database[TG_LINKS].find_one({"_id": sha256(token.encode()).hexdigest()})
    assert link is not None
    assert token not in repr(link)
    assert timedelta(minutes=14) < link["expires_at"] - datetime.now(UTC) <= timedelta(minutes=15)


async def test_the_language_is_telegrams_where_the_link_was_asked_for_in_none(
    wang: Customer, telegram: Telegram, chat: int, log: Log
) -> None:
    await bind(wang, telegram, chat, language_code="zh-hans")
    await log.has_told(chat, "bound", language="zh")


async def test_of_two_chats_that_open_a_link_one_is_bound_and_the_other_is_told(
    wang: Customer, telegram: Telegram, chats: Iterator[int], log: Log
) -> None:
    token, ids = await wang.token(), [next(chats) for _ in range(4)]
    updates = [telegram.message(chat, f"/start {token}") for chat in ids]

    assert await asyncio.gather(*map(telegram.post, updates)) == [200] * 4

    [bound] = await eventually(wang.chats)
    for chat in ids:
        await log.has_told(chat, "bound" if str(chat) == bound else "used")
    assert await wang.chats() == [bound]


async def test_a_link_is_used_up_by_the_chat_that_it_has_bound_too(
    http: Http, telegram: Telegram, chat: int, log: Log
) -> None:
    used = Customer(http, "used")
    token = await used.token()
    await telegram.says(chat, f"/start {token}")
    await telegram.says(chat, "/stop")
    await telegram.says(chat, f"/start {token}")

    await log.has_told(chat, "bound", "stopped", "used")
    await used.has()


async def test_an_update_that_is_sent_again_binds_and_answers_once(
    http: Http, telegram: Telegram, chat: int, log: Log, database: Database
) -> None:
    resent = Customer(http, "resent")
    token = await resent.token()
    update = telegram.message(chat, f"/start {token}")
    assert await telegram.post(update) == 200
    link_id = sha256(token.encode()).hexdigest()
    # Long after: the link is past its end, but was taken in time.
    await database[TG_LINKS].update_one({"_id": link_id}, {"$set": {"expires_at": datetime.now(UTC)}})
    assert await asyncio.gather(*[telegram.post(update)] * 3) == [200] * 3
    stop = await telegram.says(chat, "/stop")
    for again in (update, stop, update):
        assert await telegram.post(again) == 200
    await telegram.says(chat, "/start")

    await log.has_told(chat, "bound", "stopped", "missing")
    await resent.has()


async def test_a_link_that_has_expired_or_never_was_binds_nothing(
    wang: Customer, telegram: Telegram, chat: int, log: Log, database: Database
) -> None:
    token = await wang.token(lang="zh")
    link_id = sha256(token.encode()).hexdigest()
    await database[TG_LINKS].update_one({"_id": link_id}, {"$set": {"expires_at": datetime.now(UTC)}})

    await telegram.says(chat, f"/start {token}")
    await log.has_told(chat, "expired", language="zh")
    assert await wang.chats() == []


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("/start", "missing"),
        (f"/start@{BOT}", "missing"),
        ("/start  ", "missing"),
        ("/start abc", "unknown"),
        (f"/start@{BOT} a b c", "unknown"),
        ("/start\n" + "x" * 4_000, "unknown"),
        ("/stop now", "stopped"),
    ],
)
async def test_the_bot_answers_every_start_and_stop(
    telegram: Telegram, chat: int, log: Log, text: str, answer: str
) -> None:
    await telegram.says(chat, text)
    await log.has_told(chat, answer)


async def test_a_link_of_another_customer_moves_the_chat(
    wang: Customer, li: Customer, telegram: Telegram, chat: int, log: Log
) -> None:
    await bind(wang, telegram, chat)
    await bind(li, telegram, chat)  # within the same second, as Telegram tells it

    await li.has(chat)
    assert await wang.chats() == []
    assert await wang.unbind(chat) is False
    await log.has_told(chat, "bound", "bound")
    assert await li.chats() == [str(chat)]


async def test_a_customer_may_have_many_chats_and_each_goes_by_itself(
    http: Http, telegram: Telegram, chats: Iterator[int], log: Log
) -> None:
    many = Customer(http, "many")
    first, second, third = next(chats), next(chats), next(chats)
    for chat in (first, second, third):
        await bind(many, telegram, chat)
    await many.has(first, second, third)

    await telegram.says(first, "/stop")
    await many.has(second, third)
    await telegram.blocks(second)
    await many.has(third)
    assert await many.unbind(third) is True
    assert await many.chats() == []

    for chat in (first, second, third):
        await telegram.says(chat, "/start")
    await log.has_told(first, "bound", "stopped", "missing")
    await log.has_told(second, "bound", "missing")  # who has blocked the bot cannot be told
    await log.has_told(third, "bound", "missing")


async def test_unbinding_holds_at_once_and_once(
    wang: Customer, li: Customer, telegram: Telegram, chat: int, log: Log
) -> None:
    update = await bind(wang, telegram, chat)
    await wang.has(chat)

    assert await li.unbind(chat) is False
    assert await wang.chats() == [str(chat)]
    assert await wang.unbind(chat) is True
    assert await wang.chats() == []
    assert await wang.unbind(chat) is True  # repeated: the same call
    assert await wang.unbind(chat + 10**9) is False
    assert await telegram.post(update) == 200
    facts = await log.has_facts(chat, BOUND, UNBOUND, UNBOUND, BOUND)
    assert len({fact.identity for fact in facts}) == 2

    # Folded as well, the fact changes nothing; and a later link of the same second wins.
    await bind(wang, telegram, chat)
    await wang.has(chat)
    assert await wang.unbind(chat) is True
    assert await wang.chats() == []


async def test_of_many_calls_at_once_that_unbind_none_is_lost_or_counts_twice(
    wang: Customer, telegram: Telegram, chat: int, log: Log
) -> None:
    await bind(wang, telegram, chat)
    await wang.has(chat)

    assert await asyncio.gather(*[wang.unbind(chat) for _ in range(8)]) == [True] * 8

    facts = await log.has_facts(chat, BOUND, *[UNBOUND] * 8)
    assert len({fact.identity for fact in facts}) == 2


class BoundMeanwhile:
    """The chats as they are, but that one is bound anew right after it was first looked at."""

    def __init__(self, database: Database, chat: int, binding: Latest) -> None:
        self._chats = database[CHATS]
        self._bind: tuple[dict[str, Any], ...] | None = (
            {"_id": str(chat)},
            {"$max": {"binding": binding.register}},
        )

    def __getitem__(self, _: str) -> "BoundMeanwhile":
        return self

    async def find_one(self, *args: Any) -> Any:
        found = await self._chats.find_one(*args)
        if self._bind is not None:
            await self._chats.update_one(*self._bind)
            self._bind = None
        return found

    async def update_one(self, *args: Any) -> Any:
        return await self._chats.update_one(*args)


@pytest.mark.parametrize(("customer", "unbound"), [("wang", True), ("li", False)])
async def test_unbinding_looks_again_where_the_chat_was_bound_anew_meanwhile(
    wang: Customer, telegram: Telegram, chat: int, database: Database, customer: str, unbound: bool
) -> None:
    update, now = await bind(wang, telegram, chat), datetime.now(UTC)
    await wang.has(chat)
    second = datetime.fromtimestamp(update["message"]["date"], UTC)
    owner = {"customer": customer, "company": COMPANY, "language": "en"}
    anew = BoundMeanwhile(database, chat, Latest(second, owner, 2 * update["update_id"] + 2))

    fact = await unbind_chat(anew, str(chat), Known("wang", COMPANY), now)

    assert (fact is not None) == unbound
    found = await chats_of(database, ["wang", "li"])
    assert [bound.chat_id for bound in found[customer]] == ([] if unbound else [str(chat)])


async def test_what_arrives_late_does_not_undo_what_came_after_it(
    http: Http, telegram: Telegram, chats: Iterator[int], log: Log, settings: Settings, database: Database
) -> None:
    late, now = Customer(http, "late"), int(time.time())
    stopped, unbound = next(chats), next(chats)
    start = telegram.message(stopped, f"/start {await late.token()}", date=now - 20)
    await telegram.says(stopped, "/stop", date=now - 10)
    assert await telegram.post(start) == 200

    await bind(late, telegram, unbound, date=now - 10)
    await late.has(unbound)
    assert await late.unbind(unbound) is True
    older = TelegramBound(chat_id=str(unbound), customer="late", company=COMPANY, seq=2)
    await publish(
        settings,
        a_fact("telegram.bound", str(unbound), older, now - 5),
        unbound_event(str(unbound), datetime.now(UTC) - timedelta(seconds=30), "blocked"),
    )

    await log.has_told(stopped, "stopped", "bound")
    await log.has_told(unbound, "bound", "bound")  # both are folded by now
    assert await late.chats() == []
    document = await database[CHATS].find_one({"_id": str(unbound)})
    assert document is not None
    assert document["binding"]["v"] == {"reason": "unbound", "unbound_by": "late"}


def a_fact(event_type: str, chat_id: str, payload: msgspec.Struct, second: int) -> Event:
    time = datetime.fromtimestamp(second, UTC)
    return Event(f"{chat_id}-{second}", "tests", event_type, chat_id, time, msgspec.json.encode(payload))


async def test_a_chat_that_turned_out_to_be_gone_is_unbound_unless_it_came_back(
    wang: Customer, telegram: Telegram, chats: Iterator[int], log: Log, settings: Settings
) -> None:
    gone, back = next(chats), next(chats)
    began = datetime.now(UTC)
    for chat in (gone, back):
        await bind(wang, telegram, chat, date=int(began.timestamp()) - 5)
    await wang.has(gone, back)
    await bind(wang, telegram, back, date=int(began.timestamp()))  # in the second in which the attempt began

    await publish(settings, *(unbound_event(str(chat), began, "blocked") for chat in (back, gone)))

    await wang.has(back)
    await log.has_told(back, "bound", "bound")
    assert unbound_event("1", began, "blocked") == unbound_event("1", began, "blocked")


async def test_whatever_the_order_of_arrival_the_newest_word_holds(
    http: Http, telegram: Telegram, chats: Iterator[int]
) -> None:
    """Updates of the same few seconds, each sent up to twice, shuffled over many chats."""
    zhao, seed, now = Customer(http, "zhao"), random.randrange(2**32), int(time.time())
    rng, updates, bound = random.Random(seed), [], []
    for chat in (next(chats) for _ in range(12)):
        date, last = now - 30, ""
        for _ in range(rng.randrange(1, 5)):
            date, last = date + rng.randrange(2), rng.choice(["start", "stop", "block"])
            match last:
                case "start":
                    updates.append(telegram.message(chat, f"/start {await zhao.token()}", date=date))
                case "stop":
                    updates.append(telegram.message(chat, "/stop", date=date))
                case "block":
                    updates.append(telegram.blocked(chat, date=date))
        if last == "start":
            bound.append(chat)
    arrivals = [update for update in updates for _ in range(rng.randrange(1, 3))]
    rng.shuffle(arrivals)
    assert set(await asyncio.gather(*map(telegram.post, arrivals))) == {200}

    mark = next(chats)
    await bind(zhao, telegram, mark)
    try:
        await zhao.has(*bound, mark)
    except TimeoutError:
        pytest.fail(f"seed {seed}: bound {await zhao.chats()}, expected {bound}")


IGNORED = {
    "a text": {"text": "hello"},
    "another command": {"text": "/help"},
    "a command within a text": {"text": "please /start"},
    "no text": {"text": None},
}


@pytest.mark.parametrize("fields", IGNORED.values(), ids=list(IGNORED))
async def test_other_messages_are_taken_and_mean_nothing(
    telegram: Telegram, chat: int, log: Log, fields: dict[str, Any]
) -> None:
    update = telegram.message(chat, "")
    update["message"] |= fields
    assert await telegram.post(update) == 200
    await telegram.says(chat, "/stop")
    await log.has_facts(chat, UNBOUND)


async def test_groups_and_other_updates_are_taken_and_mean_nothing(
    wang: Customer, telegram: Telegram, chat: int, log: Log
) -> None:
    token = await wang.token()
    group = telegram.message(chat, f"/start {token}")
    group["message"]["chat"] = {"id": chat, "type": "supergroup", "title": "All"}
    left = telegram.blocked(chat)
    left["my_chat_member"]["chat"] = {"id": chat, "type": "group", "title": "All"}
    unblocked = telegram.blocked(chat, status="member")
    edited = telegram.message(chat, f"/start {token}")
    edited["edited_message"] = edited.pop("message")

    for update in (group, left, unblocked, edited, {"update_id": 1, "poll": {"id": "1"}}):
        assert await telegram.post(update) == 200

    await telegram.says(chat, f"/start {token}")  # the link is as good as before
    await wang.has(chat)
    await log.has_facts(chat, BOUND)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"\xff",
        b"{}",
        b'{"update_id": -1}',
        b'{"update_id": 1e30}',
        b'{"update_id": 1, "message": {}}',
        b'{"update_id": 1, "message": {"chat": {"id": 1, "type": "private"}, "date": 99999999999999999}}',
        b'{"update_id": 1, "message": {"chat": {"id": 99999999999999999999, "type": "private"}, "date": 1}}',
        b'{"update_id": 1, "message": {"chat": {"id": 1, "type": "private"}, "date": 1, "from": {"username": 1}}}',
        b'{"update_id": 1, "poll": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
)
async def test_what_cannot_be_read_is_taken_so_that_telegram_does_not_send_it_for_ever(
    telegram: Telegram, body: bytes
) -> None:
    assert await telegram.post(body) == 200


async def test_while_kafka_is_away_nothing_is_bound_and_the_same_update_binds_later(
    http: Http, telegram: Telegram, chats: Iterator[int], log: Log, settings: Settings
) -> None:
    away, other, chat = Customer(http, "away"), next(chats), next(chats)
    token = await away.token()
    update = telegram.message(chat, f"/start {token}")
    nowhere = {"kafka": settings.kafka.model_copy(update={"bootstrap": f"{LOOPBACK}:{free_port()}"})}
    async with unready(settings.model_copy(update=nowhere)) as cut_off:
        assert await Telegram(cut_off).post(update) == 503
        assert await away.chats() == []

        await telegram.says(other, f"/start {token}")
        assert await telegram.post(update) == 200
        await away.has(chat)
        await log.has_told(other, "used")

        # The unbinding is written before it is published: it holds, and the repeat publishes it.
        refused = await Customer(cut_off, "away").send("unbindTg", {"chatId": str(chat)})
        assert (refused.status, refused.whole["code"]) == (503, "5030")
        assert refused.headers["Retry-After"]
        assert await away.chats() == []
    assert await away.unbind(chat) is True
    await log.has_facts(chat, BOUND, UNBOUND)


async def test_without_a_store_the_calls_are_answered_503_in_the_envelope(http: Http, settings: Settings) -> None:
    nowhere = settings.mongo.model_copy(update={"uri": f"mongodb://{LOOPBACK}:{free_port()}/", "timeout_seconds": 0.2})
    away = Settings.model_validate(settings.model_copy(update={"mongo": nowhere}).model_dump())
    async with unready(away) as cut_off:
        telegram = Telegram(cut_off)
        assert await telegram.post(telegram.message(1, "/start abc")) == 503
        for method in ("createTgQrCode", "queryCustomerTgBindList", "queryCustomerTgBindListByPage"):
            refused = await Customer(cut_off, "wang").send(method, {})
            assert (refused.status, refused.whole["code"]) == (503, "5031")
