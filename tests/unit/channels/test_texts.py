import json

import pytest
from channel_samples import a_message
from hypothesis import given
from hypothesis import strategies as st

from channels.texts import fit, shorten, words


@pytest.mark.parametrize(
    ("text", "most", "short"),
    [
        ("short", 5, "short"),
        ("one two three", 13, "one two three"),
        ("one two three", 12, "one two…"),  # 9 bytes of room: "one two t"
        ("one two three", 10, "one two…"),  # the room ends where the word does
        ("one two three", 9, "one…"),
        ("三个字和更多", 18, "三个字和更多"),
        ("三个字和更多", 17, "三个字和…"),  # no spaces: cut at a character
        ("unbroken" * 10, 20, ("unbroken" * 10)[:17] + "…"),
        ("anything", 2, ""),
    ],
)
def test_a_text_ends_with_a_word_and_an_ellipsis(text: str, most: int, short: str) -> None:
    assert shorten(text, most) == short


@given(st.text(), st.integers(min_value=0, max_value=100))
def test_a_shortened_text_fits_and_begins_as_the_whole(text: str, most: int) -> None:
    short = shorten(text, most)

    assert len(short.encode()) <= most
    assert short == text or text.startswith(short.removesuffix("…"))


@given(st.text(), st.integers(min_value=20, max_value=200))
def test_what_is_rendered_fits_however_much_rendering_adds(text: str, most: int) -> None:
    def render(inner: str) -> bytes:
        return json.dumps({"text": inner}).encode()  # escapes what is not ASCII: up to twelve bytes a character

    rendered = fit(render, text, most)

    assert len(rendered) <= most
    assert json.loads(rendered)["text"] == text or len(render(text)) > most


def test_a_message_is_its_title_and_body_or_else_its_kind() -> None:
    assert words(a_message()) == "Ban\nAn account was banned."
    assert words(a_message(title=None)) == "An account was banned."
    assert words(a_message(body=None)) == "Ban"
    assert words(a_message(title=None, body=None)) == "detection.noticed"
