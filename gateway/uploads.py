"""Files that come in by HTML forms."""

import msgspec
from multipart import MultipartError, MultipartSegment, PushMultipartParser, parse_options_header

from gateway.contact_forms import MAX_FIELDS, MULTIPART
from gateway.system import Call
from schemas.errors import Refused


class Upload(msgspec.Struct, frozen=True):
    name: str
    """As the client calls it; not to be used as a path."""
    content: bytes


def file_in(call: Call, field: str) -> Upload:
    """The file in a field of the form. Refuses what is no form, or has no such file."""
    kind, options = parse_options_header(call.headers.get("Content-Type", ""))
    if kind != MULTIPART:
        raise Refused("wrong_content_type", f"send the file as {MULTIPART}")
    try:
        found = _file(call.raw_bytes, options.get("boundary", ""), field)
    except (MultipartError, ValueError):
        raise Refused("bad_field", "the body is no form, or is cut off") from None
    if found is None:
        raise Refused("bad_field", f"{field}: a file is expected")
    return found


def _file(body: bytes, boundary: str, field: str) -> Upload | None:
    """Raises MultipartError, at the end too where the form is cut off."""
    found: Upload | None = None
    with PushMultipartParser(boundary, max_segment_count=MAX_FIELDS) as parser:
        part: MultipartSegment | None = None
        content = b""
        for each in parser.parse(body):
            if isinstance(each, MultipartSegment):
                part, content = each, b""
            elif each is None:
                if part is not None and part.name == field:
                    found = Upload(part.filename or "", content)
            else:
                content += each
    return found
