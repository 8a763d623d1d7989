"""Texts made to fit: services limit what they take in bytes, and refuse what is longer."""

from collections.abc import Callable

from channels.channel import Message

ELLIPSIS = "…"
WORD_CHARS = 40
"""How far back the end of a word is looked for; languages without spaces are cut where the room ends."""


def words(message: Message) -> str:
    """Title and body as one text; the kind where there is neither."""
    return "\n".join(part for part in (message.title, message.body) if part) or message.kind


def shorten(text: str, most_bytes: int) -> str:
    """The text in at most so many bytes of UTF-8: whole, or up to the end of a word, with an ellipsis."""
    encoded = text.encode()
    if len(encoded) <= most_bytes:
        return text
    room = most_bytes - len(ELLIPSIS.encode())
    if room < 0:
        return ""
    kept = encoded[:room].decode(errors="ignore")
    if not text[len(kept)].isspace():
        end = max(kept.rfind(space, max(0, len(kept) - WORD_CHARS)) for space in " \n\t")
        if end > 0:
            kept = kept[:end]
    return kept.rstrip() + ELLIPSIS


def fit(render: Callable[[str], bytes], text: str, most_bytes: int) -> bytes:
    """What is rendered around the text, which is shortened until the whole has at most so many bytes.

    Longer than that where even the empty text leaves too much.
    """
    rendered = render(text)
    room = len(text.encode())
    while len(rendered) > most_bytes and text:
        # A byte may be several once it is rendered, so this may overshoot; it never ends too long.
        room -= len(rendered) - most_bytes
        text = shorten(text, max(0, room))
        rendered = render(text)
    return rendered
