import json
import re
from pathlib import Path

import pytest

from gateway.tg_envelope import DONE, REFUSALS, SUCCESS, BizEnvelope
from schemas.errors import Refused
from schemas.refusals import REASONS

DOCS = Path(__file__).parents[3] / "docs" / "tg-binding.md"


def test_every_reason_has_a_code_of_its_own_that_is_not_success() -> None:
    assert REFUSALS.keys() == REASONS.keys()
    assert len({told.code for told in REFUSALS.values()}) == len(REFUSALS)
    assert SUCCESS not in {told.code for told in REFUSALS.values()}


def test_a_code_begins_with_its_status() -> None:
    assert all(REFUSALS[reason].code[:3] == str(refusal.status) for reason, refusal in REASONS.items())


def test_both_languages_say_a_refusal_and_what_comes_in() -> None:
    for told in REFUSALS.values():
        assert told.en.isascii()
        assert not told.zh.isascii()
        assert told.en.count("{0}") == told.zh.count("{0}") <= 1


def test_the_documented_codes_are_these() -> None:
    row = re.compile(r"^\| `(\d+)` \| (\d+) \| `(\w+)` \| (.+) \| (.+) \|$", re.MULTILINE)

    assert row.findall(DOCS.read_text(encoding="utf-8")) == sorted(
        (told.code, str(REASONS[reason].status), reason, told.en, told.zh) for reason, told in REFUSALS.items()
    )


def test_a_success_says_so_in_every_way() -> None:
    answer = BizEnvelope({"lang": "zh_CN", "trace": "t-1"}, "ours").succeed(True, 200)

    whole = json.loads(answer.body)
    assert isinstance(whole.pop("tm"), int)
    assert whole == {
        "bizCode": "message",
        "code": "0",
        "msg": DONE["zh"],
        "trace": "t-1",
        "msgParams": "",
        "ok": True,
        "fail": False,
        "data": True,
    }


@pytest.mark.parametrize("message", ["`chatId` is missing", "{0}", "a, b"])
def test_a_refusal_repeats_its_parameter(message: str) -> None:
    answer = BizEnvelope({"lang": "zh"}, "ours").refuse(Refused("bad_field", message))

    whole = json.loads(answer.body)
    assert answer.status == 400
    assert (whole["msg"], whole["msgParams"]) == (f"参数缺失或有误：{message}", message)
    assert (whole["trace"], whole["ok"], whole["fail"], whole["data"]) == ("ours", False, True, None)


def test_a_text_without_a_place_for_it_has_no_parameter() -> None:
    whole = json.loads(BizEnvelope({}, "").refuse(Refused("unauthenticated", "a detail")).body)

    assert (whole["msg"], whole["msgParams"]) == (REFUSALS["unauthenticated"].en, "")
