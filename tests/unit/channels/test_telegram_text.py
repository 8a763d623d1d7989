import pytest
from channel_samples import a_message
from hypothesis import given
from hypothesis import strategies as st

from channels.telegram_text import MOST_UNITS, Part, parts_of, spans, units

FAMILY = "👨\u200d👩\u200d👧"
"""Three people of two units each, and two joiners: seen as one character."""
texts = st.text(alphabet=st.one_of(st.characters(exclude_categories=["Cs"]), st.sampled_from(" \n。，😀\u200d\u0301")))


def pieces(text: str, most_units: int) -> list[str]:
    return [text[start:end] for start, end in spans(text, most_units)]


@pytest.mark.parametrize(
    ("text", "most", "parts"),
    [
        ("one two", 7, ["one two"]),
        ("one two three", 8, ["one two", "three"]),
        ("one two three", 7, ["one two", "three"]),  # the room ends where the word does
        ("a b c\nd e f g", 10, ["a b c", "d e f g"]),  # a line's end before a word's
        ("a b\nc\n\nd e f", 10, ["a b\nc", "d e f"]),  # a paragraph's before a line's
        ("a\n\nbcd efg hij", 12, ["a\n\nbcd efg", "hij"]),  # but none in the first half
        ("unbroken", 5, ["unbro", "ken"]),
        ("你好。再见了吧", 5, ["你好。", "再见了吧"]),
        ("😀😀😀", 5, ["😀😀", "😀"]),  # two units each
        ("😀😀😀", 3, ["😀", "😀", "😀"]),
        ("xe\u0301", 2, ["x", "e\u0301"]),  # an accent stays on its letter
        (f"ab{FAMILY}", 8, ["ab", FAMILY]),
        ("👍🏽👍🏽", 6, ["👍🏽", "👍🏽"]),  # with a skin tone, four units each
        ("  \n a \n ", 5, ["a"]),
        ("", 5, []),
    ],
)
def test_a_text_is_cut_at_the_best_place_there_is(text: str, most: int, parts: list[str]) -> None:
    assert pieces(text, most) == parts


@given(texts, st.integers(min_value=2, max_value=60))
def test_every_part_fits_and_nothing_but_space_between_them_is_lost(text: str, most: int) -> None:
    at = 0
    for start, end in spans(text, most):
        assert text[at:start].strip() == ""
        assert 0 < units(text[start:end]) <= most
        assert text[start:end] == text[start:end].strip()
        at = end
    assert text[at:].strip() == ""


@given(st.lists(st.text(alphabet="abc", min_size=1, max_size=9), max_size=60), st.integers(20, 60))
def test_words_that_fit_twice_are_never_torn(words: list[str], most: int) -> None:
    assert [word for piece in pieces(" ".join(words), most) for word in piece.split()] == words


@given(texts)
def test_units_are_those_of_utf_16(text: str) -> None:
    assert units(text) == sum(2 if ord(character) > 0xFFFF else 1 for character in text)


@given(st.text(st.characters(exclude_categories=["Cs"])), st.text(st.characters(exclude_categories=["Cs"])))
def test_the_title_is_bold_and_the_rest_is_as_it_was_written(title: str, body: str) -> None:
    [part] = parts_of(a_message(title=title, body=body))
    title, body = title.strip(), body.strip()

    if title or body:
        assert part.text == "\n".join(text for text in (title, body) if text)
    assert part.bold_units == units(title)


def test_a_title_past_one_part_is_bold_in_each_that_it_fills() -> None:
    parts = parts_of(a_message(title="😀" * 3_000, body="after it"))

    assert [units(part.text) for part in parts] == [MOST_UNITS, 1_904 + len("\nafter it")]
    assert [part.bold_units for part in parts] == [MOST_UNITS, 1_904]


def test_the_longest_body_there_is_goes_out_whole() -> None:
    body = ("word " * 20 + "\n") * 2_600
    parts = parts_of(a_message(title=None, body=body))

    assert "".join("".join(part.text for part in parts).split()) == "".join(body.split())
    assert max(units(part.text) for part in parts) <= MOST_UNITS
    assert len(parts) < 2 * len(body) / MOST_UNITS


@pytest.mark.parametrize(("title", "body"), [(None, None), ("", " \n"), ("\u3000", None)])
def test_a_message_without_text_says_its_kind(title: str | None, body: str | None) -> None:
    assert parts_of(a_message(kind="order.paid", title=title, body=body)) == [Part("order.paid", 0)]
