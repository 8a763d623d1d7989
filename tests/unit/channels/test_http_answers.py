from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.channel import Came
from channels.http import Answer, beginning, check_http_url, http_url, judge, retry_after

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "came"),
    [
        (200, Came.DELIVERED),
        (201, Came.DELIVERED),
        (204, Came.DELIVERED),
        (299, Came.DELIVERED),
        (301, Came.REFUSED),
        (302, Came.REFUSED),
        (307, Came.REFUSED),
        (400, Came.REFUSED),
        (401, Came.REFUSED),
        (403, Came.REFUSED),
        (404, Came.REFUSED),
        (408, Came.RETRY),
        (410, Came.GONE),
        (413, Came.REFUSED),
        (422, Came.REFUSED),
        (425, Came.RETRY),
        (429, Came.RETRY),
        (500, Came.RETRY),
        (502, Came.RETRY),
        (503, Came.RETRY),
        (504, Came.RETRY),
    ],
)
def test_the_status_says_what_came_of_it(status: int, came: Came) -> None:
    receipt = judge(Answer(status, b"said", retry_after_seconds=3.0))

    assert (receipt.came, receipt.status, receipt.response, receipt.retry_after_seconds) == (came, status, "said", 3.0)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("0", 0.0),
        ("120", 120.0),
        (" 7 ", 7.0),
        ("Sun, 01 Mar 2026 12:01:30 GMT", 90.0),
        ("Sun, 01 Mar 2026 13:01:30 +0100", 90.0),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0.0),  # past
        ("Sunday, 01-Mar-26 12:01:30 GMT", 90.0),  # RFC 850
        ("Sun Mar  1 12:01:30 2026", 90.0),  # asctime
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
        ("\u0663", None),  # a digit, but none of HTTP's
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str | None, seconds: float | None) -> None:
    assert retry_after(header, NOW) == seconds


@given(st.one_of(st.text(), st.from_regex(r"\w{3}, \d{1,9} \w{3} \d{1,6} \d\d:\d\d:\d\d ([+-]\d{1,9}|GMT)")))
def test_no_retry_after_is_a_defect_of_ours(header: str) -> None:
    seconds = retry_after(header, NOW)

    assert seconds is None or seconds >= 0


def test_an_answers_beginning_is_kept_as_text() -> None:
    assert beginning(b"") is None
    assert beginning("schön".encode() + b"\0\xff") == "schön\ufffd"
    assert beginning(b"x" * 4096) == "x" * 500


def test_what_an_answer_repeats_of_our_secrets_is_not_kept() -> None:
    echo = b'{"url": "/?key=0123456789abcdef", "level": "high"}'

    assert beginning(echo, hide=("0123456789abcdef", "high")) == '{"url": "/?key=***", "level": "high"}'


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com",
        "http://example.com:8080/a?b=c#d",
        "https://[2606:4700::1111]/",
        "https://例え.jp/通知?x=é",
    ],
)
def test_urls_that_a_post_can_go_to(url: str) -> None:
    check_http_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com",
        "//example.com",
        "/path",
        "ftp://example.com",
        "file:///etc/passwd",
        "gopher://example.com",
        "http://",
        "http:///path",
        "https://user:password@example.com/",
        "https://user@example.com/",
        "https://exa mple.com/",
        "https://example.com/\r\nX: y",
        "https://example.com:99999/",
        "https://[::1/",
        "https://example.com/" + "x" * 2000,
    ],
)
def test_urls_that_no_post_can_go_to_are_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(ValueError, match="URL") as caught:
        check_http_url(url)

    assert not url or url not in str(caught.value)


@given(st.text())
def test_whatever_text_is_given_for_a_url_is_one_or_is_refused(text: str) -> None:
    with suppress(ValueError):
        assert http_url(text).host
