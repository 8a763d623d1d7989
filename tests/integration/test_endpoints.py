"""Endpoints over HTTP, from being registered to being gone: what is kept of them, and what is shown."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from chat_api import eventually
from cryptography.fernet import Fernet
from desk_api import (
    HOOK,
    KEY,
    NOW,
    Installation,
    PushApi,
    a_delivery,
    insert,
    installed,
    operations,
    with_push,
)
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st
from published import published
from pydantic import SecretStr
from tg_api import serving, unready
from yarl import URL

from channels.signing import public_of, signatures
from config.settings import MongoSettings, Settings
from gateway.background import background
from schemas.delivery import State, delivery_id, lane_of
from schemas.push import PushRequested
from stores.collections import DELIVERIES, ENDPOINTS
from stores.endpoints import Endpoints, Which
from stores.vault import Vault
from workers.embedded.ports import LOOPBACK, free_port

ROBOT = {
    "channel": "dingtalk",
    "url": "https://oapi.dingtalk.com/robot/send?access_token=hunter2-token",
    "secret": "SEC-hunter2",
}
KEYED = "https://hooks.example.com/in?key=hunter2"


@pytest.fixture(scope="module")
async def desk(shared_settings: Settings) -> AsyncIterator[Installation]:
    async with installed(with_push(shared_settings)) as installation:
        yield installation


@pytest.fixture
def api(desk: Installation) -> PushApi:
    return desk.api


async def raw(desk: Installation, endpoint_id: str) -> str:
    """The document as whoever reads the store sees it."""
    return repr(await desk.database[ENDPOINTS].find_one({"_id": endpoint_id}))


async def test_an_endpoint_is_registered_shown_changed_and_deleted(desk: Installation, api: PushApi) -> None:
    kinds = ["detection.*", "order.paid"]
    made = await api.register(url=KEYED, kinds=kinds, rate_per_second=2.5, options={"headers": {"X-Key": "hunter2"}})

    assert made["id"].startswith("ep_")
    assert made["secret"].startswith("whsec_")
    shown = await api.get(f"/endpoints/{made['id']}")
    assert made == {**shown, "secret": made["secret"]}
    assert shown | {"id": "", "created_at": "", "updated_at": ""} == {
        "id": "",
        "owner": "user/7",
        "channel": "webhook",
        "url": "https://hooks.example.com/in?…",
        "options": {"headers": {"X-Key": "…"}},
        "secrets": 1,
        "signature": "hmac",
        "public_keys": [],
        "kinds": kinds,
        "serves": None,
        "rate_per_second": 2.5,
        "concurrency": 4,
        "ordered": False,
        "enabled": True,
        "disabled_reason": None,
        "disabled_at": None,
        "failing_since": None,
        "created_at": "",
        "updated_at": "",
    }

    changes = {"kinds": None, "concurrency": 8, "ordered": True, "serves": "open", "url": f"{KEYED}-2"}
    changed = (await api.told("PATCH", f"/endpoints/{made['id']}", changes)).body
    assert (changed["kinds"], changed["concurrency"], changed["ordered"], changed["serves"]) == (None, 8, True, "open")
    assert changed["rate_per_second"] == 2.5  # not named
    assert changed["updated_at"] > shown["updated_at"]
    [kept] = await desk.endpoints.by_ids([made["id"]])
    assert (kept.url, kept.options, kept.secrets) == (
        f"{KEYED}-2",
        {"headers": {"X-Key": "hunter2"}},
        (made["secret"],),
    )

    assert (await api.told("DELETE", f"/endpoints/{made['id']}", status=204)).body is None
    await api.refused("not_found", "GET", f"/endpoints/{made['id']}")
    assert await desk.endpoints.by_ids([made["id"]]) == []


@pytest.mark.parametrize(
    "fields",
    [
        {"url": KEYED, "options": {"headers": {"Authorization": "Bearer hunter2"}}},
        {"url": KEYED, "signature": "ed25519"},
        ROBOT,
        {"channel": "wecom", "url": "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=hunter2"},
        {"channel": "feishu", "url": "https://open.feishu.cn/open-apis/bot/v2/hook/hunter2", "secret": "hunter2"},
        {"channel": "apprise", "url": "json://user:hunter2@example.com/hunter2"},
    ],
)
async def test_nothing_secret_is_kept_in_clear_or_shown(
    desk: Installation, api: PushApi, fields: dict[str, Any]
) -> None:
    answered = await api.told("POST", "/endpoints", {**HOOK, **fields}, 201)
    endpoint_id, secret = answered.body["endpoint"]["id"], answered.body["secret"]
    [kept] = await desk.endpoints.by_ids([endpoint_id])
    texts = [
        answered.text.replace(secret, "") if secret else answered.text,
        (await api.told("GET", f"/endpoints/{endpoint_id}")).text,
        (await api.told("GET", "/endpoints", owner="user/7")).text,
        (await api.told("PATCH", f"/endpoints/{endpoint_id}", {"concurrency": 2})).text,
        await raw(desk, endpoint_id),
    ]

    hidden = [kept.url, "hunter2", *kept.secrets]
    assert [(text, word) for text in texts for word in hidden if word in text] == []
    assert kept.url == fields["url"]

    await api.told("DELETE", f"/endpoints/{endpoint_id}", status=204)
    tombstone = await desk.database[ENDPOINTS].find_one({"_id": endpoint_id})
    assert tombstone is not None
    assert (tombstone["url"], tombstone["options"], tombstone["secrets"]) == ("", "", [])


async def test_a_rotated_secret_is_shown_once_and_the_former_one_signs_for_as_long_as_asked(
    desk: Installation, api: PushApi
) -> None:
    made = await api.register()
    path = f"/endpoints/{made['id']}/rotate-secret"

    rotated = (await api.told("POST", path, {"grace_seconds": 60})).body

    assert rotated["secret"].startswith("whsec_")
    assert rotated["secret"] != made["secret"]
    assert rotated["endpoint"]["secrets"] == 2
    [kept] = await desk.endpoints.by_ids([made["id"]])
    assert kept.secrets == (rotated["secret"], made["secret"])
    assert not [secret for secret in kept.secrets if secret in await raw(desk, made["id"])]

    # The minute need not be waited for.
    over = {"$set": {"secrets.1.until": datetime.now(UTC) - timedelta(seconds=1)}}
    await desk.database[ENDPOINTS].update_one({"_id": made["id"]}, over)
    [kept] = await desk.endpoints.by_ids([made["id"]])
    assert kept.secrets == (rotated["secret"],)
    assert (await api.get(f"/endpoints/{made['id']}"))["secrets"] == 1

    last = (await api.told("POST", path, {"grace_seconds": 0})).body
    [kept] = await desk.endpoints.by_ids([made["id"]])
    assert kept.secrets == (last["secret"],)


async def test_without_a_body_a_rotation_keeps_the_former_secret_for_a_day(desk: Installation, api: PushApi) -> None:
    made = await api.register()
    await api.told("POST", f"/endpoints/{made['id']}/rotate-secret")

    document = await desk.database[ENDPOINTS].find_one({"_id": made["id"]})
    assert document is not None
    newest, former = document["secrets"]
    assert "until" not in newest
    assert timedelta(hours=23) < former["until"] - datetime.now(UTC) <= timedelta(days=1)


async def test_a_pair_of_keys_shows_its_public_half_and_stays_a_pair_when_it_is_rotated(
    desk: Installation, api: PushApi
) -> None:
    made = await api.register(signature="ed25519")

    assert (made["secret"], made["signature"]) == (None, "ed25519")
    [kept] = await desk.endpoints.by_ids([made["id"]])
    assert made["public_keys"] == [public_of(kept.secrets[0])]
    assert signatures(kept.secrets, "dl_1", 1, b"{}").startswith("v1a,")

    path = f"/endpoints/{made['id']}/rotate-secret"
    again = (await api.told("POST", path)).body["endpoint"]
    assert len(again["public_keys"]) == 2
    assert again["public_keys"][1] == made["public_keys"][0]
    other = (await api.told("POST", path, {"signature": "hmac"})).body
    assert other["secret"].startswith("whsec_")
    assert (other["endpoint"]["signature"], other["endpoint"]["secrets"]) == ("hmac", 3)


async def test_a_robots_secret_is_exchanged_at_once_for_the_one_that_is_brought(
    desk: Installation, api: PushApi
) -> None:
    made = await api.register(**ROBOT)
    path = f"/endpoints/{made['id']}/rotate-secret"

    assert (made["secret"], made["signature"], made["secrets"]) == (None, None, 1)
    assert "secret" in await api.refused("bad_field", "POST", path)
    rotated = (await api.told("POST", path, {"secret": "SEC-new"})).body
    assert (rotated["secret"], rotated["endpoint"]["secrets"]) == (None, 1)
    [kept] = await desk.endpoints.by_ids([made["id"]])
    assert kept.secrets == ("SEC-new",)


async def test_a_secret_of_anothers_making_is_refused_where_the_channel_has_no_use_for_it(api: PushApi) -> None:
    webhook = await api.register()
    wecom = await api.register(channel="wecom", url="https://qyapi.weixin.qq.com/?key=a")

    for made in (webhook, wecom):
        path = f"/endpoints/{made['id']}/rotate-secret"
        assert "hunter2" not in await api.refused("bad_field", "POST", path, {"secret": "hunter2"})


async def test_an_endpoint_is_disabled_with_a_reason_and_enabled_with_a_clean_slate(
    desk: Installation, api: PushApi
) -> None:
    made = await api.register()
    path = f"/endpoints/{made['id']}"
    await desk.endpoints.mark_failing(made["id"], NOW)
    await desk.endpoints.mark_failing(made["id"], NOW + timedelta(days=1))
    assert (await api.get(path))["failing_since"] == "2096-03-01T12:00:00Z"  # since the first

    disabled = (await api.told("POST", f"{path}/disable", {"reason": "moving house"})).body
    again = (await api.told("POST", f"{path}/disable")).body

    assert (disabled["enabled"], disabled["disabled_reason"]) == (False, "moving house")
    assert disabled["disabled_at"] is not None
    assert (again["disabled_reason"], again["disabled_at"]) == ("moving house", disabled["disabled_at"])
    enabled = (await api.told("POST", f"{path}/enable")).body
    assert enabled["enabled"] is True
    assert (enabled["disabled_reason"], enabled["disabled_at"], enabled["failing_since"]) == (None, None, None)


async def test_a_new_address_has_not_failed_yet(desk: Installation, api: PushApi) -> None:
    made = await api.register()
    await desk.endpoints.mark_failing(made["id"], NOW)

    changed = (await api.told("PATCH", f"/endpoints/{made['id']}", {"url": "https://other.example.com/"})).body

    assert changed["failing_since"] is None


async def test_a_dispatcher_is_told_of_every_change_and_of_nothing_else(desk: Installation, api: PushApi) -> None:
    one, other = await api.register(), await api.register()
    path = f"/endpoints/{one['id']}"

    async def told_since(instant: datetime) -> list[tuple[str, bool]]:
        return sorted((each.id, each.enabled) for each in await desk.endpoints.changed_since(instant))

    for method, suffix, body, enabled in (
        ("PATCH", "", {"concurrency": 2}, True),
        ("POST", "/rotate-secret", None, True),
        ("POST", "/disable", None, False),
        ("POST", "/enable", None, True),
        ("DELETE", "", None, False),
    ):
        before = await _stamped_after(desk, one["id"], other["id"])
        await api.call(method, path + suffix, body)
        assert await told_since(before) == [(one["id"], enabled)]
    assert await told_since(datetime.now(UTC) + timedelta(hours=1)) == []


async def _stamped_after(desk: Installation, *endpoint_ids: str) -> datetime:
    """A moment past all changes so far, and before any to come."""
    found = await desk.database[ENDPOINTS].find({}, {"updated_at": 1}).to_list()
    latest: datetime = max(document["updated_at"] for document in found)

    async def past() -> bool:
        return datetime.now(UTC) >= latest + timedelta(milliseconds=2)

    await eventually(past)
    return latest + timedelta(milliseconds=1)


async def test_a_secret_whose_time_is_over_is_a_change(desk: Installation, api: PushApi) -> None:
    made = await api.register()
    await api.told("POST", f"/endpoints/{made['id']}/rotate-secret", {"grace_seconds": 3600})
    before = await _stamped_after(desk, made["id"])
    assert await desk.endpoints.changed_since(before) == []

    over = {"$set": {"secrets.1.until": before}}
    await desk.database[ENDPOINTS].update_one({"_id": made["id"]}, over)

    [changed] = await desk.endpoints.changed_since(before)
    assert (changed.id, len(changed.secrets)) == (made["id"], 1)


async def test_a_router_finds_enabled_endpoints_by_owner_and_by_what_they_serve_without_their_secrets(
    desk: Installation, api: PushApi
) -> None:
    first = await api.register(owner="customer/77", kinds=["a.*"])
    second = await api.register(owner="customer/77", **ROBOT, serves="dingding")
    other = await api.register(owner="customer/78", serves="wechat")
    off = await api.register(owner="customer/77", serves="dingding")
    await api.told("POST", f"/endpoints/{off['id']}/disable")

    found = await desk.endpoints.of_owners(["customer/77", "customer/78", "customer/79"])
    [serving_it] = await desk.endpoints.serving("dingding")

    assert {owner: [each.id for each in owned] for owner, owned in found.items()} == {
        "customer/77": [first["id"], second["id"]],
        "customer/78": [other["id"]],
    }
    assert serving_it.id == second["id"]
    assert found["customer/77"][0].kinds == ("a.*",)
    for endpoint in (*found["customer/77"], serving_it):
        assert (endpoint.url, endpoint.options, endpoint.secrets) == ("", {}, ())


async def test_a_test_is_a_push_to_the_endpoint_itself(desk: Installation, api: PushApi) -> None:
    made = await api.register(kinds=["order.*"])

    sent = (await api.told("POST", f"/endpoints/{made['id']}/test", status=202)).body

    [event] = [each for each in await published(desk.settings.kafka) if each.type == "push.requested"]
    push = msgspec.json.decode(event.data, type=PushRequested)
    assert (push.recipient, push.kind, push.urgency) == (f"endpoint/{made['id']}", "endpoint.test", "critical")
    assert push.title
    assert push.body
    assert event.subject == push.recipient
    assert sent == {
        "push": event.identity,
        "delivery": delivery_id(event.identity, push.recipient, "webhook", made["id"]),
    }
    await api.told("POST", f"/endpoints/{made['id']}/disable", {"reason": "moving house"})
    assert "moving house" in await api.refused("conflict", "POST", f"/endpoints/{made['id']}/test")


# ---- recovering -----------------------------------------------------------------------------------------------------


async def test_what_was_given_up_since_a_time_stands_in_line_again_in_its_old_order(
    desk: Installation, api: PushApi
) -> None:
    made = await api.register()
    since = NOW - timedelta(hours=1)

    def a_dead(order: int, **fields: Any) -> dict[str, Any]:
        return a_delivery(State.DEAD, made["id"], order=order, **fields)

    dead = [a_dead(order, ordered_by=f"{made['id']}/c") for order in (5, 3, 9)] + [a_dead(7, requested_at=since)]
    left = [
        a_dead(1, requested_at=since - timedelta(milliseconds=1)),
        a_delivery(State.DEAD, "ep_another", order=2),
        a_delivery(State.DELIVERED, made["id"], order=4),
        a_delivery(State.CANCELLED, made["id"], order=6),
        a_delivery(State.WAITING, made["id"], order=8),
    ]
    await insert(desk.database, *dead, *left)

    path = f"/endpoints/{made['id']}/recover"
    recovered = (await api.told("POST", path, {"since": since.isoformat()})).body

    assert recovered == {"recovered": 4}
    in_line = {"lane": lane_of("webhook", made["id"]), "state": "parked"}
    parked = await desk.database[DELIVERIES].find(in_line).sort([("order", 1)]).to_list()
    assert [each["order"] for each in parked] == [3, 5, 7, 9]
    assert [each.get("ordered_open") for each in parked] == [
        f"{made['id']}/c",
        f"{made['id']}/c",
        None,
        f"{made['id']}/c",
    ]
    assert all(each["failures"] == 0 and not {"reason", "finished_at", "due_at"} & each.keys() for each in parked)
    for document in left:
        assert await desk.database[DELIVERIES].find_one({"_id": document["_id"]}) == document
    assert (await api.told("POST", path, {"since": since.isoformat()})).body == {"recovered": 0}


async def test_more_than_is_taken_at_once_is_recovered_though_all_of_it_dies_again_meanwhile(
    desk: Installation, api: PushApi
) -> None:
    made = await api.register()
    # Offsets repeat where a log was lost and begun anew.
    await insert(desk.database, *(a_delivery(State.DEAD, made["id"], order=7) for _ in range(520)))

    async def kill_again() -> None:
        parked = {"target": made["id"], "state": "parked"}
        while True:
            await desk.database[DELIVERIES].update_many(parked, {"$set": {"state": "dead", "reason": "refused"}})

    async with background(kill_again(), "kill again"):
        recovered = (await api.told("POST", f"/endpoints/{made['id']}/recover", {"since": NOW.isoformat()})).body

    assert recovered == {"recovered": 520}


async def test_nothing_is_recovered_while_the_endpoint_is_disabled(desk: Installation, api: PushApi) -> None:
    made = await api.register()
    await insert(desk.database, a_delivery(State.DEAD, made["id"]))
    await api.told("POST", f"/endpoints/{made['id']}/disable", {"reason": "moving house"})

    path = f"/endpoints/{made['id']}/recover"
    assert "enable it first" in await api.refused("conflict", "POST", path, {"since": NOW.isoformat()})
    assert await desk.database[DELIVERIES].count_documents({"target": made["id"], "state": "dead"}) == 1


# ---- lists ----------------------------------------------------------------------------------------------------------


async def all_pages(api: PushApi, limit: int, **query: str) -> list[str]:
    ids: list[str] = []
    after: dict[str, str] = {}
    while True:
        page = await api.get("/endpoints", limit=str(limit), **query, **after)
        assert len(page["endpoints"]) <= limit
        ids += [each["id"] for each in page["endpoints"]]
        if page["next"] is None:
            return ids
        after = {"after": page["next"]}


async def test_endpoints_are_listed_newest_first_by_owner_channel_and_whether_they_are_enabled(api: PushApi) -> None:
    owner = "contact/lists"
    hooks = [(await api.register(owner=owner))["id"] for _ in range(4)]
    robot = (await api.register(owner=owner, **ROBOT))["id"]
    await api.told("POST", f"/endpoints/{hooks[1]}/disable")
    gone = (await api.register(owner=owner))["id"]
    await api.told("DELETE", f"/endpoints/{gone}", status=204)

    newest_first = [robot, *reversed(hooks)]
    for limit in (1, 2, 5, 6):
        assert await all_pages(api, limit, owner=owner) == newest_first
    assert await all_pages(api, 2, owner=owner, channel="dingtalk") == [robot]
    assert await all_pages(api, 2, owner=owner, enabled="false") == [hooks[1]]
    assert await all_pages(api, 2, owner=owner, enabled="true") == [each for each in newest_first if each != hooks[1]]
    assert await all_pages(api, 2, owner="contact/nobody") == []
    assert set(newest_first) < set(await all_pages(api, 7))


async def test_a_page_goes_on_behind_an_endpoint_that_is_gone_meanwhile(api: PushApi) -> None:
    owner = "contact/gone"
    first, second, third = [(await api.register(owner=owner))["id"] for _ in range(3)]
    page = await api.get("/endpoints", owner=owner, limit="2")
    assert page["next"] == second
    await api.told("DELETE", f"/endpoints/{second}", status=204)

    rest = await api.get("/endpoints", owner=owner, limit="2", after=page["next"])

    assert [each["id"] for each in rest["endpoints"]] == [first]
    assert third


@effort(max_examples=15, deadline=None)
@given(owners=st.lists(st.sampled_from(["user/a", "user/b"]), max_size=12), limit=st.integers(1, 5))
async def test_all_pages_together_are_all_endpoints_once(desk: Installation, owners: list[str], limit: int) -> None:
    await desk.database["endpoints"].delete_many({"owner": {"$in": ["user/a", "user/b"]}})
    made = [((await desk.api.register(owner=owner))["id"], owner) for owner in owners]

    for owner in ("user/a", "user/b"):
        found, after = list[str](), None
        while page := await desk.endpoints.page(Which(owner=owner), after=after, limit=limit):
            found += [each.id for each in page]
            after = page[-1].id
        assert found == sorted((made_id for made_id, its in made if its == owner), reverse=True)


# ---- refusals -------------------------------------------------------------------------------------------------------

BY_ID = [
    ("GET", "", None),
    ("PATCH", "", {"concurrency": 2}),
    ("PATCH", "", {}),
    ("DELETE", "", None),
    ("POST", "/rotate-secret", None),
    ("POST", "/test", None),
    ("POST", "/enable", None),
    ("POST", "/disable", None),
    ("POST", "/recover", {"since": "2096-03-01T12:00:00Z"}),
]


@pytest.mark.parametrize("endpoint_id", ["ep_01KXYZ0123456789ABCDEFGHJK", "x", "%00", "a%2Fb", "%ff", "$where"])
async def test_an_endpoint_that_there_is_not_is_not_found_by_any_operation(api: PushApi, endpoint_id: str) -> None:
    for method, suffix, body in BY_ID:
        url = URL(f"/endpoints/{endpoint_id}{suffix}", encoded=True)
        async with api.http.request(method, url, json=body, headers=api.headers) as answer:
            assert (answer.status, (await answer.json())["reason"]) == (404, "not_found"), (method, suffix)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({**HOOK, "channel": "pigeon"}, "channel is one of apprise, dingtalk, feishu, sms, webhook, wecom"),
        ({**HOOK, "channel": "telegram"}, "channel is one of"),
        ({**HOOK, "url": "file:///etc/passwd"}, "url: "),
        ({**HOOK, "url": "https://hooks.example.com/a?…"}, "…"),
        ({**HOOK, "options": {"headers": {"webhook-id": "1"}}}, "options: "),
        ({**HOOK, "secret": "whsec_mine"}, "secret: "),
        ({**HOOK, "rate": 1}, "rate"),
        ({**HOOK, "owner": "nobody"}, "owner"),
        ({**HOOK, **ROBOT, "signature": "hmac"}, "signature: "),
    ],
)
async def test_what_cannot_be_registered_is_refused_and_nothing_kept(
    desk: Installation, api: PushApi, body: dict[str, Any], told: str
) -> None:
    count = await desk.database[ENDPOINTS].count_documents({})

    assert told in await api.refused("bad_field", "POST", "/endpoints", body)
    assert await desk.database[ENDPOINTS].count_documents({}) == count


async def test_a_change_that_the_channel_cannot_use_changes_nothing(desk: Installation, api: PushApi) -> None:
    made = await api.register()
    before = await raw(desk, made["id"])

    for changes in (
        {"url": "ftp://example.com/", "concurrency": 2},
        {"options": {"format": "text"}, "concurrency": 2},
        {"concurrency": 0},
        {"owner": "user/8"},
    ):
        await api.refused("bad_field", "PATCH", f"/endpoints/{made['id']}", changes)
    await api.told("PATCH", f"/endpoints/{made['id']}", {})
    assert await raw(desk, made["id"]) == before


@pytest.mark.parametrize(
    "query",
    [{"limit": "0"}, {"limit": "x"}, {"enabled": "yes"}, {"own": "user/1"}, {"owner": "a", "state": "dead"}],
)
async def test_a_question_that_means_nothing_is_refused(api: PushApi, query: dict[str, str]) -> None:
    await api.refused("bad_field", "GET", "/endpoints", **query)


async def test_what_is_no_json_object_is_refused(api: PushApi) -> None:
    for body in (b"[]", b"{", b'"x"', b"\xff", b"null"):
        headers = api.headers | {"Content-Type": "application/json"}
        async with api.http.post("/endpoints", data=body, headers=headers) as answer:
            assert (answer.status, (await answer.json())["reason"]) == (400, "bad_json")
    async with api.http.post("/endpoints", data=b"{}", headers=api.headers | {"Content-Type": "text/plain"}) as answer:
        assert (answer.status, (await answer.json())["reason"]) == (415, "wrong_content_type")


async def test_nobody_without_a_known_token_is_let_in(api: PushApi) -> None:
    made = await api.register()
    for token in ("another", ""):
        stranger = PushApi(api.http, token)
        await stranger.refused("unauthenticated", "POST", "/endpoints", HOOK)
        await stranger.refused("unauthenticated", "GET", "/endpoints")
        for method, suffix, body in BY_ID:
            await stranger.refused("unauthenticated", method, f"/endpoints/{made['id']}{suffix}", body)
    assert (await api.get(f"/endpoints/{made['id']}"))["enabled"] is True


async def test_unknown_paths_and_other_methods_are_refused(api: PushApi) -> None:
    await api.refused("not_found", "GET", "/endpoints/ep_1/secrets")
    await api.refused("not_found", "POST", "/endpoints/ep_1/rotate")
    await api.refused("method_not_allowed", "PUT", "/endpoints/ep_1")
    await api.refused("method_not_allowed", "DELETE", "/endpoints")


async def test_without_settings_the_missing_one_is_named(shared_settings: Settings) -> None:
    async with serving(with_push(shared_settings, tokens=[])) as http:
        api = PushApi(http)
        assert "FANFOLD_PUSH__TOKENS" in await api.refused("not_configured", "GET", "/endpoints")
    async with serving(with_push(shared_settings, secrets_keys=[])) as http:
        api = PushApi(http)
        assert "FANFOLD_PUSH__SECRETS_KEYS" in await api.refused("not_configured", "POST", "/endpoints", HOOK)


async def test_while_the_store_is_away_callers_are_told_so(shared_settings: Settings) -> None:
    nowhere = MongoSettings.model_validate({"uri": f"mongodb://{LOOPBACK}:{free_port()}/", "timeout_seconds": 0.05})
    away = with_push(shared_settings).model_copy(update={"mongo": nowhere})
    async with unready(away) as http:
        api = PushApi(http)
        await api.refused("store_away", "POST", "/endpoints", HOOK)
        await api.refused("store_away", "GET", "/endpoints")
        for method, suffix, body in BY_ID[::3]:
            await api.refused("store_away", method, f"/endpoints/ep_1{suffix}", body)


# ---- keys -----------------------------------------------------------------------------------------------------------


async def test_after_all_is_encrypted_anew_the_older_key_can_go(settings: Settings) -> None:
    newer = Fernet.generate_key().decode()
    async with installed(with_push(settings)) as desk:
        made = [await desk.api.register(url=f"{KEYED}{number}") for number in range(3)]
        await desk.api.told("POST", f"/endpoints/{made[0]['id']}/rotate-secret")
        before = await desk.endpoints.by_ids([each["id"] for each in made])

        both = Endpoints(desk.database, Vault([SecretStr(newer), SecretStr(KEY)]))
        assert sorted([each async for each in both.renew()]) == sorted(each["id"] for each in made)

        renewed = await Endpoints(desk.database, Vault([SecretStr(newer)])).by_ids([each["id"] for each in made])
        assert renewed == before
        assert "FANFOLD_PUSH__SECRETS_KEYS" in await desk.api.refused("not_configured", "GET", "/endpoints")


async def test_every_operation_answers_as_the_contract_says(api: PushApi, capsys: pytest.CaptureFixture[str]) -> None:
    made = await api.register()
    path = f"/endpoints/{made['id']}"
    await api.told("GET", "/endpoints")
    await api.told("GET", path)
    await api.told("PATCH", path, {"url": KEYED, "options": {}, "kinds": ["a"], "serves": "open", "rate_per_second": 1})
    await api.told("POST", f"{path}/rotate-secret", {"grace_seconds": 60, "signature": "ed25519"})
    await api.told("POST", f"{path}/test", status=202)
    await api.told("POST", f"{path}/disable", {"reason": "moving house"})
    await api.told("POST", f"{path}/enable")
    await api.told("POST", f"{path}/recover", {"since": "2096-03-01T20:00:00+08:00"})
    await api.told("DELETE", path, status=204)

    known = operations("/endpoints")
    answered = known & api.answered
    with capsys.disabled():
        print(f"\nendpoints contract: {len(answered)} of {len(known)} operations answered as it says")  # noqa: T201
    assert answered == known
