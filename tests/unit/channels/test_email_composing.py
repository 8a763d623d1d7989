import email
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import default
from html.parser import HTMLParser
from typing import Any

import pytest
from channel_samples import a_message
from hypothesis import given
from hypothesis import strategies as st

from channels.mail import SUBJECT_BYTES, as_html, compose, message_id, one_line
from channels.texts import shorten
from schemas.mail_address import MailAddress, parse_address, parse_sender

NOW = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
SENDER = MailAddress("Fanfold, Ltd.", "fanfold", "example.org")
TO = MailAddress("", "li", "example.com")
anything = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
nasty = st.one_of(
    anything,
    st.lists(st.sampled_from(["\r\n", "\n", "Bcc: x@y.de", ":", " ", "中", "é", "=?utf-8?q?x?="])).map("".join),
)


def as_received(mail: EmailMessage) -> EmailMessage:
    """As its receiver reads it."""
    received = email.message_from_bytes(mail.as_bytes(), policy=default)
    assert isinstance(received, EmailMessage)
    return received


def a_mail(recipient: MailAddress = TO, sender: MailAddress = SENDER, **fields: Any) -> EmailMessage:
    return as_received(compose(a_message(**fields), sender, recipient, NOW))


def text_of(mail: EmailMessage, kind: str) -> str:
    part = mail.get_body((kind,))
    assert isinstance(part, EmailMessage)
    content: str = part.get_content()
    return content.replace("\r\n", "\n").removesuffix("\n")


def test_a_mail_says_who_it_is_from_and_what_it_is() -> None:
    mail = a_mail(id="dl_abc", title="Ban", language="zh")

    assert {name: str(value) for name, value in mail.items() if name not in ("Content-Type", "MIME-Version")} == {
        "From": '"Fanfold, Ltd." <fanfold@example.org>',
        "To": "li@example.com",
        "Subject": "Ban",
        "Date": "Sun, 01 Mar 2026 12:30:00 +0000",
        "Message-ID": "<dl_abc@example.org>",
        "Content-Language": "zh",
        "Auto-Submitted": "auto-generated",
    }
    assert mail.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]


@given(nasty, nasty)
def test_nothing_in_a_message_adds_to_the_headers(title: str, body: str) -> None:
    mail = a_mail(title=title, body=body)

    assert sorted(mail.keys()) == sorted(a_mail().keys())
    assert (mail["To"], mail["From"]) == ("li@example.com", '"Fanfold, Ltd." <fanfold@example.org>')
    assert mail.defects == []


@given(anything)
def test_the_subject_is_the_title_in_one_line(title: str) -> None:
    subject = str(a_mail(title=title, body="b", kind="k")["Subject"])
    expected = shorten(one_line(title) or "b", SUBJECT_BYTES)

    # What lies between two encoded words is not defined well: Python folds spaces there.
    assert subject.replace(" ", "") == expected.replace(" ", "")
    assert "\n" not in subject


@pytest.mark.parametrize(
    ("title", "body", "subject"),
    [
        ("Paid", "Order 1", "Paid"),
        (None, "Order 1\nis paid", "Order 1 is paid"),
        ("", "  ", "order.paid"),
        (None, None, "order.paid"),
        ("订单已支付：一号", None, "订单已支付：一号"),
        ("👨\u200d👩\u200d👧", None, "👨\u200d👩\u200d👧"),
        ("a\u2028b\x07c\r\n\td", None, "a b c d"),
        ("word " * 100, None, ("word " * 49)[:-1] + "…"),
    ],
)
def test_there_is_always_a_subject_that_fits(title: str | None, body: str | None, subject: str) -> None:
    assert a_mail(title=title, body=body, kind="order.paid")["Subject"] == subject


@given(anything.filter(lambda text: "\r" not in text))
def test_the_text_arrives_as_it_was_written(body: str) -> None:
    mail = a_mail(title=None, body=body, kind="order.paid")

    assert text_of(mail, "plain") == (body.strip() or "order.paid")


@given(anything, anything)
def test_a_mail_is_seven_bits_in_short_lines(title: str, body: str) -> None:
    content = compose(a_message(title=title, body=body * 3), SENDER, TO, NOW).as_bytes()

    content.decode("ascii")
    assert max(len(line) for line in content.split(b"\r\n")) <= 998
    assert b"\n" not in content.replace(b"\r\n", b"")


