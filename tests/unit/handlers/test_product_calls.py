"""Calls of products: their signature, their number, and personal data as digests."""

import hmac
import json

import pytest

from handlers.product_calls import digested, row_number, signed_call
from schemas.mt.tasks import EncryptionType


@pytest.mark.parametrize(
    ("encryption", "digest"),
    [
        (EncryptionType.PLAIN, "abc"),
        (EncryptionType.MD5, "900150983cd24fb0d6963f7d28e17f72"),  # RFC 1321, A.5
        (EncryptionType.SHA256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),  # FIPS 180-2, B.1
        (EncryptionType.SM3, "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"),  # GB/T 32905, A.1
    ],
)
def test_personal_data_is_a_digest_and_the_rest_as_it_is(encryption: EncryptionType, digest: str) -> None:
    assert digested({"idCard": "abc", "scene": "abc"}, encryption) == {"idCard": digest, "scene": "abc"}


def test_what_is_a_digest_already_stays() -> None:
    digest = "900150983CD24FB0D6963F7D28E17F72"

    assert digested({"mobile": digest}, EncryptionType.MD5) == {"mobile": digest.lower()}
    assert digested({"mobile": digest}, EncryptionType.SHA256)["mobile"] != digest.lower()


def test_a_call_is_signed_over_its_time_and_body() -> None:
    signed = signed_call(
        app_id="app",
        secret="secret",
        seq_no=row_number(7, 3),
        item="idcheck",
        params={"name": "Li"},
        encryption=EncryptionType.PLAIN,
        timestamp=1_700_000_000,
    )

    assert json.loads(signed.body) == {
        "appId": "app",
        "seqNo": "BT7-3",
        "checkItem": "idcheck",
        "encryptionType": 1,
        "params": {"name": "Li"},
    }
    expected = hmac.digest(b"secret", b"1700000000." + signed.body, "sha256").hex()
    assert signed.headers["X-Signature"] == expected
    assert (signed.headers["X-App-Id"], signed.headers["X-Timestamp"]) == ("app", "1700000000")
