import base64
from datetime import UTC, datetime

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from channels.signing import SECRET_BYTES, new_key_pair, new_secret, public_of, signatures

BODY = b'{"test": 2432232314}'
MESSAGE, TIMESTAMP = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330
# The vectors of the reference libraries of Standard Webhooks (libraries/go, TestSymmetricWebhookSign and
# TestAsymmetricWebhookSign).
SYMMETRIC = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SYMMETRIC_SIGNED = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
PRIVATE = "whsk_VEVTVFNJR05JTkdLRVlET05PVFVTRVRISVNGT1JBTlk="
PRIVATE_SIGNED = "v1a,tQ9V2XOqn7jL/DQenEFpqIugdBVtiMmER5mhSkXBNwM0mkATuDe6KYYUuxqtaiHeYGb7KaaBRdM5WqyeFiL8Ag=="


def test_the_vectors_of_the_reference_libraries_hold() -> None:
    assert signatures([SYMMETRIC], MESSAGE, TIMESTAMP, BODY) == SYMMETRIC_SIGNED
    assert signatures([PRIVATE], MESSAGE, TIMESTAMP, BODY) == PRIVATE_SIGNED


def test_during_a_rotation_every_key_signs_newest_first() -> None:
    signed = signatures([PRIVATE, SYMMETRIC], MESSAGE, TIMESTAMP, BODY)

    assert signed == f"{PRIVATE_SIGNED} {SYMMETRIC_SIGNED}"


def test_a_private_key_that_keeps_its_public_half_signs_alike() -> None:
    seed = base64.b64decode(PRIVATE.removeprefix("whsk_"))
    public = base64.b64decode(public_of(PRIVATE).removeprefix("whpk_"))
    both = "whsk_" + base64.b64encode(seed + public).decode()

    assert signatures([both], MESSAGE, TIMESTAMP, BODY) == PRIVATE_SIGNED


@given(body=st.text().map(str.encode), size=st.sampled_from(SECRET_BYTES))
def test_the_reference_package_makes_the_same_signature_with_a_new_secret(body: bytes, size: int) -> None:
    secret = new_secret(size)
    at = datetime.fromtimestamp(TIMESTAMP, UTC)

    assert signatures([secret], MESSAGE, TIMESTAMP, body) == Webhook(secret).sign(MESSAGE, at, body.decode())


def test_a_new_pair_signs_and_checks() -> None:
    private, public = new_key_pair()
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public.removeprefix("whpk_")))
    signature = base64.b64decode(signatures([private], "dl_1", 7, b"{}").removeprefix("v1a,"))

    key.verify(signature, b"dl_1.7.{}")
    with pytest.raises(InvalidSignature):
        key.verify(signature, b"dl_1.8.{}")


def test_new_secrets_are_never_the_same_and_as_long_as_asked_for() -> None:
    secrets = {new_secret(64) for _ in range(100)}

    assert len(secrets) == 100
    assert {len(base64.b64decode(secret.removeprefix("whsec_"))) for secret in secrets} == {64}


@pytest.mark.parametrize("size", [0, 23, 65])
def test_a_secret_of_another_length_is_not_made(size: int) -> None:
    with pytest.raises(ValueError, match="24 to 64 bytes"):
        new_secret(size)


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "whsec_",
        "whsec_not base64!",
        "whsec_" + base64.b64encode(b"short").decode(),
        "whsec_" + base64.b64encode(b"l" * 65).decode(),
        "whsk_" + base64.b64encode(b"s" * 31).decode(),
        "whpk_" + base64.b64encode(b"p" * 32).decode(),
    ],
)
def test_what_is_no_secret_does_not_sign_and_is_not_repeated(secret: str) -> None:
    with pytest.raises(ValueError, match=r"secret|key") as caught:
        signatures([secret], MESSAGE, TIMESTAMP, BODY)

    assert len(secret) < 7 or secret not in str(caught.value)
