from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from handlers.digests import gather
from schemas.delivery import DeliveryPlanned

NOW = datetime(2026, 3, 6, 12, tzinfo=UTC)


def delivery(number: int, **fields: Any) -> DeliveryPlanned:
    known: dict[str, Any] = {
        "lane": "telegram/all",
        "push": f"p/{number}",
        "recipient": "user/1",
        "channel": "telegram",
        "target": "77",
        "kind": "detection.noticed",
        "title": f"T{number}",
        "body": f"B{number}",
        "requested_at": NOW + timedelta(seconds=number),
    }
    return DeliveryPlanned(id=f"dl_{number}", **{**known, **fields})


def test_a_digest_says_what_its_members_say_oldest_first() -> None:
    digest = gather([delivery(3, title=None), delivery(1), delivery(2, body=None, urgency="high")])

    assert (digest.title, digest.body) == ("3 messages", "T1\nB1\n\nT2\n\nB3")
    assert (digest.kind, digest.urgency, digest.target) == ("digest", "high", "77")
    assert [each["id"] for each in digest.fields["deliveries"]] == ["dl_1", "dl_2", "dl_3"]


def test_its_language_is_its_readers() -> None:
    assert gather([delivery(1, language="zh"), delivery(2, language="zh")]).title == "2 条消息"


def test_a_digest_of_one_is_that_one() -> None:
    assert gather([delivery(1)]) == delivery(1)


@given(st.sets(st.integers(1, 30), min_size=2), st.randoms())
def test_the_same_members_are_the_same_message_in_whatever_order_they_are_found(numbers: set[int], chance: Any) -> None:
    members = [delivery(number) for number in numbers]
    shuffled = list(members)
    chance.shuffle(shuffled)

    assert gather(members).id == gather(shuffled).id
    assert gather(members).id != gather([*members, delivery(99)]).id
