"""Personal data of calls: sealed for their record alone, masked, and found by keyed hashes."""

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr

from schemas.errors import Refused
from schemas.usage import UpstreamCall, UsageRecorded
from stores.usage.personal import Personal, mask

OLD, NEW = SecretStr(Fernet.generate_key().decode()), SecretStr(Fernet.generate_key().decode())
DAY = "2026-03-01"
CALL = UsageRecorded(
    seq_no="s1",
    dept_id=1,
    check_item="id",
    success=1,
    name="Ada",
    mobile="13800001111",
    upstream_record_list=(UpstreamCall(data_source_code="north", req_param="13800001111"),),
)


def kept(personal: Personal, seq_no: str = "s1") -> dict:
    return {"_id": seq_no, "hour": f"{DAY} 12", **personal.protected(CALL, DAY)}


def test_what_is_sealed_opens_with_every_key_that_is_kept() -> None:
    record = kept(Personal([OLD]))

    opened = Personal([NEW, OLD]).open(record)

    assert (opened.name, opened.mobile, opened.id_card) == ("Ada", "13800001111", None)
    assert opened.upstream == [{"req_param": "13800001111"}]


def test_a_box_opens_only_in_its_own_record_and_unchanged() -> None:
    personal = Personal([OLD])
    record = kept(personal)
    changed = record["sealed"][:-1] + bytes([record["sealed"][-1] ^ 1])

    for other in ({**record, "_id": "s2"}, {**record, "sealed": changed}):
        with pytest.raises(Refused, match="was changed"):
            personal.open(other)


def test_without_its_key_a_box_does_not_open() -> None:
    with pytest.raises(Refused, match="none of the keys"):
        Personal([NEW]).open(kept(Personal([OLD])))


def test_a_person_is_found_by_what_any_key_has_made() -> None:
    record = kept(Personal([OLD]))

    assert record["hashes"]["mobile"] in Personal([NEW, OLD]).hashes("mobile", "13800001111")
    assert record["hashes"]["mobile"] not in Personal([NEW]).hashes("mobile", "13800001111")
    assert record["hashes"]["mobile"] != Personal([OLD]).hashes("id_card", "13800001111")[0]


def test_the_same_data_is_sealed_otherwise_each_time() -> None:
    personal = Personal([OLD])

    assert kept(personal)["sealed"] != kept(personal)["sealed"]


def test_a_call_without_personal_data_needs_no_key_and_one_with_it_does() -> None:
    plain = UsageRecorded(seq_no="s1", dept_id=1, check_item="id", success=1)

    assert Personal([]).protected(plain, DAY) == {}
    with pytest.raises(Refused, match="is not set"):
        Personal([]).protected(CALL, DAY)


@pytest.mark.parametrize(
    ("field", "text", "shown"),
    [
        ("name", "Ada", "A**"),
        ("mobile", "13800001111", "138****1111"),
        ("id_card", "110101199001011234", "110***********1234"),
        ("mobile", "12345", "1****"),
        ("mobile", "5d41402abc4b2a76b9719d911017c592", "5d4140******"),
    ],
)
def test_what_is_shown_tells_nobody_the_rest(field: str, text: str, shown: str) -> None:
    assert mask(field, text) == shown
