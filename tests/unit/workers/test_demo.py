"""The demo's own parts: traffic that holds everything, a model that does not guess, a verdict that is not kind."""

import io
import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import msgspec
import orjson
from rich.console import Console

from workers.demo.expected import Model, World
from workers.demo.report import Line, compare, judge
from workers.demo.seeing import Panel
from workers.demo.traffic import BAN, EVENTS, LOGIN, NOTICE, OK, Author, Request

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SIGNED = (LOGIN, BAN, NOTICE)


def signed(path: str, **body: Any) -> Request:
    return Request(path, orjson.dumps(body))


def world(*requests: Request, now: datetime = NOW) -> World:
    model = Model()
    for request in requests:
        model.take(request)
    return model.world([], now)


def test_the_same_seed_writes_the_same_traffic_and_another_does_not() -> None:
    first, again, other = (Author(seed, NOW, 20).traffic(300) for seed in (1, 1, 2))

    assert first == again
    assert first != other


def test_the_traffic_holds_every_kind_of_call_and_of_mistake() -> None:
    traffic = Author(1, NOW, 300).traffic(6_000)
    good = Counter(request.path.partition("?")[0] for request in traffic.requests if request.outcome == OK)

    assert good.keys() == {LOGIN, BAN, NOTICE, EVENTS, "/v4/openim/sendmsg", "/v4/openim/importmsg"}
    assert {request.outcome for request in traffic.requests} == {
        OK,
        "bad_field",
        "bad_json",
        "bad_signature",
        "method_not_allowed",
        "not_found",
        "stale",
        "unauthenticated",
        "wrong_content_type",
    }
    assert any(request.again for request in traffic.requests)
    assert {record.reason for record in traffic.poison} == {"not_a_cloudevent", "unknown_type", "bad_payload"}


def test_no_two_signed_calls_have_the_same_time() -> None:
    requests = Author(1, NOW, 300).traffic(2_000).requests
    sent = [request for request in requests if request.outcome == OK and request.path in SIGNED and not request.again]
    times = [json.loads(request.body)["timestamp"] for request in sent]

    assert len(set(times)) == len(times)


def test_the_order_in_which_answers_come_changes_nothing_that_is_expected() -> None:
    traffic = Author(1, NOW, 50).traffic(500)
    shuffled = list(traffic.requests)
    Random(7).shuffle(shuffled)

    assert world(*shuffled) == world(*traffic.requests)


def test_of_two_logins_the_later_by_its_own_time_decides() -> None:
    login, logout = (signed(LOGIN, userId="u", onOffline=code, timestamp=at) for code, at in ((0, 1), (1, 2)))

    assert world(logout, login).accounts == {"u": (False, False)}
    assert world(logout, login).login_log == 2


def test_a_ban_is_over_at_its_end_on_chinese_clocks() -> None:
    ban = signed(BAN, userId="u", status=2, timestamp=1, unlockTime="2026-01-02 11:04:05")

    assert world(ban, now=NOW - timedelta(seconds=1)).accounts == {"u": (False, True)}
    assert world(ban, now=NOW).accounts == {"u": (False, False)}


def test_a_notice_bans_only_those_who_were_checked_and_asks_for_each_push() -> None:
    records = [
        {"userId": user, "checkStatus": checked, "inspectionStatus": status, "unLockTime": ""}
        for user, checked, status in (("a", "1", "2"), ("b", "1", "1"), ("c", "0", "2"))
    ]
    notice = signed(NOTICE, timestamp=1, recordList=records, receiveEmail="x@e;y@e", receiveUserId="r")

    found = world(notice)

    assert found.accounts == {"a": (False, True), "b": (False, False)}
    assert found.pushes == {"email": 2, "user": 1}
    assert found.unread == {"email/x@e": 1, "email/y@e": 1, "user/r": 1}
    assert found.webhooks == 1


def test_what_is_sent_again_counts_once() -> None:
    login = signed(LOGIN, userId="u", onOffline=0, timestamp=1)
    event = {"id": "e", "type": "customer.synced", "data": {"customer_id": "c"}}
    events = Request(EVENTS, orjson.dumps([event, event]))

    found = world(login, msgspec.structs.replace(login, again=True), events)

    assert (found.login_log, found.answered_from_memory) == (1, 1)
    assert (found.customers, found.duplicates_dropped) == (1, 1)


def verdict(lines: list[Line], unexpected: list[str]) -> tuple[int, str]:
    console = Console(file=io.StringIO(), width=100)
    status = judge(console, {"": lines}, unexpected)
    return status, console.file.getvalue()


def test_one_number_that_differs_fails_the_demo_by_its_name() -> None:
    status, text = verdict([Line("online", 3, 3), Line("banned", 2, 1)], [])

    assert status == 1
    assert "1 numbers differ: banned" in text


def test_one_unexpected_answer_fails_the_demo() -> None:
    assert verdict([Line("online", 3, 3)], ["/x: internal in place of ok"])[0] == 1


def test_all_numbers_agreeing_is_a_success() -> None:
    assert verdict([Line("online", 3, 3)], []) == (0, "All 1 numbers agree with what was sent.\n")


def test_accounts_in_another_state_are_counted_though_the_sums_agree() -> None:
    expected = World(accounts={"a": (True, False), "b": (False, False)})
    found = World(accounts={"a": (False, False), "b": (True, False)})

    tables = compare(expected, found, Panel(accounts=2, online=1, banned=0, login_log=0), (0, 0), 0)

    assert [line.name for line in tables["Accounts"] if not line.agrees] == [
        "accounts in another state than they must be"
    ]


def test_calls_are_billed_once_and_those_that_are_free_not_at_all() -> None:
    def call(number: int, item: str, success: int) -> dict[str, Any]:
        data = {"seqNo": f"call-{number}", "deptId": 10_010, "checkItem": item, "success": success}
        return {"id": f"usage-{number}", "type": "usage.recorded", "data": data}

    hits = [call(number, "MOBILE", 1) for number in range(12)]
    others = [call(20, "MOBILE", 0), call(21, "IDCARD", 0)]
    seen = world(Request(EVENTS, orjson.dumps(hits + others)), Request(EVENTS, orjson.dumps(hits[:3])))

    assert (seen.calls, seen.calls_repeated, seen.calls_free, seen.calls_charged) == (14, 3, 10, 3)
    assert seen.balances[1001] == 100_000_000 - 2 * 120_000 - 50_000


def test_a_message_is_unread_unless_its_sender_said_otherwise_and_an_import_counts_once() -> None:
    def sent(call: str, **more: Any) -> Request:
        return Request(f"/v4/openim/{call}?x=1", orjson.dumps({"From_Account": "a", "To_Account": "b", **more}))

    imported = sent("importmsg", SyncFromOldSystem=5)
    again = msgspec.structs.replace(imported, again=True)
    seen = world(sent("sendmsg"), sent("sendmsg", SendMsgControl=["NoUnread"]), imported, again)

    assert (seen.messages, seen.unread_messages, seen.duplicates_dropped) == (3, {"b": 2}, 1)
