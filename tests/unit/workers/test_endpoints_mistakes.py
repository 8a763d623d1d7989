"""Mistakes on the command line of `fanfold endpoints` and `fanfold deliveries`, told before anything is contacted."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from cryptography.fernet import Fernet

from workers.cli import main

URL = "https://hooks.example.com/in?key=hunter2"
CREATE = ("endpoints", "create", "--owner", "user/7", "--url", URL)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A folder without fanfold.toml; what commands change for their process is changed back."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FANFOLD_PUSH__SECRETS_KEYS", json.dumps([Fernet.generate_key().decode()]))
    before = structlog.get_config()
    yield
    structlog.configure(**before)


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    output = capsys.readouterr()
    assert "hunter2" not in output.out + output.err
    assert isinstance(ended.value.code, int)
    return ended.value.code, output.err


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("endpoints", "create", "--owner", "user/7", "--url", "ftp://hunter2/"), 1, "url: "),
        (("endpoints", "create", "--owner", "nobody", "--url", URL), 1, "owner"),
        (("endpoints", "create", "--url", URL), 2, "--owner"),
        ((*CREATE, "--channel", "pigeon"), 1, "channel is one of"),
        ((*CREATE, "--options", "[]"), 2, "--options"),
        ((*CREATE, "--options", '{"headers": {"Host": "hunter2"}}'), 1, "options: "),
        ((*CREATE, "--secret", "hunter2"), 1, "secret: "),
        ((*CREATE, "--rate", "-1"), 1, "rate_per_second"),
        ((*CREATE, "--concurrency", "0"), 2, "--concurrency"),
        ((*CREATE, "--kind", "a*b"), 1, "kinds"),
        (("endpoints", "update", "ep_1", "{"), 2, "the changes"),
        (("endpoints", "update", "ep_1", '{"owner": "user/8"}'), 1, "owner"),
        (("endpoints", "recover", "ep_1", "--since", "yesterday"), 1, "--since: "),
        (("endpoints", "recover", "ep_1"), 2, "--since"),
        (("deliveries", "list", "--state", "alive"), 2, "--state"),
        (("deliveries", "list", "--since", "soon"), 1, "since: "),
        (("deliveries", "list", "--after", "dl_1"), 1, "after"),
        (("deliveries", "retry"), 2, "ID"),
    ],
)
def test_what_is_mistaken_is_said_without_repeating_a_secret(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], status: int, said: str
) -> None:
    ended, err = told(capsys, *arguments)

    assert ended == status
    assert said in err


def test_without_a_key_nothing_is_registered_and_the_setting_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FANFOLD_PUSH__SECRETS_KEYS", "[]")
    assert told(capsys, *CREATE) == (
        1,
        "FANFOLD_PUSH__SECRETS_KEYS is not set: secrets cannot be kept or read without it\n",
    )


def test_a_key_that_is_none_is_a_mistake_in_the_settings(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FANFOLD_PUSH__SECRETS_KEYS", '["hunter2"]')
    status, err = told(capsys, *CREATE)

    assert status == 2
    assert "a Fernet key is 32 random bytes" in err
