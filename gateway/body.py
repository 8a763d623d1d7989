"""A request's body: read within its limits, decoded, and only what can be kept."""

import asyncio
from typing import Any

import msgspec
import orjson
from aiohttp import StreamReader, web
from aiohttp.web_protocol import RequestPayloadError

from schemas.errors import Refused
from schemas.numbers import MAX_DEPTH, check_free_form

_DIGITS_ALIKE = bytes.maketrans(b"0123456789", b"0000000000")
_LONG_NUMBER = b"0" * 19
"""An integer past 64 bits has at least 19 digits."""


async def read_body(request: web.BaseRequest, limit_bytes: int, timeout_seconds: float) -> bytes:
    """The whole body. Refuses too_large without buffering more than the limit, and too_slow."""
    content = request.content
    try:
        if content.is_eof():  # it came with the headers, as nearly all do
            body = content.read_nowait(-1)
        elif (request.content_length or 0) > limit_bytes:
            raise _too_large(limit_bytes)
        else:
            async with asyncio.timeout(timeout_seconds):
                body = await _read_chunks(content, limit_bytes)
    except TimeoutError:
        raise Refused("too_slow", f"the body was not complete after {timeout_seconds:g} s") from None
    except ConnectionError:
        raise Refused("too_slow", "the connection ended within the body") from None
    except (RequestPayloadError, web.HTTPException):
        raise Refused(
            "bad_json", "the body does not fit its Content-Length, Transfer-Encoding or Content-Encoding"
        ) from None
    if len(body) > limit_bytes:
        raise _too_large(limit_bytes)
    return body


async def _read_chunks(content: StreamReader, limit_bytes: int) -> bytes:
    body = bytearray()
    while chunk := await content.readany():
        body += chunk
        if len(body) > limit_bytes:
            break
    return bytes(body)


def _too_large(limit_bytes: int) -> Refused:
    return Refused("too_large", f"the body may have {limit_bytes} bytes")


def decode_object(body: bytes, *, nul_in_text: bool = False) -> dict[str, Any]:
    """The JSON object in a body, {} for an empty one. Refuses what is none, and what `check_plain` does."""
    if not body:
        return {}
    value = decode_json(body, nul_in_text=nul_in_text)
    if not isinstance(value, dict):
        raise Refused("bad_json", "the body is not a JSON object")
    return value


def decode_json(body: bytes, *, nul_in_text: bool = False) -> Any:
    """Any JSON value. Refuses what is none, and what `check_plain` does."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Refused("bad_json", f"not JSON: {error.msg} at line {error.lineno} column {error.colno}") from None
    if _suspicious(body):
        _check_suspicious(body, nul_in_text)
    return value


def _suspicious(body: bytes) -> bool:
    """Whether to look closer: cheap, for nearly all bodies pass."""
    return (
        b"\\u0000" in body
        or _LONG_NUMBER in body.translate(_DIGITS_ALIKE)
        or body.count(b"{") + body.count(b"[") > MAX_DEPTH
    )


def _check_suspicious(body: bytes, nul_in_text: bool) -> None:
    try:
        # orjson turns an integer past 64 bits into a float; msgspec keeps it, so it can be seen.
        check_plain(msgspec.json.decode(body), nul_in_text=nul_in_text)
    except (ValueError, msgspec.MsgspecError, RecursionError) as error:
        raise Refused("bad_field", str(error)) from None


def check_plain(value: Any, path: str = "$", depth: int = 0, *, nul_in_text: bool = False) -> None:
    """Raise ValueError, naming the place, at a NUL, an integer past 64 bits or nesting that no document can have.

    `nul_in_text`: a text may hold a NUL; a key never may.
    """
    if depth > MAX_DEPTH:
        raise ValueError(f"nested deeper than {MAX_DEPTH} levels at {path[:80]}")
    match value:
        case dict():
            for key, inner in value.items():
                check_plain(key, f"{path} (a key)", depth + 1)
                check_plain(inner, f"{path}.{key}", depth + 1, nul_in_text=nul_in_text)
        case list():
            for index, inner in enumerate(value):
                check_plain(inner, f"{path}[{index}]", depth + 1, nul_in_text=nul_in_text)
        case str() if "\0" in value and not nul_in_text:
            raise ValueError(f"NUL in the text at {path[:80]}")
        case int() if not -(2**63) <= value < 2**63:
            raise ValueError(f"integer past 64 bits at {path[:80]}")


class Typed:
    """A type that a decoded body must have. `nul_in_text`: texts may hold a NUL, where the type does not forbid it."""

    def __init__(self, kind: type[msgspec.Struct], *, nul_in_text: bool = False) -> None:
        self._kind = kind
        self._nul_in_text = nul_in_text
        self._free_form = holds_free_form(msgspec.inspect.type_info(kind))

    def validate(self, value: Any) -> Any:
        """The typed value. Refuses with bad_field, naming the field; extra fields are left out."""
        try:
            typed = msgspec.convert(value, self._kind, strict=True)
            if self._free_form:
                check_free_parts(typed, nul_in_text=self._nul_in_text)
            return typed
        except (ValueError, msgspec.MsgspecError) as error:
            raise Refused("bad_field", str(error)) from None


def check_free_parts(value: Any, *, nul_in_text: bool = False) -> None:
    """Raise ValueError where a key that the sender chose cannot be one of a document."""
    match value:
        case msgspec.Struct():
            for field in value.__struct_fields__:
                check_free_parts(getattr(value, field), nul_in_text=nul_in_text)
        case list() | tuple():
            for inner in value:
                check_free_parts(inner, nul_in_text=nul_in_text)
        case dict():
            check_free_form(value, nul_in_text=nul_in_text)


def holds_free_form(kind: msgspec.inspect.Type, seen: frozenset[type] = frozenset()) -> bool:
    """Whether a type lets the sender choose keys or shape: their names must then be fit for a document."""
    match kind:
        case msgspec.inspect.AnyType() | msgspec.inspect.DictType() | msgspec.inspect.RawType():
            return True
        case msgspec.inspect.Metadata(type=inner):
            return holds_free_form(inner, seen)
        case msgspec.inspect.StructType(cls=cls, fields=fields):
            return cls not in seen and any(holds_free_form(field.type, seen | {cls}) for field in fields)
        case msgspec.inspect.UnionType(types=members) | msgspec.inspect.TupleType(item_types=members):
            return any(holds_free_form(member, seen) for member in members)
        case msgspec.inspect.CollectionType(item_type=item):
            return holds_free_form(item, seen)
    return False
