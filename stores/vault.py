"""Texts that must not be read by whoever reads the store: encrypted with keys that are kept elsewhere.

Fernet: AES-128 in CBC mode with HMAC-SHA256, so what was changed in the store does not
decrypt. The newest key encrypts, all of them decrypt.
"""

from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from pydantic import SecretStr

from schemas.errors import Refused

SETTING = "FANFOLD_PUSH__SECRETS_KEYS"


class Vault:
    """Without keys it can be made and used for nothing: each method then refuses with not_configured."""

    def __init__(self, keys: Sequence[SecretStr], setting: str = SETTING) -> None:
        """Newest key first; `setting` is what they are set by. Raises ValueError for what is no Fernet key."""
        self._setting = setting
        fernets = [Fernet(key.get_secret_value()) for key in keys]
        self._keys = MultiFernet(fernets) if fernets else None

    def encrypt(self, text: str) -> str:
        return self._opened.encrypt(text.encode()).decode()

    def decrypt(self, token: str) -> str:
        """Refuses with not_configured where no key fits: it was taken away too early, or is another installation's."""
        try:
            return self._opened.decrypt(token).decode()
        except InvalidToken:
            raise self._no_key_fits() from None

    def seal(self, data: bytes) -> str:
        return self._opened.encrypt(data).decode()

    def unseal(self, token: str) -> bytes:
        """Refuses with not_configured where no key fits."""
        try:
            return self._opened.decrypt(token)
        except InvalidToken:
            raise self._no_key_fits() from None

    def renew(self, token: str) -> str:
        """The same text, encrypted with the newest key."""
        try:
            return self._opened.rotate(token).decode()
        except InvalidToken:
            raise self._no_key_fits() from None

    @property
    def _opened(self) -> MultiFernet:
        if self._keys is None:
            raise Refused("not_configured", f"{self._setting} is not set: secrets cannot be kept or read without it")
        return self._keys

    def _no_key_fits(self) -> Refused:
        return Refused("not_configured", f"none of the keys in {self._setting} fits what is encrypted")
