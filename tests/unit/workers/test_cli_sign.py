"""`fanfold sign`: what it prints is what the chat API takes."""

import io
import json
import sys
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import SecretStr

from gateway.chat_auth import Signatures
from gateway.system import Call
from workers.cli import main
from workers.commands.signing import sign

SECRETS = {"demo": SecretStr("demo-secret"), "other": SecretStr("other-secret")}
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def accepted(body: dict[str, Any], now: datetime = NOW) -> None:
    """Raises Refused where the gateway would refuse."""
    call = Call("POST", "/", {}, {}, b"", now, "", "", raw=body)
    Signatures(SECRETS, tolerance_seconds=300).require(call)


def signed(body: dict[str, Any], secret_id: str | None = None) -> dict[str, Any]:
    return json.loads(sign(json.dumps(body).encode(), SECRETS, secret_id, NOW))


def test_a_body_without_any_of_the_fields_is_accepted_once_signed() -> None:
    body = signed({"userId": "u1", "onOffline": 0, "name": "Łukasz 王", "rate": 1.50})

    accepted(body)
    assert body["timestamp"] == 1_767_323_045_000
    assert body["secretId"] == "demo"
    assert body["userId"] == "u1"


def test_fields_that_are_there_are_kept() -> None:
    given = {"timestamp": 1_767_323_000, "nonce": 7, "requestSeq": "seq-1", "secretId": "other", "signature": "old"}

    body = signed(given)

    accepted(body)
    assert {name: body[name] for name in given if name != "signature"} == {
        name: value for name, value in given.items() if name != "signature"
    }
    assert body["signature"] != "old"


def test_the_option_chooses_the_secret() -> None:
    body = signed({"secretId": "demo"}, secret_id="other")

    accepted(body)
    assert body["secretId"] == "other"


def test_every_signature_has_a_sequence_of_its_own() -> None:
    assert signed({})["requestSeq"] != signed({})["requestSeq"]


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"{", "Standard input is not JSON"),
        (b"[]", "Standard input is not a JSON object"),
        (b'{"secretId":"unknown"}', "No secret is set for secretId unknown; there are: demo, other"),
        (b'{"n":9007199254740993}', "canonical form"),
    ],
)
def test_what_cannot_be_signed_is_said_in_one_sentence(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, body: bytes, sentence: str
) -> None:
    monkeypatch.setenv("FANFOLD_CHAT__SECRETS", '{"demo":"demo-secret","other":"other-secret"}')
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(body)))

    with pytest.raises(SystemExit) as ended:
        main(["sign"])

    assert ended.value.code == 2
    [line] = capsys.readouterr().err.splitlines()
    assert sentence in line


def test_without_any_secret_it_says_how_to_set_one(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"{}")))

    with pytest.raises(SystemExit):
        main(["sign"])

    assert "FANFOLD_CHAT__SECRETS=" in capsys.readouterr().err
