"""What a message may be made of, held against the contract: every element type, every field of it."""

from collections.abc import Iterator
from copy import deepcopy
from importlib.resources import files
from typing import Any

import msgspec
import pytest
import yaml

from gateway.im.messages_facts import checked_body, offline_push
from schemas.errors import Refused
from schemas.im.message import MessageModified, MessageSent
from schemas.im.message_bodies import OfflinePushInfo
from schemas.im.message_elements import MAX_MESSAGE_BYTES, elements_of, push_text, size_of
from tests.unit.im.messages_model import FIRST, between

WHOLE = yaml.safe_load(files("schemas").joinpath("contracts", "im.yaml").read_text(encoding="utf-8"))
CONTRACT = WHOLE["components"]["schemas"]
Place = tuple[Any, ...]
TYPES = [reference["$ref"].rpartition("/")[2] for reference in CONTRACT["MsgElement"]["oneOf"]]
VALUES = {"string": "text", "integer": 7, "number": 1.5}
WRONG = {"string": 7, "integer": "7", "number": "1.5", "array": {}, "object": []}


def sample(schema: dict[str, Any]) -> Any:
    """With every field."""
    if "const" in schema:
        return schema["const"]
    if schema["type"] == "object":
        return {name: sample(field) for name, field in schema.get("properties", {}).items()}
    if schema["type"] == "array":
        return [sample(schema["items"])]
    return VALUES[schema["type"]]


def places(schema: dict[str, Any], place: Place = ()) -> Iterator[tuple[Place, dict[str, Any], bool]]:
    """Each field with where it is, its schema, and whether it is required."""
    for name, field in schema.get("properties", {}).items():
        yield (*place, name), field, name in schema.get("required", ())
        if field["type"] == "object":
            yield from places(field, (*place, name))
        if field["type"] == "array":
            yield from places(field["items"], (*place, name, 0))


def changed(element: Any, place: Place, value: Any = None) -> Any:
    """A copy with another value there; without it where there is none."""
    element = deepcopy(element)
    parent = element
    for step in place[:-1]:
        parent = parent[step]
    if value is None:
        del parent[place[-1]]
    else:
        parent[place[-1]] = value
    return element


def taken(*elements: Any) -> bool:
    try:
        elements_of(list(elements))
    except msgspec.ValidationError:
        return False
    return True


def test_the_contract_has_eight_types() -> None:
    assert len(TYPES) == 8


@pytest.mark.parametrize("name", TYPES)
def test_an_element_needs_what_the_contract_says_and_each_field_its_type(name: str) -> None:
    schema = CONTRACT[name]
    whole = sample(schema)
    assert taken(whole)
    for place, field, required in places(schema):
        assert taken(changed(whole, place)) is not required, (place, "left out")
        assert not taken(changed(whole, place, WRONG[field["type"]])), (place, "of another type")
        if "minimum" in field:
            assert taken(changed(whole, place, field["minimum"])), place
            assert not taken(changed(whole, place, field["minimum"] - 1)), (place, "below the least")


def test_one_message_may_have_several_elements_and_none_is_no_message() -> None:
    whole = [sample(CONTRACT[name]) for name in TYPES]

    assert taken(*whole)
    assert not taken()
    assert not taken(*whole, {"MsgType": "TIMRelayElem", "MsgContent": {}})
    assert not taken({"MsgContent": {"Text": "x"}})


def faces_in(value: Any) -> Iterator[dict[str, Any]]:
    """All that the contract's examples show."""
    if isinstance(value, dict):
        if value.get("MsgType") == "TIMFaceElem":
            yield value
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from faces_in(inner)


FACE = {"MsgType": "TIMFaceElem", "MsgContent": {"Index": 6, "Data": "abc\0\x01"}}


def test_a_face_may_hold_control_characters_as_the_contracts_own_do() -> None:
    shown = list(faces_in(WHOLE["paths"]))
    assert FACE in shown
    for face in shown:
        checked_body([face], "custom\0")
        for kind in (MessageSent, MessageModified):
            fact = kind(**between("ann", "bob", FIRST), body=(face,), custom_data="custom\0")
            assert msgspec.json.decode(msgspec.json.encode(fact), type=kind) == fact


def test_a_name_may_not() -> None:
    named = {"MsgType": "TIMFaceElem", "MsgContent": {"Index": 6, "more\0": "x"}}

    with pytest.raises(Refused):
        checked_body([named], None)
    with pytest.raises(ValueError, match="no NUL"):
        MessageSent(**between("ann", "bob", FIRST), body=(named,))


def test_nothing_that_is_pushed_holds_a_nul() -> None:
    words = {"Title": "\0", "Desc": "a\0b", "Ext": "\0x", "ApnsInfo": {"Title": "new\0s", "BadgeMode": 1}}
    elements = elements_of([{"MsgType": "TIMTextElem", "MsgContent": {"Text": "\0hi"}}, FACE])

    push = offline_push(msgspec.convert(words, OfflinePushInfo), elements)

    assert (push.title, push.text) == ("news", "ab")
    assert push.info == {"Title": "", "Desc": "ab", "Ext": "x", "ApnsInfo": {"Title": "news", "BadgeMode": 1}}
    assert offline_push(None, elements).text == "hi [Emoji]"


def test_a_message_has_twelve_kilobytes_with_its_custom_data() -> None:
    body = [{"MsgType": "TIMTextElem", "MsgContent": {"Text": ""}}]
    empty = size_of(body, None)
    body[0]["MsgContent"] = {"Text": "x" * (MAX_MESSAGE_BYTES - empty - 3)}

    assert size_of(body, "界") == MAX_MESSAGE_BYTES == 12_288


@pytest.mark.parametrize(
    ("types", "text"),
    [
        (["TIMTextElem"], "text"),
        (["TIMCustomElem"], "text"),
        (["TIMTextElem", "TIMCustomElem"], "text [Custom]"),
        (["TIMFaceElem", "TIMLocationElem"], "[Emoji] [Location]"),
        (["TIMSoundElem", "TIMImageElem", "TIMFileElem", "TIMVideoFileElem"], "[Voice] [Image] [File] [Video]"),
    ],
)
def test_a_push_says_in_words_what_a_message_is_made_of(types: list[str], text: str) -> None:
    assert push_text(elements_of([sample(CONTRACT[name]) for name in types])) == text
