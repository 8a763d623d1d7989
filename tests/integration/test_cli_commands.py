"""The operators' commands as they are run: processes of their own, against a real broker and store."""

import socket

import pytest
from chat_api import eventually, folding
from command import Ended, Fanfold

from config.settings import KafkaSettings, Settings
from config.topics import TOPICS, Topic
from schemas.events import Record
from stores.dead_letters import DeadLetters, Which
from stores.mongo import Database
from streams.records import open_sender
from workers.embedded.ports import LOOPBACK, free_port


@pytest.fixture
def fanfold(settings: Settings) -> Fanfold:
    return Fanfold(settings)


async def poison(settings: Settings, *values: str, topic: str = "accounts") -> None:
    """Records that become dead letters; returns when the letters are there."""
    async with open_sender(settings.kafka) as sender:
        for value in values:
            record = Record(f"{settings.kafka.prefix}{topic}", 0, 0, 1_767_323_045_678, b"key", value.encode(), ())
            await sender.send(record)


async def lettered(database: Database, count: int) -> None:
    async def there() -> bool:
        return len(await DeadLetters(database).page(Which())) == count

    await eventually(there)


async def test_sync_creates_what_is_missing_and_then_has_nothing_to_do(fanfold: Fanfold, database: Database) -> None:
    first, second = await fanfold("topics", "sync"), await fanfold("topics", "sync")

    assert first.status == 0
    assert first.out.count("created topic ") == len(TOPICS)
    assert "created index dead_letters.state_1_at_-1" in first.out
    assert (second.status, second.out) == (0, "Nothing to do: all topics and indexes are there.\n")


async def test_topics_are_listed_with_whether_they_are_there(fanfold: Fanfold, kafka: KafkaSettings) -> None:
    listed = (await fanfold("topics", "list", "--json")).json

    assert {topic["topic"] for topic in listed} == {kafka.prefix + topic.name for topic in TOPICS}
    assert {topic["exists"] for topic in listed} == {False}


async def test_lag_is_told_by_partition_and_in_sums(
    fanfold: Fanfold, settings: Settings, synced: tuple[Topic, ...], database: Database
) -> None:
    await poison(settings, "a", "b", "c")
    before = (await fanfold("lag", "--json")).json
    async with folding(settings):
        await lettered(database, 3)
    after = (await fanfold("lag", "--json")).json
    table = await fanfold("lag")

    accounts = next(topic for topic in before["topics"] if topic["topic"].endswith("accounts"))
    assert (before["behind"], accounts["behind"]) == (3, 3)
    assert accounts["partitions"][0] == {"partition": 0, "committed": None, "end": 3, "behind": 3}
    accounts = next(topic for topic in after["topics"] if topic["topic"].endswith("accounts"))
    assert accounts["partitions"][0] == {"partition": 0, "committed": 3, "end": 3, "behind": 0}
    assert table.status == 0
    assert f"{settings.kafka.prefix}accounts" in table.out


async def test_lag_without_topics_says_what_to_do(fanfold: Fanfold) -> None:
    ended = await fanfold("lag")

    assert ended.status == 1
    assert ended.err.endswith("Run: fanfold topics sync\n")


async def test_letters_are_listed_shown_replayed_and_discarded(
    fanfold: Fanfold, settings: Settings, synced: tuple[Topic, ...], database: Database
) -> None:
    async with folding(settings):
        await poison(settings, '{"account": "Łukasz"}', "\x1b[2Jscreen")
        await poison(settings, "elsewhere", topic="detections")
        await lettered(database, 3)

    listed = (await fanfold("dead-letters", "list", "--topic", f"{settings.kafka.prefix}accounts", "--json")).json
    ids = [letter["id"] for letter in listed["letters"]]
    assert sorted(letter_id[-2:] for letter_id in ids) == ["@0", "@1"]
    assert listed["next"] is None
    table = await fanfold("dead-letters", "list", "--limit", "1")
    assert "not_a_cloudevent" in table.out
    assert "There may be more: --after" in table.out

    shown = await fanfold("dead-letters", "show", next(letter_id for letter_id in ids if letter_id.endswith("@0")))
    assert '"account": "Łukasz"' in shown.out
    hostile = await fanfold("dead-letters", "show", next(letter_id for letter_id in ids if letter_id.endswith("@1")))
    assert "\x1b" not in hostile.out
    assert r"\x1b[2Jscreen" in hostile.out

    discarded = await fanfold("dead-letters", "discard", ids[0])
    assert (discarded.status, discarded.out) == (0, "1 of 1 discarded\n")
    again = await fanfold("dead-letters", "replay", ids[0])
    assert (again.status, again.out) == (1, "0 of 1 replayed\n")
    assert again.err == f"dead letter {ids[0]} is discarded already\n"

    replayed = await fanfold("dead-letters", "replay", "--all", "--topic", f"{settings.kafka.prefix}accounts")
    assert (replayed.status, replayed.out) == (0, "1 of 1 replayed\n")
    states = (await fanfold("dead-letters", "list", "--json")).json["letters"]
    assert sorted(letter["state"] for letter in states) == ["discarded", "open", "replayed"]
    async with folding(settings):
        await lettered(database, 4)  # the replayed record is poison still


