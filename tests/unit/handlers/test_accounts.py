from datetime import UTC, datetime

import msgspec
from handler_events import an_event

from handlers.accounts import (
    expire_ban,
    fold_ban,
    fold_inspection,
    fold_profile,
    fold_session,
    forget_code,
    keep_qr_request,
    number_of,
)
from handlers.effects import Effect, FieldEffect, Inc, Latest, Min, apply, stamp
from handlers.outcome import Fact, Outcome
from schemas.account import (
    AccountInspected,
    AccountProfiled,
    BanExpired,
    BanStatus,
    BanSynced,
    CodeSubmitted,
    QrRequested,
    SessionChanged,
)

AT = datetime(2026, 5, 1, 12, tzinfo=UTC)
UNTIL = datetime(2026, 6, 1, tzinfo=UTC)
EVENT = an_event(time=AT)


def change_of(outcome: Outcome) -> dict[str, FieldEffect]:
    [effect] = outcome.effects
    assert (effect.collection, effect.key) == ("accounts", "u1")
    return dict(effect.change)


def test_a_login_is_logged_counted_and_the_state_of_its_time() -> None:
    outcome = fold_session(
        EVENT, SessionChanged(user_id="u1", online=True, cause="callback", request_id="r", name="One", corp_id="c")
    )

    assert outcome.fact == Fact(
        "login_log",
        {
            "number": number_of(EVENT),
            "user_id": "u1",
            "user_name": "One",
            "corp_id": "c",
            "online": True,
            "cause": "callback",
            "at": AT,
        },
    )
    assert change_of(outcome) == {
        "first_event_at": Min(AT),
        "logins": Inc(1),
        "online": Latest(AT, {"online": True, "cause": "callback", "request_id": "r"}),
        "profile.name": Latest(AT, "One"),
        "profile.corp_id": Latest(AT, "c"),
    }


def test_a_logout_counts_as_such() -> None:
    change = change_of(fold_session(EVENT, SessionChanged(user_id="u1", online=False, cause="command")))

    assert change["logouts"] == Inc(1)
    assert "logins" not in change


def test_a_profile_changes_only_what_it_says() -> None:
    outcome = fold_profile(EVENT, AccountProfiled(user_id="u1", alias="", gender=0, role_ids=(1, 2)))

    assert change_of(outcome) == {
        "first_event_at": Min(AT),
        "profile.alias": Latest(AT, ""),
        "profile.gender": Latest(AT, 0),
        "profile.role_ids": Latest(AT, [1, 2]),
    }


def test_a_ban_keeps_its_end_and_its_lifting_none() -> None:
    for status, until in ((BanStatus.BANNED, UNTIL), (BanStatus.NORMAL, None)):
        ban = BanSynced(user_id="u1", status=status, origin="sync", since=AT, until=UNTIL, channel="c")
        register = change_of(fold_ban(EVENT, ban))["ban"]

        assert isinstance(register, Latest)
        assert (register.at, register.value["status"], register.value["until"]) == (AT, int(status), until)
        assert register.value["since"] == (AT if until else None)


def test_the_end_of_a_ban_beats_that_ban_and_no_other() -> None:
    ban = change_of(fold_ban(EVENT, BanSynced(user_id="u1", status=BanStatus.BANNED, origin="sync", until=UNTIL)))
    stored, newer = (apply(stamp(ban, offset)["ban"]) for offset in (7, 8))
    expired = BanExpired(user_id="u1", ban_at=stored["at"], ban_seq=stored["seq"], until=UNTIL)
    end = stamp(change_of(expire_ban(an_event(time=UNTIL), expired)), 99)["ban"]

    assert apply(end, stored)["v"]["status"] == BanStatus.NORMAL
    assert apply(end, newer) == newer
    # Arriving in another order, or again, ends the same.
    assert apply(stamp(ban, 7)["ban"], apply(end)) == apply(end, stored)
    assert apply(end, apply(end, stored)) == apply(end, stored)


def test_the_largest_ban_that_decodes_can_be_ended_within_64_bits() -> None:
    sent = {"user_id": "u1", "ban_at": AT, "ban_seq": 2**62, "until": UNTIL}
    expired = msgspec.json.decode(msgspec.json.encode(sent), type=BanExpired)

    register = change_of(expire_ban(EVENT, expired))["ban"]

    assert isinstance(register, Latest)
    assert register.seq is not None
    assert register.seq < 2**63


def test_a_check_is_kept_apart_from_the_ban() -> None:
    change = change_of(fold_inspection(EVENT, AccountInspected(user_id="u1", status=BanStatus.BANNED, code="T")))

    assert change.keys() == {"first_event_at", "inspection"}


def test_a_code_leaves_nothing_but_that_it_was_seen() -> None:
    assert forget_code(EVENT, CodeSubmitted(user_id="u1", code="4711")) == Outcome(Fact("seen_events", {}))


def test_a_request_for_a_code_touches_no_account() -> None:
    outcome = keep_qr_request(EVENT, QrRequested(user_id="u1", request_id="r"))

    assert outcome == Outcome(Fact("qr_requests", {"user_id": "u1", "request_id": "r", "at": AT}))


def test_a_number_of_an_event_is_its_own_and_fits_into_63_bits() -> None:
    numbers = {number_of(an_event(id=str(n))) for n in range(1_000)}

    assert len(numbers) == 1_000
    assert all(0 <= number < 2**63 for number in numbers)
    assert number_of(an_event(id="1", time=UNTIL)) == number_of(an_event(id="1"))


def test_effects_name_only_fields_that_are_not_the_gateways() -> None:
    effects: list[Effect] = [
        *fold_session(EVENT, SessionChanged(user_id="u1", online=True, cause="callback")).effects,
        *fold_ban(EVENT, BanSynced(user_id="u1", status=BanStatus.BANNED, origin="sync")).effects,
    ]

    fields = {field.partition(".")[0] for effect in effects for field in effect.change}
    assert fields.isdisjoint({"settings", "fence", "_id"})
