"""Signatures and access tokens of the chat API, without a server."""

import hmac
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from gateway.chat_auth import AccessTokens, Signatures, signature_of, signed_at
from gateway.system import Call
from gateway.tokens import Tokens
from schemas.errors import Refused

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
SIGNATURES = Signatures({"demo": SecretStr("secret")}, tolerance_seconds=300)
TOKENS = AccessTokens(Tokens([SecretStr("one"), SecretStr("two")]))

# No lone surrogates: JSON that holds one is refused where it is decoded.
texts = st.text(st.characters(exclude_categories=["Cs"]))
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=10,
)
FIELDS = ("timestamp", "nonce", "secretId", "requestSeq", "signature")


def a_call(
    raw: Mapping[str, Any] | None = None,
    query: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Call:
    return Call("POST", "/", query or {}, headers or {}, b"", NOW, "trace", "", raw=raw or {})


def a_body(**fields: Any) -> dict[str, Any]:
    known = {"timestamp": int(NOW.timestamp() * 1000), "nonce": 1, "secretId": "demo", "requestSeq": "r"}
    return {**known, **fields}


def signed(body: dict[str, Any], secret: str = "secret") -> dict[str, Any]:
    return {**body, "signature": signature_of(body, secret)}


def reason_of(body: Mapping[str, Any]) -> str | None:
    try:
        SIGNATURES.require(a_call(body))
    except Refused as refused:
        return refused.reason
    return None


def test_a_signature_is_hmac_sha256_over_canonical_json_without_itself() -> None:
    body = {"b": 1, "a": "ä", "signature": "whatever"}

    canonical = '{"a":"ä","b":1}'.encode()
    assert rfc8785.dumps({"b": 1, "a": "ä"}) == canonical
    assert signature_of(body, "secret") == hmac.new(b"secret", canonical, sha256).hexdigest()


@given(st.dictionaries(texts.filter(lambda key: key not in FIELDS), json_values, max_size=5))
def test_whatever_is_signed_is_accepted(fields: dict[str, Any]) -> None:
    assert reason_of(signed({**fields, **a_body()})) is None


@given(st.dictionaries(texts.filter(lambda key: key not in FIELDS), json_values, min_size=1, max_size=4), st.data())
def test_whatever_is_changed_after_signing_is_refused(fields: dict[str, Any], data: st.DataObject) -> None:
    body = signed({**fields, **a_body()})
    changed = data.draw(st.sampled_from(sorted(fields)))

    assert reason_of({**body, changed: [body[changed]]}) == "bad_signature"
    assert reason_of({name: value for name, value in body.items() if name != changed}) == "bad_signature"


@pytest.mark.parametrize("name", FIELDS)
def test_each_of_the_five_fields_is_needed(name: str) -> None:
    body = signed(a_body())
    whole = signed({key: value for key, value in body.items() if key not in (name, "signature")})

    for lacking in ({**whole, name: None}, {key: value for key, value in whole.items() if key != name}):
        with pytest.raises(Refused, match=name) as refused:
            SIGNATURES.require(a_call(lacking))
        assert refused.value.reason == "bad_signature"


def test_the_clock_may_be_off_by_the_tolerance_either_way() -> None:
    milliseconds = int(NOW.timestamp() * 1000)
    for timestamp, reason in (
        (milliseconds - 300_000, None),
        (milliseconds + 300_000, None),
        (milliseconds - 300_001, "stale"),
        (milliseconds + 300_001, "stale"),
        (milliseconds // 1000 - 300, None),  # ten digits: seconds
        (milliseconds // 1000 + 301, "stale"),
        (0, "stale"),
    ):
        assert reason_of(signed(a_body(timestamp=timestamp))) == reason, timestamp
    for timestamp in (2**63 - 1, -(2**63)):
        assert reason_of({**a_body(timestamp=timestamp), "signature": "x"}) == "stale"


@given(st.datetimes(datetime(2001, 9, 10), datetime(2286, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_a_timestamp_means_the_same_in_seconds_and_in_milliseconds(time: datetime) -> None:
    time = time.replace(microsecond=0)

    seconds = int(time.timestamp())
    assert signed_at(seconds) == signed_at(seconds * 1000) == time
    assert signed_at(seconds * 1000 + 7) == time + timedelta(milliseconds=7)


def test_types_are_refused_by_name_and_a_body_without_canonical_form_by_what_is_wrong() -> None:
    assert reason_of(signed(a_body(nonce="1"))) == "bad_field"
    assert reason_of(signed(a_body(timestamp="1"))) == "bad_field"
    assert reason_of(signed(a_body(secretId=7))) == "bad_field"
    assert reason_of(signed(a_body(requestSeq="x" * 257))) == "bad_field"
    assert reason_of({**a_body(jid=2**53), "signature": "x"}) == "bad_field"


def test_a_refusal_never_quotes_the_signature_that_would_fit() -> None:
    body = a_body(secretId="nobody")
    for wrong in ({**a_body(), "signature": "0"}, {**body, "signature": signature_of(body, "")}):
        with pytest.raises(Refused) as refused:
            SIGNATURES.require(a_call(wrong))
        assert refused.value.reason == "bad_signature"
        assert signature_of(wrong, "secret") not in str(refused.value)


@pytest.mark.parametrize(
    ("query", "headers", "known"),
    [
        ({"accessToken": "one"}, {}, True),
        ({}, {"Authorization": "Bearer two"}, True),
        ({}, {"Authorization": "bearer two"}, True),
        ({}, {}, False),
        ({"accessToken": ""}, {}, False),
        ({"accessToken": "on"}, {}, False),
        ({}, {"Authorization": "Basic two"}, False),
        ({"accesstoken": "one"}, {}, False),
    ],
)
def test_a_token_is_known_or_not(query: dict[str, str], headers: dict[str, str], known: bool) -> None:
    if known:
        TOKENS.require(a_call(query=query, headers=headers))
    else:
        with pytest.raises(Refused) as refused:
            TOKENS.require(a_call(query=query, headers=headers))
        assert refused.value.reason == "unauthenticated"


def test_where_no_token_is_set_nobody_is_known() -> None:
    with pytest.raises(Refused):
        AccessTokens(Tokens([])).require(a_call(query={"accessToken": ""}))
