"""Before a message is sent the app is asked: it may deny it, drop it, change it, or say nothing."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from aiohttp import web
from callback_receiver import OK, Receiver, judge, judge_body, receiving
from callbacks_api import TOKEN
from im_api import ADMIN, APP, KEY
from pushing import push_settings

from channels.net import Net, open_net
from config.settings import ImSettings, Settings
from gateway import metrics
from gateway.im.apps import apps_of
from gateway.im.callbacks_out import CallbacksOut
from gateway.im.callbacks_out_commands import Handle, Unread, calling_back
from gateway.im.frame import Caller, Command
from gateway.im.messages_changes import read_fact, read_up_to
from gateway.im.services import OPENIM
from gateway.system import Call, Reply
from schemas.delivery import DeliveryPlanned
from schemas.im.callbacks import AFTER_READ, AFTER_SEND, AFTER_WITHDRAW, BEFORE_SEND
from schemas.im.codes import Failed
from schemas.im.message import MessageKey
from schemas.im.message_bodies import NamedMessage, SendMsg, Sent, SetMsgRead

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
AT = int(NOW.timestamp())


@pytest.fixture(scope="module")
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


@pytest.fixture(autouse=True)
def fresh(receiver: Receiver) -> None:
    receiver.answers.clear()
    receiver.received.clear()


@pytest.fixture
async def net() -> AsyncIterator[Net]:
    push = push_settings(Settings()).push.model_copy(update={"timeout_seconds": 60.0})
    async with open_net(push) as net:
        yield net


async def total(_app: str, _user: str) -> int:
    return 6


FROM_PEER = [NOW - timedelta(seconds=12), NOW - timedelta(seconds=5)]
"""When the peer's were sent, of the six."""


async def after(_app: str, _user: str, _peer: str, up_to: datetime) -> int:
    return 6 - sum(sent <= up_to for sent in FROM_PEER)


async def counts(_app: str, _sender: str, _receiver: str, key: MessageKey) -> bool:
    return key.second in FROM_PEER


UNREAD = Unread(total, after, counts)


class Sending:
    """A sender of messages, whose call is asked about; `sent` are those that went through."""

    def __init__(self, net: Net, url: str, **out: Any) -> None:
        commands = [BEFORE_SEND, AFTER_SEND]
        app = {
            "key": KEY,
            "admins": [ADMIN],
            "callbacks_out": {"url": url, "commands": commands, "token": TOKEN, **out},
        }
        settings = ImSettings.model_validate({"apps": {APP: app}})
        self.app = apps_of(settings)[APP]
        self.sent: list[SendMsg] = []
        self.fails: Failed | None = None

        async def send(caller: Caller, message: SendMsg) -> Reply:
            if self.fails is not None:
                raise self.fails
            self.sent.append(message)
            seq = 77 if message.msg_seq is None else message.msg_seq
            at = int(caller.at.timestamp())
            return Reply(Sent(msg_time=at, msg_key=f"{seq}_{message.msg_random}_{at}"))

        command = Command(operation_id="imSendMsg", service=OPENIM, name="sendmsg", body=SendMsg, handle=send)
        (self._command,) = calling_back([command], CallbacksOut(settings, net), UNREAD)

    async def __call__(self, text: str = "red packet", **fields: Any) -> Reply:
        raw = {
            "From_Account": "jared",
            "To_Account": "Jonh",
            "MsgSeq": 48374,
            "MsgRandom": 2837546,
            "MsgBody": [{"MsgType": "TIMTextElem", "MsgContent": {"Text": text}}],
            **fields,
        }
        call = Call("POST", "/", {}, {}, b"", NOW, "trace", "", remote="127.0.0.1", raw=raw)
        return await self._command.handle(Caller(self.app, ADMIN, call), msgspec.convert(raw, SendMsg))


@pytest.fixture
def send(net: Net, receiver: Receiver) -> Sending:
    return Sending(net, receiver.url)


def told_in(reply: Reply) -> Mapping[str, Any]:
    """The body of the after-callback that is to go out."""
    *_, event = reply.facts
    planned = msgspec.json.decode(event.data, type=DeliveryPlanned)
    assert event.subject == planned.lane == f"im_callback/{APP}"
    assert planned.ordered_by == f"{APP}/Jonh/jared"
    return msgspec.json.decode(planned.body or "")


async def test_the_app_is_asked_with_the_key_that_the_message_will_have(send: Sending, receiver: Receiver) -> None:
    reply = await send(CloudCustomData="data", MsgLifeTime=0)

    (asked,) = receiver.received
    judge(asked)
    assert asked.body["MsgKey"] == reply.data.msg_key == f"48374_2837546_{AT}"
    assert (asked.body["OnlineOnlyFlag"], asked.body["CloudCustomData"]) == (1, "data")
    assert len(send.sent) == 1


async def test_a_number_that_the_sender_left_out_is_chosen_before_the_app_is_asked(
    send: Sending, receiver: Receiver
) -> None:
    reply = await send(MsgSeq=None)

    (asked,) = receiver.received
    assert asked.body["MsgKey"] == reply.data.msg_key == told_in(reply)["MsgKey"]
    assert asked.body["MsgSeq"] == send.sent[0].msg_seq


