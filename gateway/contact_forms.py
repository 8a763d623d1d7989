"""The fields of a call: JSON, either kind of HTML form, or the query; whatever they came in, by their names."""

from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import parse_qsl

from multipart import MultipartError, MultipartSegment, PushMultipartParser, parse_options_header

from gateway.body import decode_object
from gateway.system import Call
from schemas.errors import Refused

URL_ENCODED = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"
MAX_FIELDS = 50


def fields_in_body(call: Call) -> dict[str, Any]:
    """The fields of the body, {} for an empty one. What is not declared is taken for JSON."""
    if not call.raw_bytes:
        return {}
    kind, options = parse_options_header(call.headers.get("Content-Type", "application/json"))
    if kind == URL_ENCODED:
        return once(_url_encoded(call.raw_bytes))
    if kind == MULTIPART:
        return once(_multipart(call.raw_bytes, options.get("boundary", "")))
    if kind == "application/json" or kind.endswith("+json"):
        return decode_object(call.raw_bytes)
    raise Refused("wrong_content_type", f"send the body as application/json, {URL_ENCODED} or {MULTIPART}")


def fields_in_query(call: Call) -> dict[str, str]:
    """Those that have a value."""
    return once((name, value) for name, value in call.query.items() if value)


def fields_of(call: Call) -> dict[str, Any]:
    """Those of the body and of the query together."""
    return once((*fields_in_query(call).items(), *fields_in_body(call).items()))


def once(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Refuses a field that is there twice: which one was meant is not to be guessed."""
    fields: dict[str, Any] = {}
    for name, value in pairs:
        if fields.setdefault(name, value) != value:
            raise Refused("bad_field", f"{name[:100]} is there twice, with two values")
    return fields


def _url_encoded(body: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
    except ValueError:
        raise _no_form() from None


def _multipart(body: bytes, boundary: str) -> list[tuple[str, str]]:
    try:
        return [(name, value.decode()) for name, value in _parts(body, boundary)]
    except (MultipartError, ValueError):
        raise _no_form() from None


def _parts(body: bytes, boundary: str) -> Iterator[tuple[str, bytes]]:
    """Raises MultipartError, at the end too where the form is cut off."""
    with PushMultipartParser(boundary, max_segment_count=MAX_FIELDS) as parser:
        name, value = "", b""
        for part in parser.parse(body):
            match part:
                case MultipartSegment():
                    name, value = part.name, b""
                case None:
                    yield name, value
                case _:
                    value += part


def _no_form() -> Refused:
    return Refused("bad_field", f"the body is no form, or no UTF-8, or has more than {MAX_FIELDS} fields")
