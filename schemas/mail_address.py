"""E-mail addresses, internationalised ones included (RFC 5321, RFC 6531)."""

from email.utils import parseaddr

import email_validator
import msgspec

# Whether there is such a domain is the mail server's to say: it may serve .local or localhost.
email_validator.SPECIAL_USE_DOMAIN_NAMES.clear()


class MailAddress(msgspec.Struct, frozen=True):
    name: str
    """Of the person or service; empty where none was given."""
    local: str
    domain: str
    """In ASCII."""

    @property
    def spec(self) -> str:
        return f"{self.local}@{self.domain}"

    @property
    def international(self) -> bool:
        """Whether only servers with SMTPUTF8 take it."""
        return not self.local.isascii()


def parse_address(text: str) -> MailAddress:
    """One address, alone. Raises ValueError, without the address in it."""
    try:
        found = email_validator.validate_email(text, check_deliverability=False, globally_deliverable=False)
    except email_validator.EmailNotValidError:
        raise ValueError("not an e-mail address") from None
    return MailAddress("", found.local_part, found.ascii_domain)


def parse_sender(text: str) -> MailAddress:
    """`Name <address>`, or an address alone. Raises ValueError."""
    # What the parser does not understand it may leave out.
    name, address = parseaddr(text) if text.isprintable() else ("", "")
    return msgspec.structs.replace(parse_address(address), name=name)
