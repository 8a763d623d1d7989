"""`fanfold endpoints` and `fanfold deliveries` as they are run, against a real broker and store."""

import json
from datetime import timedelta
from typing import Any

import pytest
from command import Fanfold
from cryptography.fernet import Fernet
from desk_api import KEY, NOW, a_delivery, insert
from published import published
from pydantic import SecretStr

from config.settings import Settings
from config.topics import Topic
from schemas.delivery import State
from stores.collections import DELIVERIES, ensure_indexes
from stores.endpoints import Endpoints
from stores.mongo import Database
from stores.vault import Vault

URL = "https://hooks.example.com/in?key=hunter2"


@pytest.fixture
def fanfold(settings: Settings) -> Fanfold:
    return Fanfold(settings, FANFOLD_PUSH__SECRETS_KEYS=json.dumps([KEY]))


async def deliveries(database: Database, **asked: Any) -> list[dict[str, Any]]:
    return await database[DELIVERIES].find(asked).sort([("_id", 1)]).to_list()


async def test_an_endpoint_is_registered_seen_changed_tested_and_deleted(
    fanfold: Fanfold, settings: Settings, synced: tuple[Topic, ...], database: Database
) -> None:
    await ensure_indexes(database)
    options = ("--kind", "order.*", "--kind", "detection.*", "--rate", "2.5", "--ordered")
    made = (await fanfold("endpoints", "create", "--owner", "user/7", "--url", URL, *options, "--json")).json
    endpoint_id = made["endpoint"]["id"]

    assert made["secret"].startswith("whsec_")
    assert (made["endpoint"]["kinds"], made["endpoint"]["ordered"]) == (["order.*", "detection.*"], True)
    shown = await fanfold("endpoints", "show", endpoint_id)
    assert "https://hooks.example.com/in?…" in shown.out
    assert "4 at once, 2.5 a second" in shown.out
    changed = (await fanfold("endpoints", "update", endpoint_id, '{"concurrency": 9, "kinds": null}', "--json")).json
    assert (changed["concurrency"], changed["kinds"]) == (9, None)
    rotated = await fanfold("endpoints", "rotate-secret", endpoint_id, "--grace", "60")
    assert "shown this once" in rotated.out
    assert "whsec_" in rotated.out

    sent = (await fanfold("endpoints", "test", endpoint_id, "--json")).json
    [event] = [each for each in await published(settings.kafka) if each.type == "push.requested"]
    assert (event.identity, event.subject) == (sent["push"], f"endpoint/{endpoint_id}")

    disabled = (await fanfold("endpoints", "disable", endpoint_id, "--reason", "moving house", "--json")).json
    assert disabled["disabled_reason"] == "moving house"
    refused = await fanfold("endpoints", "test", endpoint_id)
    assert (refused.status, refused.err) == (1, f"endpoint {endpoint_id} is disabled (moving house): enable it first\n")
    listed = await fanfold("endpoints", "list", "--disabled")
    assert endpoint_id in listed.out
    assert "disabled: moving house" in listed.out
    deleted = await fanfold("endpoints", "delete", endpoint_id)
    assert (deleted.status, deleted.out) == (0, f"{endpoint_id} is deleted\n")
    enabled = await fanfold("endpoints", "enable", endpoint_id)
    assert (enabled.status, enabled.err) == (1, f"no endpoint {endpoint_id}\n")
    for ended in (shown, rotated, listed):
        assert "hunter2" not in ended.out + ended.err


async def test_secrets_can_be_typed_in_and_keys_exchanged(fanfold: Fanfold, database: Database) -> None:
    await ensure_indexes(database)
    robot = ("--channel", "dingtalk", "--url", "-", "--secret", "-", "--options", '{"format": "markdown"}')
    typed = "https://oapi.dingtalk.com/robot/send?access_token=hunter2\nSEC-hunter2\n"

    made = await fanfold("endpoints", "create", "--owner", "user/7", *robot, "--json", typed=typed)

    assert made.json["secret"] is None
    assert "hunter2" not in made.out
    endpoint_id = made.json["endpoint"]["id"]
    newer = Fernet.generate_key().decode()
    done = await fanfold("endpoints", "reencrypt", FANFOLD_PUSH__SECRETS_KEYS=json.dumps([newer, KEY]))
    assert (done.status, done.out) == (0, "1 endpoints are encrypted with the newest key\n")
    [kept] = await Endpoints(database, vault(newer)).by_ids([endpoint_id])
    assert (kept.url, kept.secrets) == (typed.splitlines()[0], ("SEC-hunter2",))
    locked = await fanfold("endpoints", "show", endpoint_id)
    assert (locked.status, locked.err) == (
        1,
        f"endpoint {endpoint_id}: none of the keys in FANFOLD_PUSH__SECRETS_KEYS fits what is encrypted\n",
    )
    deleted = await fanfold("endpoints", "delete", endpoint_id)  # which needs no key
    assert deleted.status == 0


def vault(key: str) -> Vault:
    return Vault([SecretStr(key)])


async def test_deliveries_are_listed_shown_tried_again_cancelled_and_recovered(
    fanfold: Fanfold, database: Database
) -> None:
    await ensure_indexes(database)
    created = await fanfold("endpoints", "create", "--owner", "user/7", "--url", URL, "--json")
    endpoint = created.json["endpoint"]["id"]
    hostile = "\x1b[2Jscreen"
    answers = [{"at": NOW, "outcome": "retry", "seconds": 0.5, "status": 503, "response": hostile}]
    waiting, parked, dead, delivered = await insert(
        database,
        a_delivery(State.WAITING, endpoint, attempts=answers, requested_at=NOW + timedelta(minutes=1)),
        a_delivery(State.PARKED, endpoint),
        a_delivery(State.DEAD, endpoint),
        a_delivery(State.DELIVERED, endpoint),
    )

    table = await fanfold("deliveries", "list", "--endpoint", endpoint, "--limit", "1")
    assert waiting in table.out
    assert "retry 503" in table.out
    assert "\x1b" not in table.out
    place = table.out.partition("--after '")[2].partition("'")[0]
    rest = (await fanfold("deliveries", "list", "--endpoint", endpoint, "--after", place, "--json")).json
    assert {each["id"] for each in rest["deliveries"]} == {parked, dead, delivered}
    [row] = (await fanfold("deliveries", "list", "--state", "dead", "--since", "2096-03-01T12:00:00Z", "--json")).json[
        "deliveries"
    ]
    assert row["id"] == dead

    shown = await fanfold("deliveries", "show", waiting)
    assert r"\x1b[2Jscreen" in shown.out
    assert "Order 1 is paid" in shown.out
    assert (await fanfold("deliveries", "show", dead, "--json")).json["reason"] == "refused"

    retried = await fanfold("deliveries", "retry", waiting, delivered, "dl_none")
    assert (retried.status, retried.out) == (1, "1 of 3 to be tried now\n")
    assert f"delivery {delivered} is delivered: " in retried.err
    assert "no delivery dl_none" in retried.err
    cancelled = (await fanfold("deliveries", "cancel", parked, "--json")).json
    assert [each["state"] for each in cancelled["deliveries"]] == ["cancelled"]

    recovered = await fanfold("endpoints", "recover", endpoint, "--since", "2096-03-01T12:00:00Z")
    assert (recovered.status, recovered.out) == (0, "1 deliveries stand in line again\n")
    assert [each["_id"] for each in await deliveries(database, state="parked")] == [dead]
