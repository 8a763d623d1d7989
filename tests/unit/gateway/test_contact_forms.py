"""The same fields, whatever they came in."""

from datetime import UTC, datetime
from urllib.parse import urlencode

import pytest
from aiohttp import MultipartWriter
from hypothesis import given
from hypothesis import strategies as st
from multidict import MultiDict

from gateway.contact_forms import MAX_FIELDS, fields_in_body, fields_in_query, fields_of
from gateway.system import Call
from schemas.errors import Refused

texts = st.text(st.characters(codec="utf-8"), max_size=30)
names = st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1, max_size=10)


def call(body: bytes = b"", kind: str | None = None, query: list[tuple[str, str]] | None = None) -> Call:
    headers = {} if kind is None else {"Content-Type": kind}
    return Call("POST", "/", MultiDict(query or []), headers, body, datetime.now(UTC), "", "")


@given(fields=st.dictionaries(names, texts, max_size=10))
def test_what_is_sent_as_a_form_is_what_is_read(fields: dict[str, str]) -> None:
    assert fields_in_body(call(urlencode(fields).encode(), "application/x-www-form-urlencoded")) == fields


@given(fields=st.dictionaries(names, texts, min_size=1, max_size=10))
async def test_what_is_sent_in_parts_is_what_is_read(fields: dict[str, str]) -> None:
    writer = MultipartWriter("form-data")
    for name, value in fields.items():
        writer.append(value).set_content_disposition("form-data", quote_fields=False, name=name.replace('"', '\\"'))
    body = await writer.as_bytes()

    read = fields_in_body(call(body, writer.content_type))
    assert [*read.values()] == [*fields.values()]


@pytest.mark.parametrize("kind", [None, "application/json", "application/json; charset=utf-8", "text/x+json"])
def test_json_keeps_its_types(kind: str | None) -> None:
    assert fields_in_body(call(b'{"cId": 7, "openId": "x"}', kind)) == {"cId": 7, "openId": "x"}


@pytest.mark.parametrize("kind", [None, "multipart/form-data", "text/plain", "application/json"])
def test_an_empty_body_has_no_fields_whatever_it_is_declared_as(kind: str | None) -> None:
    assert fields_in_body(call(b"", kind)) == {}


def test_the_query_counts_where_it_says_something() -> None:
    query = [("cId", "7"), ("openId", ""), ("cId", "7")]

    assert fields_in_query(call(query=query)) == {"cId": "7"}
    assert fields_of(call(b"account_source=open", "application/x-www-form-urlencoded", query)) == {
        "cId": "7",
        "account_source": "open",
    }


@pytest.mark.parametrize(
    ("reason", "broken"),
    [
        ("bad_field", call(b"a=1&a=2", "application/x-www-form-urlencoded")),
        ("bad_field", call(b"a=%ff", "application/x-www-form-urlencoded")),
        ("bad_field", call(b"\xff=1", "application/x-www-form-urlencoded")),
        ("bad_field", call(b"&".join([b"a=1"] * (MAX_FIELDS + 1)), "application/x-www-form-urlencoded")),
        ("bad_field", call(b"a=1", "multipart/form-data; boundary=x")),
        ("bad_field", call(b"--x--", "multipart/form-data")),
        ("bad_json", call(b"a=1", "application/json")),
        ("bad_json", call(b"[1]")),
        ("wrong_content_type", call(b"a=1", "text/plain")),
        ("wrong_content_type", call(b"a=1", "")),
        ("wrong_content_type", call(b"a=1", ";;")),
    ],
)
def test_what_is_no_form_is_refused(reason: str, broken: Call) -> None:
    with pytest.raises(Refused) as refused:
        fields_of(broken)
    assert refused.value.reason == reason
