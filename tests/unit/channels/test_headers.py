import msgspec
import pytest

from channels.ways.webhook import WebhookOptions


def options(**headers: str) -> WebhookOptions:
    return msgspec.convert({"headers": headers}, WebhookOptions)


def test_headers_of_the_endpoints_own_are_taken() -> None:
    assert options(Authorization="Bearer abc").headers == {"Authorization": "Bearer abc"}


@pytest.mark.parametrize(
    "name",
    [
        "Host",
        "content-length",
        "Content-Type",
        "Transfer-Encoding",
        "Connection",
        "Upgrade",
        "TE",
        "webhook-id",
        "Webhook-Signature",
        "WEBHOOK-anything",
        "",
        "two words",
        "colon:",
        "line\nbreak",
        "umläut",
    ],
)
def test_headers_that_are_ours_or_no_headers_are_refused(name: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        options(**{name: "x"})


@pytest.mark.parametrize("value", ["a\r\nX-Other: b", "a\0", "ümläut", "x" * 4097])
def test_values_that_cannot_be_sent_are_refused_and_not_repeated(value: str) -> None:
    with pytest.raises(msgspec.ValidationError) as caught:
        options(**{"X-Key": value})

    assert value not in str(caught.value)


def test_a_header_named_twice_and_too_many_are_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match="twice"):
        options(**{"X-A": "1", "x-a": "2"})
    with pytest.raises(msgspec.ValidationError, match="at most 20"):
        options(**{f"X-{number}": "1" for number in range(21)})


def test_unknown_options_are_refused() -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"header": {}}, WebhookOptions)
