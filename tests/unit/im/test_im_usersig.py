"""UserSig: what is made verifies, and nothing else does."""

import json
import zlib
from base64 import b64decode, b64encode
from importlib.resources import files
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.im import usersig
from schemas.im.codes import Failed

KEY, APP, USER = "a key", "1400000001", "alice"
CODES_OF_A_BAD_ONE = {70003, 70009, 70013, 70014}

keys = st.text(min_size=1)
apps = st.integers(1, 2**53).map(str)
users = st.text(st.characters(codec="utf-8"), min_size=1, max_size=32)
seconds = st.integers(0, 2**40)


def code(text: str, key: str = KEY, app: str = APP, user: str = USER) -> int:
    """What verifying fails with."""
    with pytest.raises(Failed) as failed:
        usersig.verify(text, key, app, user)
    return failed.value.code


def outcome(text: str, key: str, user: str) -> int:
    """Until when it is good, or what verifying fails with."""
    try:
        return usersig.verify(text, key, APP, user)
    except Failed as failed:
        return failed.code


def packed(document: Any) -> str:
    """Any document as a UserSig, signed or not."""
    return b64encode(zlib.compress(json.dumps(document).encode())).decode().translate(str.maketrans("+/=", "*-_"))


def unpacked(text: str) -> dict[str, Any]:
    return json.loads(zlib.decompress(b64decode(text.translate(str.maketrans("*-_", "+/=")))))


def test_the_contracts_vector_verifies() -> None:
    example = files("schemas").joinpath("contracts", "examples", "im", "UserSig.vector.json")
    vector = json.loads(example.read_text(encoding="utf-8"))

    assert usersig.read(vector["usersig"]).signed_text == vector["signed_text"]
    assert usersig.verify(vector["usersig"], vector["key"], "1400000000", "administrator") == vector["valid_until"]


@given(key=keys, app=apps, user=users, issued_at=seconds, expire=seconds, userbuf=st.none() | st.binary(max_size=64))
def test_whatever_is_made_verifies_for_whom_it_was_made(
    key: str, app: str, user: str, issued_at: int, expire: int, userbuf: bytes | None
) -> None:
    made = usersig.make(key, app, user, issued_at, expire, userbuf)

    assert usersig.verify(made, key, app, user) == issued_at + expire
    assert set(made) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789*-_")


@given(key=keys, user=users, place=st.integers(0), character=st.characters(max_codepoint=0x17F))
def test_a_changed_character_makes_it_bad_or_changes_nothing_that_it_says(
    key: str, user: str, place: int, character: str
) -> None:
    made = usersig.make(key, APP, user, 1_600_000_000, 60)
    place %= len(made)
    changed = made[:place] + character + made[place + 1 :]

    found = outcome(changed, key, user)

    # A few bits of base64 and of deflate mean nothing: then it is the same document, and good.
    same = found == 1_600_000_060 and usersig.read(changed) == usersig.read(made)
    assert same or found in CODES_OF_A_BAD_ONE


@given(
    field=st.sampled_from(["TLS.identifier", "TLS.sdkappid", "TLS.expire", "TLS.time", "TLS.userbuf", "TLS.sig"]),
    number=st.integers(0, 2**40),
    text=st.text(max_size=20),
)
def test_a_document_that_says_something_else_is_not_signed(field: str, number: int, text: str) -> None:
    document = unpacked(usersig.make(KEY, APP, USER, 1_600_000_000, 60, b"buffer"))
    changed = {**document, field: number if isinstance(document[field], int) else text}

    if changed != document:
        assert code(packed(changed)) in {70009, 70014}


def test_the_order_of_the_members_and_the_compression_are_free() -> None:
    document = unpacked(usersig.make(KEY, APP, USER, 100, 60))
    reordered = json.dumps(dict(reversed(document.items())), indent=3).encode()
    stored = b64encode(zlib.compress(reordered, level=0)).decode().translate(str.maketrans("+/=", "*-_"))

    assert usersig.verify(stored, KEY, APP, USER) == 160


def test_each_way_of_being_bad_has_its_code() -> None:
    made = usersig.make(KEY, APP, USER, 100, 60)

    assert code(made, key="another") == 70009
    assert code(made, app="1400000002") == 70014
    assert code(made, user="bob") == 70013
    assert code("") == 70003
    assert code("not packed") == 70003
    assert code(made[:-4]) == 70003
    assert code(made + "AAAA") == 70003
    assert code(made.replace("_", "=") if "_" in made else made + "=") == 70003
    assert code(packed({"TLS.ver": "2.0"})) == 70003
    assert code(packed({**unpacked(made), "TLS.time": "100"})) == 70003
    assert code(packed({**unpacked(made), "TLS.sig": "签"})) == 70009
    assert code(packed([])) == 70003


def test_a_small_text_that_unpacks_to_megabytes_is_not_unpacked() -> None:
    bomb = b64encode(zlib.compress(b" " * 50_000_000)).decode().translate(str.maketrans("+/=", "*-_"))

    assert code(bomb) == 70003
