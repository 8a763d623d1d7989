import json
import re
from pathlib import Path

from gateway.chat_envelope import CODES, SUCCESS, refuse, succeed
from schemas.chat import LoginLog, Page
from schemas.errors import Refused
from schemas.refusals import REASONS

DOCS = Path(__file__).parents[3] / "docs" / "error-codes.md"


def test_every_reason_has_a_code_of_its_own_that_is_not_success() -> None:
    assert CODES.keys() == REASONS.keys()
    assert len(set(CODES.values())) == len(CODES)
    assert SUCCESS not in CODES.values()


def test_a_code_begins_with_its_status() -> None:
    assert all(CODES[reason] // 10 == REASONS[reason].status for reason in REASONS)


def test_the_documented_codes_are_these() -> None:
    rows = re.findall(r"^\| (\d+) \| (\d+) \| `(\w+)` \| (.+) \|$", DOCS.read_text(encoding="utf-8"), re.MULTILINE)

    documented = [(int(code), int(status), reason, text) for code, status, reason, text in rows]
    assert documented == sorted(
        (CODES[reason], refusal.status, reason, refusal.summary) for reason, refusal in REASONS.items()
    )


def test_answers_are_in_the_envelope() -> None:
    row = LoginLog(id=1, user_id="u", status=0, create_time_stamp="t", update_time_stamp="t")
    page = Page[LoginLog](page_size=20, total=1, page_no=1, list=(row,))

    assert json.loads(succeed(page, 200).body) == {
        "code": 0,
        "msg": "ok",
        "data": {
            "pageSize": 20,
            "total": 1,
            "pageNo": 1,
            "list": [{"id": 1, "userId": "u", "status": 0, "createTimeStamp": "t", "updateTimeStamp": "t"}],
        },
    }
    answer = refuse(Refused("conflict", "the account is banned"))
    assert answer.status == 409
    assert json.loads(answer.body) == {"code": 4090, "msg": "the account is banned", "data": None}
