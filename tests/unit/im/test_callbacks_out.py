"""Callbacks out, without a network: where they go, what an answer means, what the settings refuse."""

import asyncio
import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from channels.channel import Came, Message, Target
from channels.net import open_net
from channels.registry import ways
from channels.ways.im_callback import callback_url
from config.settings import ImCallbacksOut, ImSettings, Settings
from gateway.im.apps import apps_of
from gateway.im.callbacks_out import CallbacksOut, Verdict, _obeyed
from gateway.im.callbacks_out_commands import Unread, calling_back
from gateway.im.frame import Caller, Command
from gateway.im.services import SNS
from gateway.system import Call, Reply
from schemas.delivery import DeliveryPlanned, lane_of
from schemas.events import Event
from schemas.im.bodies import Nothing
from schemas.im.callbacks import AFTER_SEND, BEFORE_SEND, FRIEND_ADD, FRIEND_DELETE
from schemas.im.codes import Failed
from schemas.im.sns_facts import FRIEND_ADDED, FRIEND_DELETED, FriendAdded, FriendDeleted

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def an_out(url: str = "https://example.com/im?key=k%20k", **fields: Any) -> ImCallbacksOut:
    return ImCallbacksOut.model_validate({"url": url, "commands": [AFTER_SEND], **fields})


def test_the_query_is_added_to_what_the_url_has() -> None:
    url = callback_url(an_out(), "1", AFTER_SEND, "192.0.2.1", "RESTAPI", 0.0)

    assert dict(url.query) == {
        "key": "k k",
        "SdkAppid": "1",
        "CallbackCommand": AFTER_SEND,
        "contenttype": "json",
        "ClientIP": "192.0.2.1",
        "OptPlatform": "RESTAPI",
    }
    assert (url.host, url.path) == ("example.com", "/im")


@given(token=st.text(min_size=1), now=st.floats(min_value=0, max_value=2**33))
def test_a_receiver_can_check_the_signature(token: str, now: float) -> None:
    out = an_out(token=SecretStr(token))

    query = callback_url(out, "1", AFTER_SEND, "", "RESTAPI", now).query

    assert query["RequestTime"] == str(int(now))
    signed = (token + query["RequestTime"]).encode("utf-8", "surrogatepass")
    assert query["Sign"] == hashlib.sha256(signed).hexdigest()


@pytest.mark.parametrize("url", ["ftp://example.com", "example.com/secret-path", "https://", ""])
def test_a_url_that_callbacks_cannot_go_to_is_refused_without_being_shown(url: str) -> None:
    with pytest.raises(ValidationError) as caught:
        an_out(url)

    # As mistakes in the settings are shown (`workers.commands.mistakes`): by message.
    assert "secret-path" not in str([details["msg"] for details in caught.value.errors()])


@pytest.mark.parametrize("command", ["C2C.CallbackAfterSendMessage", "Sns.CallbackPrevFriendAdd", "State.StateChange"])
def test_a_callback_that_is_never_made_is_refused_by_name(command: str) -> None:
    with pytest.raises(ValidationError, match=f"no such command here: {command}; callbacks out are .*{AFTER_SEND}"):
        an_out(commands=[AFTER_SEND, command])


async def test_an_app_without_a_url_is_given_up_at_once() -> None:
    settings = Settings()
    async with open_net(settings.push) as net, ways()["im_callback"].open(settings, net) as channel:
        message = msgspec.convert(
            {
                "id": "dl_1",
                "kind": AFTER_SEND,
                "title": None,
                "body": "{}",
                "fields": {},
                "urgency": "normal",
                "language": "en",
                "recipient": "endpoint/im_callback:1",
                "at": "2026-01-02T03:04:05Z",
            },
            Message,
        )
        receipt = await channel.send(message, Target(address="1"))

    assert receipt.came == Came.REFUSED


APP = "1400000001"


def friends_told(operation_id: str, command: str, kind: str, facts: Sequence[msgspec.Struct]) -> list[DeliveryPlanned]:
    """What goes out after a call that has changed these friendships."""
    events = tuple(Event(f"{kind}/{n}", "im", kind, "s", NOW, msgspec.json.encode(f)) for n, f in enumerate(facts))

    async def changed(_caller: Caller, _body: object) -> Reply:
        return Reply(facts=events)

    out = {"url": "https://example.com/im", "commands": [command]}
    settings = ImSettings.model_validate({"apps": {APP: {"key": "k", "admins": ["admin"], "callbacks_out": out}}})
    called = Command(operation_id=operation_id, service=SNS, name="x", body=Nothing, handle=changed)
    (called,) = calling_back([called], CallbacksOut(settings, None), NO_UNREAD)
    call = Call("POST", "/", {}, {}, b"", NOW, "trace", "", raw={"From_Account": "me"})
    reply = asyncio.run(called.handle(Caller(apps_of(settings)[APP], "admin", call), Nothing()))  # type: ignore[arg-type]
    # Decoded as it is for the ledger: what does not decode is set aside there, and never sent.
    return [msgspec.json.decode(fact.data, type=DeliveryPlanned) for fact in reply.facts[len(events) :]]


async def none(*_: object) -> int:
    return 0


async def never(*_: object) -> bool:
    return False


NO_UNREAD = Unread(none, none, never)


def test_of_many_friends_every_one_is_told_in_deliveries_that_fit() -> None:
    names = [f"{number:\\>32}" for number in range(3000)]  # JSON writes a backslash as two
    deleted = [FriendDeleted(account=f"{APP}/{quote(name)}", friend="x" * 32) for name in names]
    added = [
        FriendAdded(account=f"{APP}/me", friend=name, initiator="me", admin="admin", forced=False) for name in names
    ]

    planned = friends_told("imFriendDeleteAll", FRIEND_DELETE, FRIEND_DELETED, deleted)
    made = friends_told("imFriendAdd", FRIEND_ADD, FRIEND_ADDED, added)

    for deliveries, place in ((planned, "From_Account"), (made, "To_Account")):
        bodies = [msgspec.json.decode(each.body or "") for each in deliveries]
        assert [pair[place] for body in bodies for pair in body["PairList"]] == names
        assert len({each.id for each in deliveries}) == len(deliveries) == 6
        assert {each.ordered_by for each in deliveries} == {f"{APP}/me"}
    assert {body["ClientCmd"] for body in bodies} == {"friend_add"}


def test_the_lane_of_an_app_is_found_again_from_its_name() -> None:
    # As the dispatcher does with a lane that it finds in the store.
    assert lane_of("im_callback", "1400000001").partition("/")[2] == "1400000001"


@pytest.mark.parametrize(("code", "sender_gets"), [(1, 20006), (120001, 120001), (130000, 130000)])
def test_a_denial_reaches_the_sender(code: int, sender_gets: int) -> None:
    with pytest.raises(Failed) as failed:
        _obeyed(BEFORE_SEND, Verdict(error_code=code))

    assert failed.value.code == sender_gets


@pytest.mark.parametrize("code", [3, -1, 120000, 130001, 10100, 38000])
def test_a_code_that_means_nothing_here_lets_the_message_go_unchanged(code: int) -> None:
    assert _obeyed(BEFORE_SEND, Verdict(error_code=code, cloud_custom_data="x")) == Verdict()
