"""Every payload of the catalogue: whatever decodes can be kept in a document and read back from it."""

import re
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from msgspec import inspect

from config.topics import EVENT_TYPES, TOPICS
from handlers.routes import ROUTES
from schemas.delivery import DeliveryPlanned
from schemas.detection import DetectionNoticed
from schemas.im.callbacks import CallbackReceived
from schemas.im.message import MessageModified, MessageRelayed, MessageSent, OfflinePush
from schemas.inbox import InboxEntered
from schemas.letter import DeadLettered
from schemas.push import PushRequested
from schemas.usage import UsageRecorded

Place = tuple[str, inspect.Type, type]

PAYLOADS = {kind.payload for kind in EVENT_TYPES.values()}
FREE_FORM = {
    (DetectionNoticed, "params"),
    (PushRequested, "fields"),
    (InboxEntered, "fields"),
    (DeliveryPlanned, "fields"),
    (MessageSent, "body[]"),
    (MessageRelayed, "body[]"),
    (MessageModified, "body[]"),
    (OfflinePush, "offline_push.info"),
    (CallbackReceived, "profile"),
}
OPAQUE = {(MessageSent, "custom_data"), (MessageRelayed, "custom_data"), (MessageModified, "custom_data")}
"""The app's own text in a message may hold a NUL."""


def fields_of(payload: type, place: str = "") -> Iterator[Place]:
    """Every type inside a payload, with where it is and in which struct."""
    info = inspect.type_info(payload)
    assert isinstance(info, inspect.StructType)
    for field in info.fields:
        yield from _inside(field.type, f"{place}.{field.name}", payload)


def _inside(kind: inspect.Type, place: str, owner: type) -> Iterator[Place]:
    yield place, kind, owner
    match kind:
        case inspect.StructType(cls=cls):
            yield from fields_of(cls, place)
        case inspect.UnionType(types=types):
            for member in types:
                yield from _inside(member, place, owner)
        case inspect.DictType(key_type=key, value_type=value):
            yield from _inside(key, f"{place}{{}}", owner)
            yield from _inside(value, f"{place}{{}}", owner)
        case inspect.CollectionType(item_type=item):
            yield from _inside(item, f"{place}[]", owner)
        case inspect.TupleType(item_types=items):
            for item in items:
                yield from _inside(item, f"{place}[]", owner)
        case inspect.Metadata(type=inner):
            yield from _inside(inner, place, owner)


EVERYTHING = [(payload, *place) for payload in PAYLOADS for place in fields_of(payload)]


def test_every_type_of_event_has_a_handler_for_its_payload_and_every_handler_a_type() -> None:
    folded = {kind.name: kind.payload for topic in TOPICS if topic.group == "folder" for kind in topic.event_types}
    assert folded == {name: route.payload for name, route in ROUTES.items()}


def test_integers_fit_into_64_bits() -> None:
    for payload, place, kind, _ in EVERYTHING:
        if isinstance(kind, inspect.IntType):
            # Both bounds, included or not.
            least = kind.ge if kind.ge is not None else kind.gt
            most = kind.le if kind.le is not None else kind.lt
            assert least is not None, (payload, place)
            assert most is not None, (payload, place)
            assert least >= -(2**63), (payload, place)
            assert most < 2**63, (payload, place)


def test_texts_have_a_longest_length_and_no_nul() -> None:
    for payload, place, kind, owner in EVERYTHING:
        if isinstance(kind, inspect.StrType) and (owner, place.partition(".")[2]) not in {
            (owner, f"{field}{{}}") for owner, field in FREE_FORM
        }:
            if payload is DeadLettered:  # a record as it was; its size is Kafka's to limit
                continue
            assert kind.max_length is not None, (payload, place)
            if (owner, place.partition(".")[2]) in OPAQUE:
                continue
            assert kind.pattern is not None, (payload, place)
            assert not re.search(kind.pattern, "user/1\0"), (payload, place)
            assert not re.search(kind.pattern, "1\0"), (payload, place)


def test_what_is_of_free_form_is_looked_through() -> None:
    free = {
        (owner, place.partition(".")[2].rstrip("{}"))
        for _, place, kind, owner in EVERYTHING
        if isinstance(kind, inspect.AnyType | inspect.DictType | inspect.RawType)
    }
    assert free == FREE_FORM
    for value in ({"$set": 1}, {"a.b": 1}, {"a": {"\0": 1}}, {"a": 2**64}, {"a": "\0"}, nested(33)):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert({"params": value}, DetectionNoticed)
    assert msgspec.convert({"params": nested(30)}, DetectionNoticed).params == nested(30)


def nested(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(depth):
        value = {"a": value}
    return value


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "1899-12-31T23:59:59Z"])
def test_times_are_aware_and_inside_the_calendar(time: str) -> None:
    timed = {
        owner: [p.rpartition(".")[2] for _, p, k, o in EVERYTHING if o is owner and isinstance(k, inspect.DateTimeType)]
        for _, _, kind, owner in EVERYTHING
        if isinstance(kind, inspect.DateTimeType)
    }
    assert len(timed) >= 5
    for owner, fields in timed.items():
        names = {field.name: field.encode_name for field in msgspec.structs.fields(owner)}
        for field in {names[field] for field in fields}:
            good = minimal(owner) | {field: "2026-01-02T03:04:05Z"}
            msgspec.json.decode(msgspec.json.encode(good), type=owner)
            # A call's own time may be without a zone: then it is of the platform's.
            for bad in (time,) if owner is UsageRecorded else (time, "2026-01-02T03:04:05"):
                with pytest.raises(msgspec.ValidationError):
                    msgspec.json.decode(msgspec.json.encode(good | {field: bad}), type=owner)


def minimal(payload: type) -> dict[str, Any]:
    """The least that decodes."""
    samples: dict[str, Any] = {
        "user_id": "u",
        "status": 2,
        "origin": "sync",
        "checked": True,
        "ban_at": "2026-01-01T00:00:00Z",
        "until": "2026-01-01T00:00:00Z",
        "ban_seq": 2,
        "recipient": "user/1",
        "id": "dl_1",
        "lane": "webhook/ep_1",
        "push": "p/1",
        "channel": "webhook",
        "target": "ep_1",
        "kind": "message",
        "requested_at": "2026-01-01T00:00:00Z",
        "conversation": "1400000001/ann/bob",
        "app": "1400000001",
        "reader": "ann",
        "peer": "bob",
        "up_to": "2026-01-01T00:00:00Z",
    }
    samples |= {"wallet_id": 1, "merchant_id": 1, "dept_id": 1, "amount_micro": 1, "of": "usage", "user_ids": ["u"]}
    samples |= dict.fromkeys(("recharge_no", "refund_no", "pay_no", "payment_no"), "1")
    samples |= dict.fromkeys(("paid_at", "raised_at", "closed_at"), samples["until"])
    samples |= {"item": "A", "product": "A", "episode": 1, "errors": 1, "error_count": 1, "period_seconds": 1}
    samples |= {"recipients": ["user/1"], "seq_no": "s1", "check_item": "A", "success": 1}
    info = inspect.type_info(payload)
    assert isinstance(info, inspect.StructType)
    return {field.encode_name: samples[field.name] for field in info.fields if field.required}
