"""Sample files: what can be read of them, and what is said of those that cannot be used."""

import io
import zipfile
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.mt import samples
from gateway.mt.samples import read_sample
from schemas.mt.alert_codes import BAD_SAMPLE
from schemas.mt.codes import MtRefused
from tests.workbooks import workbook


def test_columns_are_parameters_by_their_names_or_in_chinese() -> None:
    sample = read_sample("姓名,IDCARD,mobile\n李雷,1,2\n".encode(), 10)

    assert sample.columns == ("name", "idCard", "mobile")
    assert sample.rows == ({"name": "李雷", "idCard": "1", "mobile": "2"},)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_a_text_may_be_as_spreadsheet_programs_write_it(encoding: str) -> None:
    assert read_sample("姓名\n李雷\n".encode(encoding), 10).rows == ({"name": "李雷"},)


def test_cells_of_a_workbook_are_texts_and_numbers_have_no_point() -> None:
    content = workbook(
        ["name", "mobile", "vin", None], ["Li", 13812345678.0, None, None], [None, None, None], ["Wu", 5, ""]
    )

    assert read_sample(content, 10).rows == ({"name": "Li", "mobile": "13812345678"}, {"name": "Wu", "mobile": "5"})


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "row 1"),
        (b"name\n", "no row behind"),
        (b"surname\nLi\n", "row 1, column 1: 'surname'"),
        (b"name,Name\na,b\n", "row 1, column 2: name is there twice"),
        (b"name\na\nb,c\n", "row 3: there are more cells"),
        (b"name\na\n\n\nb\nc\nd\n", "row 7: a sample has at most 3 rows"),
        (b'name\n"a\n', "row"),
        (b"name\n" + b"a" * 5_000, "row 2: name has more than"),
        (b"\xff\xfe\xff\x80", "neither a workbook"),
        (b"PK\x03\x04 no workbook", "cannot be read"),
        (workbook(["name"], ["a"], ["b", "c"]), "row 3: there are more cells"),
    ],
)
def test_what_cannot_be_used_is_told_with_its_row(content: bytes, says: str) -> None:
    with pytest.raises(MtRefused, match=says) as refused:
        read_sample(content, 3)
    assert refused.value.code == BAD_SAMPLE


def test_a_workbook_that_unpacks_to_too_much_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b"0" * 70_000_000)

    with pytest.raises(MtRefused, match="unpacks to"):
        read_sample(packed.getvalue(), 10)
    assert len(packed.getvalue()) < 100_000 < samples.UNPACKED_BYTES


@given(st.binary(max_size=300))
def test_any_bytes_are_a_sample_or_refused(content: bytes) -> None:
    for beginning in (b"", b"name\n", samples.XLSX_MAGIC):
        with suppress(MtRefused):
            assert read_sample(beginning + content, 5).rows
