"""What is encrypted at rest: read with any of the keys, written with the newest."""

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from schemas.errors import Refused
from stores.vault import Vault

OLD, NEW = (SecretStr(Fernet.generate_key().decode()) for _ in range(2))


@given(text=st.text())
def test_what_was_encrypted_decrypts_to_itself_and_shows_nothing(text: str) -> None:
    vault = Vault([NEW])

    token = vault.encrypt(text)

    assert vault.decrypt(token) == text
    assert len(text) < 4 or text not in token


def test_an_older_key_still_decrypts_and_no_longer_encrypts() -> None:
    token = Vault([OLD]).encrypt("secret")
    both = Vault([NEW, OLD])

    assert both.decrypt(token) == "secret"
    assert Vault([NEW]).decrypt(both.encrypt("secret")) == "secret"


def test_what_is_renewed_needs_the_older_key_no_more() -> None:
    token = Vault([OLD]).encrypt("secret")

    assert Vault([NEW]).decrypt(Vault([NEW, OLD]).renew(token)) == "secret"


@pytest.mark.parametrize("use", [Vault.decrypt, Vault.renew])
def test_a_text_that_no_key_fits_is_refused_and_the_setting_named(use) -> None:
    with pytest.raises(Refused, match="none of the keys in FANFOLD_PUSH__SECRETS_KEYS fits") as refused:
        use(Vault([NEW]), Vault([OLD]).encrypt("secret"))

    assert refused.value.reason == "not_configured"


def test_a_text_that_was_changed_in_the_store_is_refused() -> None:
    token = Vault([NEW]).encrypt("secret")
    middle = len(token) // 2
    changed = token[:middle] + ("A" if token[middle] != "A" else "B") + token[middle + 1 :]

    with pytest.raises(Refused):
        Vault([NEW]).decrypt(changed)


@pytest.mark.parametrize("use", [Vault.encrypt, Vault.decrypt, Vault.renew])
def test_without_keys_everything_is_refused_and_the_setting_named(use) -> None:
    with pytest.raises(Refused, match="FANFOLD_PUSH__SECRETS_KEYS is not set") as refused:
        use(Vault([]), "text")

    assert refused.value.reason == "not_configured"
