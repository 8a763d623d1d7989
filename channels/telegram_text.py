"""A message as Telegram takes it: plain text in parts of at most 4096 characters, the title bold.

Bold is said beside the text, by `entities` (Bot API, "MessageEntity"), not in it: in a
text without markup nothing has to be escaped, whatever it holds. Telegram counts
in UTF-16 code units, both for the limit and for entities.
"""

import unicodedata
from collections.abc import Iterator

import msgspec

from channels.channel import Message

MOST_UNITS = 4_096
"""Of a text (Bot API, "sendMessage")."""
WORD_ENDS = " \t\u3000"
CLAUSE_ENDS = "。！？；，、"
"""Where a language without spaces may be cut."""
JOINERS = frozenset("\u200d\ufe0f\u20e3")
"""Zero-width joiner, emoji style, keycap: parts of the character before them."""
SKIN_TONES = range(0x1F3FB, 0x1F400)
MOST_JOINED = 32


class Part(msgspec.Struct, frozen=True):
    text: str
    bold_units: int
    """How much of its beginning belongs to the title."""


def parts_of(message: Message) -> list[Part]:
    """At least one, none of them blank."""
    title, body = (message.title or "").strip(), (message.body or "").strip()
    text = "\n".join(part for part in (title, body) if part) or message.kind
    return [Part(text[start:end], units(text[start : min(end, len(title))])) for start, end in spans(text, MOST_UNITS)]


def spans(text: str, most_units: int) -> Iterator[tuple[int, int]]:
    """Where the parts of a text begin and end: what lies between two is whitespace."""
    start = _skip_space(text, 0)
    while start < len(text):
        border = _border(text, start, _reach(text, start, most_units))
        yield start, start + len(text[start:border].rstrip())
        start = _skip_space(text, border)


def units(text: str) -> int:
    """UTF-16 code units."""
    return len(text.encode("utf-16-le")) // 2


def _skip_space(text: str, start: int) -> int:
    while start < len(text) and text[start].isspace():
        start += 1
    return start


def _reach(text: str, start: int, most_units: int) -> int:
    """The end of the longest piece that fits."""
    end = min(len(text), start + most_units)
    while (excess := units(text[start:end]) - most_units) > 0:
        # A character has two units at most, so this never takes away too much.
        end -= (excess + 1) // 2
    return end


def _border(text: str, start: int, end: int) -> int:
    """The best place to cut before `end`: a paragraph's end, a line's, a word's; else wherever no character is torn.

    Not in the first half: parts would become many and small.
    """
    if end == len(text):
        return end
    low = start + max(1, (end - start) // 2)
    for found in (text.rfind("\n\n", low, end + 2), text.rfind("\n", low, end + 1), _word_end(text, low, end)):
        if found >= low:
            return found
    for cut in range(end, max(start, end - MOST_JOINED), -1):
        if not _joined(text, cut):
            return cut
    return end


def _word_end(text: str, low: int, end: int) -> int:
    spaces = (text.rfind(space, low, end + 1) for space in WORD_ENDS)
    clauses = (text.rfind(mark, low, end) + 1 for mark in CLAUSE_ENDS)
    return max(*spaces, *clauses)


def _joined(text: str, cut: int) -> bool:
    """Whether what stands before `cut` and after it is seen as one character."""
    before, after = text[cut - 1], text[cut]
    return before == "\u200d" or after in JOINERS or ord(after) in SKIN_TONES or unicodedata.combining(after) != 0