@pytest.mark.parametrize("arguments", [[], ["an-id", "--all"], ["an-id", "--reason", "x"], ["--reason", "x"]])
async def test_a_replay_of_everything_has_to_be_asked_for(fanfold: Fanfold, arguments: list[str]) -> None:
    ended = await fanfold("dead-letters", "replay", *arguments)

    assert ended.status == 2
    assert "--all" in ended.err


async def test_a_doctor_of_a_sound_installation_finds_nothing_wrong(
    fanfold: Fanfold, settings: Settings, database: Database
) -> None:
    await fanfold("topics", "sync")
    ended = await fanfold("doctor", "--json")

    assert ended.status == 0
    assert ended.json["healthy"] is True
    assert ended.json["settings"]["kafka"]["prefix"] == settings.kafka.prefix
    assert {finding["subject"] for finding in ended.json["findings"]} >= {
        "broker",
        "producer",
        "topics",
        "group",
        "store",
        "clock",
        "indexes",
        "dead letters",
    }


async def test_a_doctor_names_each_thing_that_is_wrong_with_its_remedy(fanfold: Fanfold) -> None:
    ended = await fanfold("doctor", "--json")

    assert ended.status == 1
    wrong = {
        finding["subject"]: finding["remedy"] for finding in ended.json["findings"] if finding["verdict"] == "wrong"
    }
    assert wrong == {
        "topics": "run: fanfold topics sync",
        "indexes": "run: fanfold topics sync",
    }


async def test_a_doctor_looks_at_the_store_though_the_broker_is_away_and_the_reverse(fanfold: Fanfold) -> None:
    nobody = f"{LOOPBACK}:{free_port()}"
    no_broker = await fanfold("doctor", "--json", FANFOLD_KAFKA__BOOTSTRAP=nobody)
    no_store = await fanfold("doctor", "--json", FANFOLD_MONGO__URI=f"mongodb://{nobody}/")

    def verdicts(ended: Ended) -> dict[str, str]:
        return {finding["subject"]: finding["verdict"] for finding in ended.json["findings"]}

    assert (no_broker.status, no_store.status) == (1, 1)
    assert (verdicts(no_broker)["broker"], verdicts(no_broker)["store"]) == ("wrong", "ok")
    assert (verdicts(no_store)["broker"], verdicts(no_store)["store"]) == ("ok", "wrong")


async def test_a_doctor_shows_no_secret(fanfold: Fanfold, settings: Settings) -> None:
    hidden = ("a-secret-of-the-test", settings.mongo.uri.get_secret_value(), "hunter2")
    for arguments in (["doctor"], ["doctor", "--json"]):
        ended = await fanfold(*arguments, FANFOLD_EVENTS__TOKENS='["hunter2"]')
        assert not [secret for secret in hidden if secret in ended.out + ended.err]


@pytest.mark.parametrize(
    ("arguments", "variable", "address", "sentence"),
    [
        (["lag"], "FANFOLD_KAFKA__BOOTSTRAP", "{}", "Kafka is away: "),
        (["topics", "sync"], "FANFOLD_KAFKA__BOOTSTRAP", "{}", "Kafka is away: "),
        (["dead-letters", "list"], "FANFOLD_MONGO__URI", "mongodb://{}/", "MongoDB is away: "),
    ],
)
async def test_what_is_away_is_said_in_one_sentence(
    fanfold: Fanfold, arguments: list[str], variable: str, address: str, sentence: str
) -> None:
    ended = await fanfold(*arguments, **{variable: address.format(f"{LOOPBACK}:{free_port()}")})

    assert ended.status == 1
    [line] = ended.err.splitlines()
    assert line.startswith(sentence)


async def test_an_address_that_is_none_is_a_mistake_in_the_settings(fanfold: Fanfold) -> None:
    ended = await fanfold("dead-letters", "list", FANFOLD_MONGO__URI="mongo://u:hunter2@host/")

    assert ended.status == 2
    [line] = ended.err.splitlines()
    assert line.startswith("mongo.uri (FANFOLD_MONGO__URI): ")
    assert "hunter2" not in line


@pytest.mark.parametrize("arguments", [["gateway"], ["worker", "folder", "clock"]])
async def test_a_port_that_is_taken_is_said_in_one_sentence(fanfold: Fanfold, arguments: list[str]) -> None:
    with socket.create_server((LOOPBACK, 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = await fanfold(*arguments, FANFOLD_METRICS__PORT=port, FANFOLD_GATEWAY__PORT="0")

    assert ended.status == 1
    said = [line for line in ended.err.splitlines() if not line.startswith("{")]
    assert len(said) == 1
    assert said[0].startswith("Cannot listen: ")
    assert port in said[0]


async def test_a_worker_with_an_address_that_is_none_ends_with_one_sentence(fanfold: Fanfold) -> None:
    ended = await fanfold("worker", "folder", FANFOLD_MONGO__URI="mongo://host/", FANFOLD_METRICS__PORT="0")

    assert ended.status == 2
    said = [line for line in ended.err.splitlines() if not line.startswith("{")]
    assert len(said) == 1
    assert said[0].startswith("mongo.uri (FANFOLD_MONGO__URI): ")