class Read(HTMLParser):
    """The tags, the links and the text of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.links: list[str | None] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links += [value for name, value in attrs if name == "href"]

    def handle_data(self, data: str) -> None:
        self.text += data


PAGE = {"html", "head", "meta", "title", "body", "div", "h1", "p", "br", "a"}
markup = st.lists(
    st.sampled_from(
        [
            "<script>",
            "<img src=x onerror=y>",
            "javascript:x",
            "https://a.de/?q=\"'><b",
            "www.a.de",
            "a@b.de",
            "&lt;",
            "<",
            '"',
            "\n",
            " ",
            "x",
        ]
    )
).map("".join)


@given(st.one_of(markup, anything), st.one_of(markup, anything))
def test_what_is_said_never_becomes_markup(title: str, body: str) -> None:
    page = Read(text_of(a_mail(title=title, body=body), "html"))

    assert page.tags <= PAGE
    assert page.attributes <= {"lang", "charset", "name", "content", "style", "href", "rel"}
    assert all(link is not None and link.startswith(("https://", "http://", "mailto:")) for link in page.links)


@given(markup)
def test_the_html_says_what_the_text_says(body: str) -> None:
    page = Read(as_html("Title", body, a_message(body=body)))

    assert page.text.replace("Title", "").split() == body.split()


def test_links_can_be_clicked() -> None:
    page = Read(text_of(a_mail(body="See https://example.org/a?b=1&c=2. Or ask help@example.org."), "html"))

    assert page.links == ["https://example.org/a?b=1&c=2", "mailto:help@example.org"]


def test_paragraphs_and_lines_are_kept() -> None:
    page = text_of(a_mail(body="one\ntwo\n\n\nthree"), "html")

    assert page.count("<p ") == 2
    assert page.count("<br>") == 1


@given(st.text(min_size=1))
def test_a_message_id_is_the_same_for_the_same_message_and_always_well_formed(name: str) -> None:
    made = message_id(name, "example.org")

    assert made == message_id(name, "example.org")
    mail = EmailMessage()
    mail["Message-ID"] = made
    assert as_received(mail)["Message-ID"] == made
    assert made.isascii()


def test_international_addresses_are_written_as_they_are_and_domains_in_ascii() -> None:
    mail = compose(a_message(), SENDER, parse_address("用户@例子.公司"), NOW)

    assert "To: 用户@xn--fsqu00a.xn--55qx5d\r\n".encode() in mail.as_bytes()
    assert a_mail(recipient=parse_address("a@例子.公司"))["To"] == "a@xn--fsqu00a.xn--55qx5d"


def test_files_can_be_attached_to_a_mail() -> None:
    mail = compose(a_message(), SENDER, TO, NOW)
    mail.add_attachment(b"\x00\xff", maintype="application", subtype="octet-stream", filename="账单.bin")
    [attached] = as_received(mail).iter_attachments()

    assert (attached.get_filename(), attached.get_content()) == ("账单.bin", b"\x00\xff")
    assert text_of(as_received(mail), "plain").startswith("Ban")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "@b.de",
        "a@",
        "a b@c.de",
        "a@b.de\r\nBcc: x@y.de",
        "a@b.de,c@d.de",
        "Li <a@b.de>",
        "a@b..de",
        "<a@b.de>",
    ],
)
def test_what_is_no_address_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(ValueError, match="not an e-mail address") as caught:
        parse_address(text)

    assert str(caught.value) == "not an e-mail address"


@pytest.mark.parametrize(
    ("text", "spec", "international"),
    [
        ("Li.Lei+x@Example.COM", "Li.Lei+x@example.com", False),
        ("root@localhost", "root@localhost", False),
        ("li@mail.corp.local", "li@mail.corp.local", False),
        ("a@例子.公司", "a@xn--fsqu00a.xn--55qx5d", False),
        ("用户@例子.公司", "用户@xn--fsqu00a.xn--55qx5d", True),
    ],
)
def test_addresses_are_taken_of_any_kind(text: str, spec: str, international: bool) -> None:
    address = parse_address(text)

    assert (address.spec, address.international) == (spec, international)


def test_a_sender_may_have_a_name() -> None:
    assert parse_sender("云枢 <no-reply@example.org>") == MailAddress("云枢", "no-reply", "example.org")
    assert parse_sender('"Fanfold, Ltd." <a@b.de>') == MailAddress("Fanfold, Ltd.", "a", "b.de")


@given(anything)
def test_whatever_is_given_is_an_address_or_an_error(text: str) -> None:
    try:
        address = parse_address(text)
    except ValueError:
        return
    assert not any(character.isspace() for character in address.spec)
