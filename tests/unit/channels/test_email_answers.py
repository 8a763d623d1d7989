from pathlib import Path

import pytest
from pydantic import ValidationError

from channels.channel import Came
from channels.smtp import MailServer, Step, judge
from config.settings import Settings, SmtpSettings


@pytest.mark.parametrize(
    ("step", "code", "text", "came"),
    [
        ("recipient", 550, "5.1.1 no such user", Came.GONE),
        ("recipient", 550, "5.1.10 null MX", Came.GONE),
        ("recipient", 551, "5.1.6 moved", Came.GONE),
        ("content", 550, "5.1.1 no such user", Came.GONE),
        ("recipient", 550, "no such user", Came.REFUSED),  # or relaying denied, or a block list
        ("recipient", 550, "5.7.1 relaying denied", Came.REFUSED),
        ("recipient", 553, "5.1.3 bad address", Came.REFUSED),
        ("recipient", 550, "15.1.1 is no code", Came.REFUSED),
        ("recipient", 450, "4.2.1 busy", Came.RETRY),
        ("recipient", 452, "4.2.2 mailbox full", Came.RETRY),
        ("recipient", 530, "5.7.0 authentication required", Came.RETRY),
        ("content", 554, "5.6.0 looks like spam", Came.REFUSED),
        ("content", 552, "5.3.4 too large", Came.REFUSED),
        ("content", 451, "4.3.0 try later", Came.RETRY),
        ("content", 250, "where 354 was expected", Came.RETRY),
        ("sender", 550, "5.1.0 sender not allowed", Came.RETRY),
        ("sender", 530, "5.7.0 authentication required", Came.RETRY),
        ("sender", 552, "message size exceeds limit", Came.REFUSED),
        ("sender", 554, "5.3.4 too large", Came.REFUSED),
        ("session", 535, "5.7.8 wrong password", Came.RETRY),
        ("session", 554, "no service", Came.RETRY),
    ],
)
def test_a_servers_refusal_is_sorted_by_what_it_refuses(step: Step, code: int, text: str, came: Came) -> None:
    assert judge(step, code, text) == came


@pytest.mark.parametrize("sender", ["nobody", "", "a@b.de\nBcc: c@d.de", "Name <>"])
def test_a_sender_that_is_no_address_is_no_setting(sender: str) -> None:
    with pytest.raises(ValidationError, match="not an e-mail address"):
        Settings.model_validate({"smtp": {"sender": sender}})


@pytest.mark.parametrize("sender", ["fanfold@localhost", "Fanfold <fanfold@example.org>"])
def test_a_sender_is_an_address_with_or_without_a_name(sender: str) -> None:
    assert Settings.model_validate({"smtp": {"sender": sender}}).smtp.sender == sender


def test_a_file_of_certificates_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"nowhere\.pem"):
        MailServer(SmtpSettings(host="mail.test", ca_file=tmp_path / "nowhere.pem"), 1.0)
