import pytest
from multidict import CIMultiDict
from pydantic import SecretStr

from gateway.tokens import Tokens, bearer_token

KNOWN = Tokens([SecretStr("one"), SecretStr("zwei-ü")])


def test_each_known_token_is_accepted() -> None:
    assert KNOWN.accept("one")
    assert KNOWN.accept("zwei-ü")


@pytest.mark.parametrize("token", [None, "", "One", "one ", "on", "\udcff", "\0"])
def test_what_is_not_exactly_a_known_token_is_not_accepted(token: str | None) -> None:
    assert not KNOWN.accept(token)


def test_where_no_token_is_set_none_is_accepted() -> None:
    assert not Tokens([])
    assert not Tokens([]).accept("")
    assert not Tokens([]).accept(None)


@pytest.mark.parametrize(
    ("header", "token"),
    [
        ("Bearer abc", "abc"),
        ("bearer abc", "abc"),
        ("Bearer  abc ", "abc"),
        ("Bearer", None),
        ("Bearer ", None),
        ("Basic abc", None),
        ("abc", None),
        ("", None),
    ],
)
def test_the_token_of_an_authorization_header(header: str, token: str | None) -> None:
    assert bearer_token(CIMultiDict({"authorization": header})) == token


def test_without_the_header_there_is_no_token() -> None:
    assert bearer_token({}) is None
