"""What a message may be made of: the eight element types, with the fields that each must have.

contracts/im.yaml, MsgElement. Fields that are not named there are let through: an
element reaches its receiver as it was sent.
"""

from typing import Annotated, Any

import msgspec

MAX_MESSAGE_BYTES = 12 * 1024
"""Of `MsgBody` and `CloudCustomData` together, as JSON. contracts/im-semantics.md says 8 KB,
the API as it is served today 12 KB: the larger one refuses nobody who kept to the smaller."""

Size = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
Integer = Annotated[int, msgspec.Meta(ge=-(2**53), le=2**53)]


class Text(msgspec.Struct, frozen=True, rename="pascal"):
    text: str


class Location(msgspec.Struct, frozen=True, rename="pascal"):
    latitude: float
    longitude: float
    desc: str = ""


class Face(msgspec.Struct, frozen=True, rename="pascal"):
    index: Integer
    data: str = ""


class Custom(msgspec.Struct, frozen=True, rename="pascal"):
    data: str = ""
    desc: str = ""
    ext: str = ""
    sound: str = ""


class Sound(msgspec.Struct, frozen=True, rename="pascal", kw_only=True):
    url: str
    uuid: str = msgspec.field(name="UUID", default="")
    size: Size
    second: Size
    download_flag: Integer = msgspec.field(name="Download_Flag")


class Picture(msgspec.Struct, frozen=True, rename="pascal"):
    type: Integer
    size: Size
    width: Size
    height: Size
    url: str = msgspec.field(name="URL")


class Image(msgspec.Struct, frozen=True, rename="pascal"):
    uuid: str = msgspec.field(name="UUID")
    image_format: Integer
    image_info_array: Annotated[tuple[Picture, ...], msgspec.Meta(min_length=1)]


class File(msgspec.Struct, frozen=True, rename="pascal", kw_only=True):
    url: str
    uuid: str = msgspec.field(name="UUID", default="")
    file_size: Size
    file_name: str
    download_flag: Integer = msgspec.field(name="Download_Flag")


class Video(msgspec.Struct, frozen=True, rename="pascal", kw_only=True):
    video_url: str
    video_uuid: str = msgspec.field(name="VideoUUID", default="")
    video_size: Size
    video_second: Size
    video_format: str
    video_download_flag: Integer
    thumb_url: str
    thumb_uuid: str = msgspec.field(name="ThumbUUID")
    thumb_size: Size
    thumb_width: Size
    thumb_height: Size
    thumb_format: str
    thumb_download_flag: Integer


class _Element(msgspec.Struct, frozen=True, tag_field="MsgType"):
    """Which of them it is, `MsgType` says."""


class TIMTextElem(_Element, frozen=True, tag=True):
    content: Text = msgspec.field(name="MsgContent")


class TIMLocationElem(_Element, frozen=True, tag=True):
    content: Location = msgspec.field(name="MsgContent")


class TIMFaceElem(_Element, frozen=True, tag=True):
    content: Face = msgspec.field(name="MsgContent")


class TIMCustomElem(_Element, frozen=True, tag=True):
    content: Custom = msgspec.field(name="MsgContent")


class TIMSoundElem(_Element, frozen=True, tag=True):
    content: Sound = msgspec.field(name="MsgContent")


class TIMImageElem(_Element, frozen=True, tag=True):
    content: Image = msgspec.field(name="MsgContent")


class TIMFileElem(_Element, frozen=True, tag=True):
    content: File = msgspec.field(name="MsgContent")


class TIMVideoFileElem(_Element, frozen=True, tag=True):
    content: Video = msgspec.field(name="MsgContent")


Element = (
    TIMTextElem
    | TIMLocationElem
    | TIMFaceElem
    | TIMCustomElem
    | TIMSoundElem
    | TIMImageElem
    | TIMFileElem
    | TIMVideoFileElem
)
Body = tuple[dict[str, Any], ...]
"""Elements as they were sent."""

_Elements = Annotated[tuple[Element, ...], msgspec.Meta(min_length=1)]


def elements_of(body: Any) -> tuple[Element, ...]:
    """What a body is made of. Raises msgspec.ValidationError where one is not as the contract says."""
    elements: tuple[Element, ...] = msgspec.convert(body, _Elements)
    return elements


def size_of(body: Any, custom_data: str | None) -> int:
    """Bytes of a message."""
    return len(msgspec.json.encode(body)) + len((custom_data or "").encode())


_NAMES = {
    TIMLocationElem: "[Location]",
    TIMFaceElem: "[Emoji]",
    TIMSoundElem: "[Voice]",
    TIMImageElem: "[Image]",
    TIMFileElem: "[File]",
    TIMVideoFileElem: "[Video]",
}


def push_text(elements: tuple[Element, ...]) -> str:
    """What an offline push says of a message that says nothing about it itself.

    Of a custom element its description, where there is nothing else in the message (contract, TIMCustomElem).
    """
    words = []
    for element in elements:
        match element:
            case TIMTextElem(content=content):
                words.append(content.text)
            case TIMCustomElem(content=content):
                words.append(content.desc if len(elements) == 1 and content.desc else "[Custom]")
            case _:
                words.append(_NAMES[type(element)])
    return " ".join(words)