@pytest.mark.parametrize(
    ("answer", "code"),
    [({"ErrorCode": 1}, 20006), ({"ErrorCode": 120001}, 120001), ({"ErrorCode": 130000}, 130000)],
)
async def test_the_app_may_deny_with_a_code_of_its_own(
    send: Sending, receiver: Receiver, answer: dict[str, Any], code: int
) -> None:
    receiver.answers[BEFORE_SEND] = lambda _: {**OK, "ErrorInfo": "not here", **answer}

    with pytest.raises(Failed) as failed:
        await send()

    assert failed.value.code == code
    assert (str(failed.value) == "not here") == (code != 20006)
    assert send.sent == []


async def test_a_message_that_is_dropped_looks_sent_to_the_sender_and_is_told_to_nobody(
    send: Sending, receiver: Receiver
) -> None:
    receiver.answers[BEFORE_SEND] = lambda _: {**OK, "ErrorCode": 2}

    reply = await send()

    assert (reply.data.msg_key, reply.data.msg_time, reply.facts) == (f"48374_2837546_{AT}", AT, ())
    assert send.sent == []


async def test_the_app_may_change_what_a_message_says_and_is_told_of_the_changed_one(
    send: Sending, receiver: Receiver
) -> None:
    said = [{"MsgType": "TIMTextElem", "MsgContent": {"Text": "flowers"}}]
    receiver.answers[BEFORE_SEND] = lambda _: {**OK, "MsgBody": said, "CloudCustomData": "new"}

    told = told_in(await send())

    assert (list(send.sent[0].msg_body), send.sent[0].cloud_custom_data) == (said, "new")
    assert (told["MsgBody"], told["CloudCustomData"], told["UnreadMsgNum"]) == (said, "new", 7)


@pytest.mark.parametrize(
    "said", [[], [{"MsgType": "TIMTextElem"}], [{"MsgType": "TIMTextElem", "MsgContent": {"Text": "x" * 20_000}}]]
)
async def test_a_change_that_makes_no_message_is_the_apps_fault(
    send: Sending, receiver: Receiver, said: list[Any]
) -> None:
    receiver.answers[BEFORE_SEND] = lambda _: {**OK, "MsgBody": said}

    reply = await send()

    told = told_in(reply)
    judge_body(told)
    assert (refusal(reply), send.sent) == (90992, [])
    assert (told["SendMsgResult"], told["UnreadMsgNum"]) == (90992, -1)
    # What was asked about, for what came of it is no message.
    assert told["MsgBody"] == receiver.received[0].body["MsgBody"]


def refusal(reply: Reply) -> int:
    assert isinstance(reply.refused, Failed)
    return reply.refused.code


async def test_what_fails_once_the_app_has_let_it_go_is_told_to_it_too(send: Sending, receiver: Receiver) -> None:
    said = [{"MsgType": "TIMTextElem", "MsgContent": {"Text": "flowers"}}]
    receiver.answers[BEFORE_SEND] = lambda _: {**OK, "MsgBody": said}
    send.fails = Failed(90012)

    reply = await send()

    told = told_in(reply)
    judge_body(told)
    assert refusal(reply) == told["SendMsgResult"] == 90012
    assert (told["UnreadMsgNum"], told["ErrorInfo"], told["MsgBody"]) == (-1, str(send.fails), said)
    with pytest.raises(Failed):
        await send(ForbidCallbackControl=["ForbidAfterSendMsgCallback"])


async def test_one_that_failed_and_is_sent_again_within_its_second_is_told_both_times(send: Sending) -> None:
    send.fails = Failed(90012)
    failed = await send()
    send.fails = None

    (first,), (second,) = failed.facts, (await send()).facts
    assert first.identity != second.identity


@pytest.mark.parametrize(
    "answer",
    [
        {**OK, "ErrorCode": 5},
        {**OK, "ErrorCode": 10100},  # a group's
        [],
        {"ErrorCode": "1"},
        {"ErrorCode": 1, "\0": ""},
        web.Response(status=500),
        web.Response(text="ErrorCode: 1"),
    ],
)
async def test_an_answer_that_says_nothing_lets_the_message_go(send: Sending, receiver: Receiver, answer: Any) -> None:
    receiver.answers[BEFORE_SEND] = lambda _: answer

    await send()

    assert len(send.sent) == 1


async def test_an_app_that_hangs_is_waited_for_two_seconds_and_not_asked_again(
    send: Sending, receiver: Receiver
) -> None:
    # What it says after that nobody hears: longer than the limit, shorter than the network's 60 s.
    receiver.answers[BEFORE_SEND] = lambda _: asyncio.sleep(6, {**OK, "ErrorCode": 1})
    given_up = metrics.IM_CALLBACKS_ASKED.labels("timeout")
    before = given_up._value.get()

    await send()

    assert len(send.sent) == len(receiver.received) == 1
    assert given_up._value.get() == before + 1


