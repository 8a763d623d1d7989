from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.body import Typed, decode_json, decode_object, holds_free_form
from schemas.errors import Refused


class Inner(msgspec.Struct):
    count: int


class Outer(msgspec.Struct):
    inner: Inner
    name: str = ""


class Free(msgspec.Struct):
    inner: Inner | None = None
    params: dict[str, Any] | None = None


class Recursive(msgspec.Struct):
    parts: "list[Recursive]" = []


def reason(body: bytes) -> str:
    with pytest.raises(Refused) as refused:
        decode_object(body)
    return refused.value.reason


def test_an_empty_body_is_an_empty_object() -> None:
    assert decode_object(b"") == {}


@pytest.mark.parametrize("body", [b"null", b"1", b'"x"', b"[]", b"true"])
def test_what_is_no_object_is_refused(body: bytes) -> None:
    assert reason(body) == "bad_json"


def test_a_refusal_says_where_the_json_breaks_and_does_not_quote_it() -> None:
    with pytest.raises(Refused) as refused:
        decode_object(b'{"password": "hunter2", }')

    assert "line 1 column 23" in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_a_nul_is_refused_and_the_place_named() -> None:
    with pytest.raises(Refused, match=r"NUL in the text at \$\.a\[1\]"):
        decode_object(b'{"a": ["x", "\\u0000"]}')


def test_where_a_text_may_hold_a_nul_a_name_still_may_not() -> None:
    typed = Typed(Free, nul_in_text=True)

    assert decode_object(b'{"a": ["x", "\\u0000"]}', nul_in_text=True) == {"a": ["x", "\0"]}
    assert typed.validate({"params": {"a": ["\0"]}}) == Free(params={"a": ["\0"]})
    for refuses in (
        lambda: decode_object(b'{"a": {"\\u0000": 1}}', nul_in_text=True),
        lambda: typed.validate({"params": {"\0": 1}}),
        lambda: Typed(Free).validate({"params": {"a": ["\0"]}}),
    ):
        with pytest.raises(Refused, match="NUL"):
            refuses()


def test_the_six_characters_that_spell_a_nul_are_a_text() -> None:
    assert decode_object(b'{"a": "\\\\u0000"}') == {"a": "\\u0000"}


def test_a_long_number_within_a_text_is_a_text() -> None:
    assert decode_object(b'{"a": "123456789012345678901234567890"}') == {"a": "123456789012345678901234567890"}


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 10**30])
def test_an_integer_past_64_bits_is_refused(number: int) -> None:
    assert reason(b'{"a": [%d]}' % number) == "bad_field"


@pytest.mark.parametrize("number", [2**63 - 1, -(2**63)])
def test_the_largest_integers_are_taken(number: int) -> None:
    assert decode_object(b'{"a": %d}' % number) == {"a": number}


def test_many_brackets_that_are_not_deep_are_taken() -> None:
    assert decode_json(b"[" + b"[],[]," * 1_000 + b"[]]") == [[]] * 2_001


@given(st.recursive(st.none() | st.integers(-(2**63), 2**63 - 1) | st.text(), st.lists, max_leaves=20))
def test_what_is_json_and_can_be_kept_is_decoded_as_it_is(value: object) -> None:
    encoded = msgspec.json.encode(value)
    if b"\\u0000" not in encoded and encoded.count(b"[") <= 32:
        assert decode_json(encoded) == value


def test_a_wrong_field_is_named() -> None:
    with pytest.raises(Refused, match=r"Expected `int`, got `str` - at `\$\.inner\.count`"):
        Typed(Outer).validate({"inner": {"count": "1"}})
    with pytest.raises(Refused, match="missing required field `inner`"):
        Typed(Outer).validate({})


def test_a_field_nobody_knows_is_left_out() -> None:
    assert Typed(Outer).validate({"inner": {"count": 1}, "$where": {"a.b": 1}}) == Outer(Inner(1))


@pytest.mark.parametrize("params", [{"$a": 1}, {"a.b": 1}, {"a": [{"$b": 1}]}, {"a\0": 1}])
def test_keys_that_no_document_can_have_are_refused_in_free_form(params: dict[str, object]) -> None:
    with pytest.raises(Refused) as refused:
        Typed(Free).validate({"params": params})
    assert refused.value.reason == "bad_field"


def test_beside_the_free_form_unknown_fields_are_left_out() -> None:
    assert Typed(Free).validate({"params": {"a": 1}, "a.b": 1}) == Free(params={"a": 1})


@pytest.mark.parametrize(("kind", "free"), [(Outer, False), (Free, True), (Recursive, False)])
def test_whether_a_type_holds_free_form(kind: type[msgspec.Struct], free: bool) -> None:
    assert holds_free_form(msgspec.inspect.type_info(kind)) is free
