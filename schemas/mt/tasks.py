"""Single tests and batch tasks of products, as the contract writes them (metering.yaml, tag console-tasks)."""

from enum import IntEnum
from typing import Annotated

import msgspec

from schemas.mt.alerts import Item
from schemas.mt.common import PageQuery, Row
from schemas.numbers import NO_NUL, Int32

MAX_PARAM_CHARS = 4_096
Param = Annotated[str, msgspec.Meta(max_length=MAX_PARAM_CHARS, pattern=NO_NUL)]
LongParam = Annotated[str, msgspec.Meta(max_length=1_000_000, pattern=NO_NUL)]


class EncryptionType(IntEnum):
    """How personal data is sent."""

    PLAIN = 1
    MD5 = 2
    SHA256 = 3
    SM3 = 4


class TaskState(IntEnum):
    """The contract lists no states of tasks; these are Fanfold's."""

    FAILED = -1
    """Given up: `jobs` say why."""
    DRAFT = 0
    WAITING = 10
    RUNNING = 20
    FINISHED = 30


class Params(msgspec.Struct, rename="camel", omit_defaults=True, kw_only=True):
    """ProductTestParams: what a product is asked about."""

    name: Param | None = None
    id_card: Param | None = None
    name2: Param | None = None
    id_card2: Param | None = None
    mobile: Param | None = None
    trade_no: Param | None = None
    plate_number: Param | None = None
    cert_no: Param | None = None
    vin: Param | None = None
    province_code: Param | None = None
    scene: Param | None = None
    type: Param | None = None
    api_keys: Param | None = None
    dept_id: Int32 | None = None
    call_back: Param | None = None
    url: Param | None = None
    base64: LongParam | None = None
    key_word: Param | None = None
    ent_name: Param | None = None
    ent_code: Param | None = None


PARAM_NAMES = tuple(name for name in Params.__struct_encode_fields__ if name != "deptId")
"""What a column of a sample file can be named."""


class SingleTest(msgspec.Struct, rename="camel", kw_only=True):
    """ApiTaskTestRequest."""

    check_item: Item
    params: Params


class TaskQuery(PageQuery, rename="camel", kw_only=True):
    """ApiTaskTaskListRequest. `deptId` is the server's to set, and not listened to."""

    check_item: Item | None = None
    keyword: Annotated[str, msgspec.Meta(max_length=128)] | None = None


class TaskRow(Row, kw_only=True):
    """BatchTask."""

    id: int
    task_no: str
    task_name: str
    dept_id: int
    dept_name: str | None = None
    app_id: str | None = None
    check_item: str
    item_name: str | None = None
    state: int
    task_params: str
    sample_count: int
    finished_count: int
    password: str | None = None
    """Of the archive, once it is there."""
    execute_time: str | None = None
    finish_time: str | None = None
    create_date: str