async def test_what_nobody_answers_is_denied_where_the_app_wants_that(net: Net) -> None:
    send = Sending(net, "http://127.0.0.1:1/im", when_unreachable="deny")

    with pytest.raises(Failed) as failed:
        await send()

    assert (failed.value.code, send.sent) == (20006, [])


async def test_a_sender_may_forbid_either_callback(send: Sending, receiver: Receiver) -> None:
    receiver.answers[BEFORE_SEND] = lambda _: {**OK, "ErrorCode": 1}

    reply = await send(ForbidCallbackControl=["ForbidBeforeSendMsgCallback"])
    assert (receiver.received, told_in(reply)["SendMsgResult"]) == ([], 0)

    receiver.answers.clear()
    reply = await send(ForbidCallbackControl=["ForbidAfterSendMsgCallback"])
    assert (len(receiver.received), reply.facts) == (1, ())


@pytest.mark.parametrize(
    ("fields", "unread"), [({}, 7), ({"SendMsgControl": ["NoUnread"]}, 6), ({"MsgLifeTime": 0}, 6)]
)
async def test_what_is_sent_is_counted_in_what_is_told(send: Sending, fields: dict[str, Any], unread: int) -> None:
    assert told_in(await send(**fields))["UnreadMsgNum"] == unread


async def nothing(_caller: Caller, _body: msgspec.Struct) -> Reply:
    return Reply()


async def read(caller: Caller, body: SetMsgRead) -> Reply:
    return Reply(facts=(read_fact(caller, body.report_account, body.peer_account, read_up_to(body, caller.at)),))


async def replied(
    net: Net, operation_id: str, kind: type[msgspec.Struct], handle: Handle, at: datetime = NOW, **raw: Any
) -> Reply:
    """To a call that went well."""
    out = {"url": "http://127.0.0.1:1", "commands": [AFTER_READ, AFTER_WITHDRAW]}
    settings = ImSettings.model_validate({"apps": {APP: {"key": KEY, "admins": [ADMIN], "callbacks_out": out}}})
    command = Command(operation_id=operation_id, service=OPENIM, name="x", body=kind, handle=handle)
    (command,) = calling_back([command], CallbacksOut(settings, net), UNREAD)
    call = Call("POST", "/", {}, {}, b"", at, "trace", "", remote="127.0.0.1", raw=raw)
    reply = await command.handle(Caller(apps_of(settings)[APP], ADMIN, call), msgspec.convert(raw, kind))
    judge_body(told_in(reply))
    return reply


READER = {"Report_Account": "Jonh", "Peer_Account": "jared"}


@pytest.mark.parametrize(
    ("at", "read_at", "left"),
    [
        ({}, AT, 4),
        ({"MsgReadTime": AT - 9}, AT - 9, 5),
        ({"MsgReadTime": str(AT)}, AT, 4),
        ({"MsgReadTime": AT + 3600}, AT, 4),  # too far ahead: it is now
    ],
)
async def test_what_is_read_is_told_with_what_is_left(net: Net, at: dict[str, Any], read_at: int, left: int) -> None:
    told = told_in(await replied(net, "imAdminSetMsgRead", SetMsgRead, read, **READER, **at))

    assert (told["LastReadTime"], told["UnreadMsgNum"]) == (read_at, left)


async def test_two_readings_within_a_second_are_told_both_and_one_that_comes_again_once(net: Net) -> None:
    instants = [NOW, NOW + timedelta(milliseconds=1), NOW]
    replies = [await replied(net, "imAdminSetMsgRead", SetMsgRead, read, at, **READER) for at in instants]

    first, later, again = (reply.facts[-1].identity for reply in replies)
    assert first == again != later


@pytest.mark.parametrize(("key", "left"), [("1_2_3", 6), (f"1_2_{AT - 5}", 5)])
async def test_a_recall_is_told_by_the_key_with_what_is_left(net: Net, key: str, left: int) -> None:
    message = {"From_Account": "jared", "To_Account": "Jonh", "MsgKey": key}

    told = told_in(await replied(net, "imAdminMsgWithdraw", NamedMessage, nothing, **message))

    assert told == {"CallbackCommand": AFTER_WITHDRAW, **message, "UnreadMsgNum": left}


async def test_the_same_message_again_is_the_same_delivery(send: Sending) -> None:
    first, again = await send(), await send()

    assert [event.identity for event in first.facts] == [event.identity for event in again.facts]


async def test_an_app_that_wants_no_such_callback_is_not_asked(net: Net, receiver: Receiver) -> None:
    send = Sending(net, receiver.url, commands=[AFTER_READ])

    reply = await send()

    assert (receiver.received, reply.facts) == ([], ())


async def test_where_the_network_is_not_allowed_nobody_is_asked(receiver: Receiver) -> None:
    async with open_net(Settings().push) as guarded:
        send = Sending(guarded, receiver.url)

        await send()

    assert (receiver.received, len(send.sent)) == ([], 1)
