"""The chat API's bodies name every field of the contract, exactly."""

from importlib.resources import files
from typing import Any

import msgspec
import pytest
import yaml

from schemas import chat

CONTRACT = yaml.safe_load(files("schemas").joinpath("contracts", "chat.yaml").read_text(encoding="utf-8"))
SCHEMAS: dict[str, Any] = CONTRACT["components"]["schemas"]

REQUESTS = [
    "SignedRequest",
    "LoginCallback",
    "AccountBanSync",
    "DetectionNotice",
    "InspectionTaskRecord",
    "TransferCountQuery",
    "SeatLookup",
    "CustomerLookup",
    "AccountQuery",
    "OnOffLineRequest",
    "UserUpdate",
    "SubAccountRef",
    "SubAccountBinding",
    "ChatCustomerQuery",
    "LoginCodeRequest",
    "ChatUserInfoRequest",
    "SyncLinkerRequest",
]
ANSWERS = ["WeComUser", "WeComUserGroup", "LoginLog", "SeatPanel", "ChatSeat", "TransferCount", "ChatUserInfo"]
NEVER_ANSWERED = {"WeComUser": {"id", "accessToken", "userIds", "pageSize", "pageNo"}}


def properties(name: str) -> dict[str, Any]:
    schema = SCHEMAS[name]
    found = dict(schema.get("properties", {}))
    for part in schema.get("allOf", ()):
        found |= properties(part["$ref"].rpartition("/")[2]) if "$ref" in part else part.get("properties", {})
    return found


def names(name: str) -> set[str]:
    return set(getattr(chat, name).__struct_encode_fields__)


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_has_exactly_the_contracts_fields(name: str) -> None:
    assert names(name) == properties(name).keys()


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_has_the_contracts_fields_but_those_without_a_meaning_here(name: str) -> None:
    assert names(name) == properties(name).keys() - NEVER_ANSWERED.get(name, set())


def test_every_schema_of_the_contract_is_spoken_for() -> None:
    others = {"ChatResult", "PageMeta", "FreeMap", "PageOfWeComUser", "PageOfLoginLog"}
    assert SCHEMAS.keys() == {*REQUESTS, *ANSWERS, *others}


def test_integers_of_requests_have_the_contracts_width() -> None:
    widths = {"int32": 31, "int64": 63}
    for name in REQUESTS:
        needed = {"userId": "u", "code": "1", "chatUserId": "c", "linkType": "0", "status": 1, "onOffline": 0}
        needed |= {"timestamp": 0, "nonce": 0, "secretId": "s", "signature": "", "requestSeq": "r"}
        kind = getattr(chat, name)
        for field, schema in properties(name).items():
            if schema.get("type") == "integer" and "enum" not in schema:
                too_much = needed | {field: 2 ** widths[schema["format"]]}
                with pytest.raises(msgspec.ValidationError, match=field):
                    msgspec.convert(too_much, kind)
