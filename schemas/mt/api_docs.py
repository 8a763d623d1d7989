"""Documents of products, as the public site shows them (metering.yaml, portal/apiDoc)."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import msgspec

from schemas.mt.common import Row
from schemas.mt.products import Body, Code, Name
from schemas.numbers import Int64, LongText, Text, check_free_form


class DocQuery(Body, kw_only=True):
    category_code: Text | None = None
    keyword: Text | None = None


class DocDetailQuery(Body, kw_only=True):
    id: Int64 | None = None
    check_item: Code | None = None


class CategoryRow(Row, kw_only=True):
    """The contract leaves the fields of a category open."""

    category_code: str
    category_name: str | None = None
    count: int


class Column(Row, kw_only=True):
    column_id: str
    column_title: str | None = None


class SchemaTable(Row, kw_only=True):
    """DocSchemaTable. Rows are objects keyed by `columnId`."""

    type: Literal["table", "text"] = "table"
    title: str | None = None
    columns: Sequence[Column] = ()
    rows: list[dict[str, Any]] = msgspec.field(default_factory=list)

    def __post_init__(self) -> None:
        check_free_form(self.rows)


Tables = Annotated[list[SchemaTable], msgspec.Meta(max_length=200)]


class ApiDoc(Body, kw_only=True, omit_defaults=True):
    """A document as it is written: a file of these is read by `fanfold products docs`."""

    check_item: Code
    api_name: Name
    category_code: Name | None = None
    category_name: Text | None = None
    subcategory_code: Text | None = None
    subcategory_name: Text | None = None
    api_path: Text | None = None
    request_method: Text | None = None
    content_type: Text | None = None
    param_schema: Tables | None = None
    params_example: LongText | None = None
    resp_schema: Tables | None = None
    resp_example: LongText | None = None
    field_schema: dict[Code, SchemaTable] | None = None
    error_code_schema: Tables | None = None
    upgrade_period: Text | None = None
    data_advantage: LongText | None = None
    fee_type: Text | None = None
    doc_url: Text | None = None
    resp_time: Text | None = None
    background_img: Text | None = None
    description: LongText | None = None
    tags: Annotated[list[Name], msgspec.Meta(max_length=100)] | None = None
    task_template: LongText | None = None
    """Template of batch tasks; with one the product can be tested in batches."""
    task_able: bool | None = None
    """Whether the product can be tested online."""


class ApiDocSummaryRow(Row, kw_only=True):
    id: int
    create_by: int | None = None
    create_time: str
    modify_time: str
    check_item: str
    check_item_name: str | None = None
    category_code: str | None = None
    api_name: str
    data_advantage: str | None = None
    resp_time: str | None = None
    background_img: str | None = None
    description: str | None = None


class ApiDocDetailRow(Row, kw_only=True):
    id: int
    check_item: str
    check_item_name: str | None = None
    category_code: str | None = None
    category_name: str | None = None
    subcategory_code: str | None = None
    subcategory_name: str | None = None
    api_name: str
    api_path: str | None = None
    request_method: str | None = None
    content_type: str | None = None
    param_schema: Sequence[SchemaTable] | None = None
    params_example: str | None = None
    resp_schema: Sequence[SchemaTable] | None = None
    resp_example: str | None = None
    field_schema: Mapping[str, SchemaTable] | None = None
    error_code_schema: Sequence[SchemaTable] | None = None
    upgrade_period: str | None = None
    data_advantage: str | None = None
    fee_type: str | None = None
    doc_url: str | None = None
    resp_time: str | None = None
    background_img: str | None = None
    description: str | None = None
    tags: Sequence[str] | None = None
    is_collected: bool
    task_template: str | None = None
