from datetime import UTC, datetime

import msgspec
from handler_events import an_event

from config.topics import EVENT_TYPES
from handlers.detections import spread_detection
from handlers.outcome import emitted_event
from schemas.account import AccountInspected, BanStatus, BanSynced
from schemas.detection import DetectionNoticed, Inspection
from schemas.push import PushRequested

UNTIL = datetime(2026, 6, 1, tzinfo=UTC)
EVENT = an_event(type="detection.noticed")


def inspection(user_id: str, status: BanStatus | None, *, checked: bool = True, **fields: object) -> Inspection:
    return Inspection(user_id=user_id, checked=checked, status=status, **fields)


def test_each_account_that_was_checked_gets_its_check_and_its_ban_in_the_order_of_the_records() -> None:
    records = (
        inspection("u1", BanStatus.BANNED, until=UNTIL, code="R1"),
        inspection("u2", BanStatus.NORMAL),
        inspection("u3", BanStatus.BANNED, checked=False),
        inspection("u4", None),
        inspection("u1", BanStatus.NORMAL),
    )
    emits = spread_detection(EVENT, DetectionNoticed(code="T1", channel="c", records=records)).emits

    assert [(emit.name, emit.type, emit.subject) for emit in emits] == [
        ("inspected/0", "account.inspected", "u1"),
        ("ban/0", "account.ban.synced", "u1"),
        ("inspected/1", "account.inspected", "u2"),
        ("ban/1", "account.ban.synced", "u2"),
        ("inspected/4", "account.inspected", "u1"),
        ("ban/4", "account.ban.synced", "u1"),
    ]
    assert emits[0].payload == AccountInspected(user_id="u1", status=BanStatus.BANNED, code="R1", channel="c")
    assert emits[1].payload == BanSynced(
        user_id="u1", status=BanStatus.BANNED, origin="detection", until=UNTIL, code="R1", channel="c"
    )
    assert emits[2].payload == AccountInspected(user_id="u2", status=BanStatus.NORMAL, code="T1", channel="c")


def test_recipients_get_a_push_each_and_so_does_the_reader() -> None:
    notice = DetectionNoticed(
        code="T1", title="Check", content="3", receive_emails=("a@x", "b@x"), receive_user_id="boss"
    )
    emits = spread_detection(EVENT, notice).emits

    def push(recipient: str) -> PushRequested:
        return PushRequested(
            recipient=recipient, kind="detection.noticed", title="Check", body="3", fields={"code": "T1"}
        )

    assert [(emit.name, emit.type, emit.payload) for emit in emits] == [
        ("push/email/0", "push.requested", push("email/a@x")),
        ("push/email/1", "push.requested", push("email/b@x")),
        ("push/user", "push.requested", push("user/boss")),
    ]


def test_a_notice_for_nobody_asks_for_nothing_and_is_kept_whole() -> None:
    notice = DetectionNoticed(started_at=UNTIL, params={"a": [1]}, records=(inspection("u3", None, checked=False),))
    outcome = spread_detection(EVENT, notice)

    assert outcome.emits == ()
    assert outcome.effects == ()
    assert outcome.fact.collection == "detections"
    assert outcome.fact.body["at"] == EVENT.time
    kept = outcome.fact.body["notice"]
    assert (kept["started_at"], kept["params"], kept["records"][0]["user_id"]) == (UNTIL, {"a": [1]}, "u3")


def test_what_is_emitted_decodes_as_its_type_and_has_an_id_of_its_own() -> None:
    records = tuple(inspection(f"u{n}", BanStatus.BANNED, until=UNTIL) for n in range(3))
    notice = DetectionNoticed(receive_emails=("a@x",), receive_user_id="u", content="x" * 262_144, records=records)
    causes = [an_event(id="1"), an_event(id="2")]
    emitted = [emitted_event(cause, emit) for cause in causes for emit in spread_detection(cause, notice).emits]

    assert len({event.id for event in emitted}) == len(emitted) == 2 * 8
    for event in emitted:
        kind = EVENT_TYPES[event.type]
        payload = msgspec.json.decode(event.data, type=kind.payload)
        assert kind.key is not None
        assert getattr(payload, kind.key) == event.subject


def test_an_emitted_id_stays_within_what_its_reader_takes() -> None:
    cause = an_event(id="x" * 512, source="s" * 512)
    [emit, *_] = spread_detection(cause, DetectionNoticed(receive_user_id="u")).emits
    other = an_event(id="y" * 512, source="s" * 512)

    assert len(emitted_event(cause, emit).id) <= 512
    assert emitted_event(cause, emit).id == emitted_event(cause, emit).id != emitted_event(other, emit).id
