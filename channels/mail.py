"""A message as a mail: text and HTML that say the same, and headers that nothing in a message can add to.

The Message-ID follows from the message's id: a mail that arrives twice is known by it.
"""

import hashlib
import re
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime
from functools import cache
from importlib.resources import files

from jinja2 import Environment, Template

from channels.channel import Message
from channels.texts import shorten
from schemas.mail_address import MailAddress

SUBJECT_BYTES = 250
ID = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")
"""What may stand before the @ of a Message-ID as it is (RFC 5322, 3.6.4)."""

# Every server takes 7-bit content; only international addresses need more, and then only in headers.
PLAIN, INTERNATIONAL = SMTP.clone(cte_type="7bit"), SMTPUTF8.clone(cte_type="7bit")


def compose(message: Message, sender: MailAddress, recipient: MailAddress, now: datetime) -> EmailMessage:
    """The mail, ready to be sent, or for files to be attached to it. `now` is when it is sent, with a zone."""
    mail = EmailMessage(INTERNATIONAL if sender.international or recipient.international else PLAIN)
    title, body = one_line(message.title or ""), (message.body or "").strip()
    mail["From"] = _header(sender)
    mail["To"] = _header(recipient)
    mail["Subject"] = shorten(title or one_line(body) or message.kind, SUBJECT_BYTES)
    mail["Date"] = format_datetime(now)
    mail["Message-ID"] = message_id(message.id, sender.domain)
    # No answer by holiday notices and the like (RFC 3834).
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content("\n\n".join(text for text in (title, body) if text) or message.kind)
    mail.add_alternative(as_html(title, body, message), subtype="html")
    # Last: until there are alternatives it would describe the text alone.
    mail["Content-Language"] = message.language
    for file in message.attachments:
        kind, _, subkind = file.content_type.partition(";")[0].strip().partition("/")
        mail.add_attachment(
            file.content,
            maintype=kind or "application",
            subtype=subkind or "octet-stream",
            filename=one_line(file.name),
        )
    return mail


def message_id(name: str, domain: str) -> str:
    """The same for the same message, whatever its id looks like."""
    if not ID.fullmatch(name):
        name = hashlib.sha256(name.encode()).hexdigest()[:32]
    return f"<{name}@{domain}>"


def one_line(text: str) -> str:
    """Without line breaks and control characters, spaces made one."""
    return " ".join("".join(c if c.isprintable() or _joins(c) else " " for c in text).split())


def as_html(title: str, body: str, message: Message) -> str:
    """Everything escaped; addresses of the web and of mail can be clicked."""
    text = body or ("" if title else message.kind)
    paragraphs = [paragraph.splitlines() for paragraph in re.split(r"\n\s*\n", text) if paragraph]
    return _template().render(language=message.language, title=title, paragraphs=paragraphs)


def _joins(character: str) -> bool:
    # Emoji are made of several with them; they are "not printable".
    return character in "\u200c\u200d"


def _header(address: MailAddress) -> Address:
    return Address(address.name, address.local, address.domain)


@cache
def _template() -> Template:
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string((files("channels") / "mail.html").read_text())
